"""Steps of the operator's own: Python that lies beside the definitions, or is installed with them.

The one rule: every process of a database is given the same; one that lacks some of it leaves those steps to others.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

from bot.config.settings import WrongSetting
from engine.steps.models.shapes import Shape
from engine.steps.registry import StepFunction

SETTING = "VB_STEPS"


def own_steps(entries: Iterable[str]) -> list[StepFunction]:
    """What ``@step`` has made in these modules (``acme.steps``) and files (``steps.py``), each once.

    Raises ``WrongSetting`` if one cannot be loaded, or has neither a step nor a shape.
    """
    return [value for value in _made(entries) if isinstance(value, StepFunction)]


def own_shapes(entries: Iterable[str]) -> list[Shape]:
    """The shapes that are in the same places. Raises as ``own_steps`` does."""
    return [value for value in _made(entries) if isinstance(value, Shape)]


def _made(entries: Iterable[str]) -> list[StepFunction | Shape]:
    found: dict[int, StepFunction | Shape] = {}
    for entry in entries:
        made = [value for value in vars(_loaded(entry)).values() if isinstance(value, StepFunction | Shape)]
        if not made:
            raise WrongSetting(SETTING, f"{entry} has no step; make one of a function with @step, at its top level")
        found |= {id(each): each for each in made}
    return list(found.values())


@cache
def _loaded(entry: str) -> ModuleType:
    """Loaded once: a second copy of a module would have other classes under the same names."""
    try:
        return _from_file(Path(entry)) if entry.endswith(".py") else importlib.import_module(entry)
    except Exception as error:
        raise WrongSetting(SETTING, f"{entry} cannot be loaded: {_in_words(error)}") from error


def _from_file(file: Path) -> ModuleType:
    name = f"vectorbea_steps_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where annotations that are texts are looked up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _in_words(error: Exception) -> str:
    """What went wrong, and in which line of whose file."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    last = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, SyntaxError):
        return f"{error.msg} (line {error.lineno} of {error.filename})"
    where = "" if "importlib" in last.filename else f" (line {last.lineno} of {last.filename})"
    return f"{str(error).rstrip('.') or type(error).__name__}{where}"
