"""`vb prune`, `vb erase` and `vb keys`: what is removed from the history, and the keys that seal it.

The one rule: what cannot be taken back is named and counted before it is done, and a key is never shown but when it is
made.
"""

from __future__ import annotations

import re
from typing import Final

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.confirm import confirm
from bot.console.filters import instant
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import note, progress, say
from bot.console.whoami import person_here
from engine.store import new_master_key

_PERSON: Final = re.compile(r"(slack|cli|api):\S+")


async def prune(settings: Settings, older_than: str, *, dry_run: bool, yes: bool) -> int:
    """Remove the runs that ended before ``older_than``, some at a time."""
    async with reading_engine(settings) as engine:
        store, workspace, now = engine.store, engine.settings.workspace, engine.clock.now()
        before = instant(older_than, now, "--older-than")
        found = await store.prunable(workspace, before)
        told = f"{counted(found.runs, 'run')} with {counted(found.events, 'event')}"
        if found.runs == 0:
            note("No run ended so long ago; nothing is to be removed.")
            return DONE
        if dry_run:
            say(f"{told} would be removed; nothing was changed.")
            return DONE
        confirm(f"{told} will be removed for ever. The last hash of each stays on record.", yes=yes)
        runs = events = texts = 0
        by = (await person_here(engine)).key
        with progress() as show:
            while (step := await store.prune(workspace, before, now=engine.clock.now(), by=by)).runs:
                runs, events, texts = runs + step.runs, events + step.events, texts + step.blobs
                show(f"{runs} of {found.runs} runs removed")
    say(f"Removed {counted(runs, 'run')} with {counted(events, 'event')} and {counted(texts, 'long text')}.")
    return DONE


async def erase(settings: Settings, person: str, *, yes: bool) -> int:
    """Destroy the key of a person's data."""
    if not _PERSON.fullmatch(person):
        raise Misuse(f"{person!r} is no person; write slack:U123ABC (a Slack user's id), or cli:1000 (a user id here).")
    async with reading_engine(settings) as engine:
        confirm(
            f"What {person}'s runs hold (inputs, outputs, reasons, names) becomes unreadable for ever, for everybody. "
            "Copies of the database made before still have it.",
            yes=yes,
        )
        runs = await engine.store.erase(person, now=engine.clock.now(), by=(await person_here(engine)).key)
    if runs == 0:
        note(f"No run of {person} is sealed here; nothing was changed.")
        return FAILED
    say(f"Erased {person}: {counted(runs, 'run')} can no longer be read. The chain is whole: vb verify.")
    return DONE


async def print_new_key() -> int:
    """A master key that nobody has had before."""
    say(new_master_key())
    note("Keep it from the database, and keep a copy: without it nobody can read what it has sealed.")
    return DONE


async def rewrap(settings: Settings) -> int:
    """Wrap every person's key by the current master key."""
    async with reading_engine(settings) as engine:
        if engine.store.vault.sealer is None:
            raise Misuse("There is no master key; name its file in VB_MASTER_KEY_FILE.")
        count = await engine.store.rewrap()
    if count:
        say(f"Wrapped {counted(count, 'key')} by the current master key; older master keys are no longer needed.")
    else:
        say("Every key is wrapped by the current master key already; older ones are not needed.")
    return DONE
