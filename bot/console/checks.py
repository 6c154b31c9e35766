"""`vb check`, `vb schema` and `vb reference`: definitions, and their language.

The one rule: all that is wrong is told, each thing on a line of its own, and the exit code says whether it was nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.blocks.words import counted
from bot.config.known import step_catalog
from bot.config.settings import Settings
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import note, out, say, say_json
from bot.text.plain import clean
from engine.catalog import Catalog
from engine.core.estimate import models_of
from engine.core.language import language_schema
from engine.core.reference import language_page
from engine.prices import Prices, advice


async def check_files(settings: Settings, paths: Sequence[Path]) -> int:
    """Check definitions, files or folders of them, and store nothing."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise Misuse(f"There is no file or folder {missing[0]}.")
    known = Catalog(step_catalog(settings))
    folders = [path.parent for path in paths if path.is_file()]
    problems = known.load(paths, beside=[*folders, *settings.workflow_folders])
    for problem in problems:
        say(clean(str(problem)))
    unpriced = [*_unpriced(known, settings.models.prices)]
    if unpriced:
        unpriced = [*_unpriced(known, await _prices_here(settings))]
    for _, problem in unpriced:
        say(clean(problem))
    names = ", ".join(name for name in known.workflows if name not in dict(unpriced))
    if count := len(problems) + len(unpriced):
        note(f"{counted(count, 'problem')}{f'; without any: {names}' if names else ''}.")
        return FAILED
    note(f"No problems: {names}." if names else "There is no definition there.")
    return DONE if names else FAILED


def _unpriced(known: Catalog, prices: Prices) -> Iterator[tuple[str, str]]:
    """Which workflows have steps that could not ask their model, since no budget could hold it, and what to do."""
    for name in known.workflows:
        for step, model in dict.fromkeys(models_of(known.plan(name))):
            if prices.of(model) is None:
                where = f"{name}: steps.{step}: no price is known for {model}, so that no run could ask it"
                yield name, f"{where}; {advice(model)}"


async def _prices_here(settings: Settings) -> Prices:
    """With those that the workspace has set, if there is one already."""
    if settings.is_embedded_database and not settings.database_file.exists():
        return settings.models.prices
    from bot.config.wiring import reading_engine  # not above: a database is heavy, and seldom needed

    async with reading_engine(settings, any_key=True) as engine:
        return await engine.prices.now()


async def print_schema() -> int:
    """Print the JSON Schema of the definition language."""
    say_json(language_schema())
    return DONE


async def print_reference() -> int:
    """Print the reference of the definition language, in Markdown."""
    out.out(language_page(), highlight=False)
    return DONE
