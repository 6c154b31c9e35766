"""`vb keys` and `vb secrets`: what is kept sealed for steps, as people may see and change it from this machine.

The one rule: a value is typed without being shown, or comes by standard input; it is no argument, and is never printed.
"""

from __future__ import annotations

import getpass
import sys

from pydantic import JsonValue

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.config.wiring import defining_engine
from bot.console.confirm import confirm
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import note, say, say_json, table
from bot.console.whoami import changing_here, person_here
from bot.text.plain import one_line
from engine.core import keys as ks
from engine.core.failures import StepError
from engine.keycheck import NotAsked
from engine.keyring import Audit, KeyInfo
from engine.store import to_text

_PIPED = 16_384


async def add_key(settings: Settings, provider: str, name: str) -> int:
    """Keep a key under a free name."""
    provider, name = _provider(provider), _key(name)
    value = _value(f"Key of {provider}")
    async with defining_engine(settings) as engine:
        acting = await changing_here(settings, engine)
        key = await engine.keyring.add(provider, name, value, by=acting.by, may=acting.may)
    say(_sentence(f"{key.words} is kept{_ends_in(key)}."))
    return DONE


async def rotate_key(settings: Settings, provider: str, name: str) -> int:
    """Put another value into the place of a key."""
    provider, name = _provider(provider), _key(name)
    value = _value(f"New key of {provider}")
    async with defining_engine(settings) as engine:
        acting = await changing_here(settings, engine)
        key = await engine.keyring.rotate(provider, name, value, by=acting.by, may=acting.may)
    say(_sentence(f"{key.words} is replaced{_ends_in(key)}; no worker can open the old one any more."))
    return DONE


async def revoke_key(settings: Settings, provider: str, name: str, *, reason: str, yes: bool) -> int:
    """Let nobody open a key any more."""
    provider, name = _provider(provider), _key(name)
    words = ks.named(provider, name)
    confirm(
        _sentence(f"{words} will be destroyed here; steps that need it will fail. {provider} is not told."), yes=yes
    )
    async with defining_engine(settings) as engine:
        acting = await changing_here(settings, engine)
        await engine.keyring.revoke(provider, name, by=acting.by, may=acting.may, reason=reason)
    say(_sentence(f"{words} is revoked: no worker can open it any more. Take it back at {provider}, too."))
    return DONE


async def set_secret(settings: Settings, name: str) -> int:
    """Keep a secret, in the place of what was there."""
    name = _secret(name)
    value = _value(f"Secret {name}")
    async with defining_engine(settings) as engine:
        acting = await changing_here(settings, engine)
        key = await engine.keyring.set_secret(name, value, by=acting.by, may=acting.may)
    say(f"The secret {name} is kept{_ends_in(key)}: ${{{{ secrets.{name} }}}} in the with of a step.")
    return DONE


async def remove_secret(settings: Settings, name: str, *, reason: str, yes: bool) -> int:
    """Let no step have a secret any more."""
    name = _secret(name)
    confirm(f"The secret {name} will be destroyed; steps that need it will fail.", yes=yes)
    async with defining_engine(settings) as engine:
        acting = await changing_here(settings, engine)
        await engine.keyring.remove_secret(name, by=acting.by, may=acting.may, reason=reason)
    say(f"The secret {name} is removed: no step can have it any more.")
    return DONE


async def list_keys(settings: Settings, *, secrets: bool, as_json: bool) -> int:
    """Keys, or secrets: all but their values."""
    async with defining_engine(settings) as engine:
        found = [one for one in await engine.keyring.list() if (one.key.provider == ks.SECRETS) is secrets]
    if as_json:
        say_json([_described(one) for one in found])
        return DONE
    if not found:
        note(
            "No secret is kept; vb secrets set NAME makes one."
            if secrets
            else "No key is kept; vb keys add PROVIDER makes one."
        )
        return DONE
    head = ("NAME", "ENDS IN", "BY", "SINCE", "LAST USED")
    rows = [_cells(one)[1 if secrets else 0 :] for one in found]
    for line in table(head if secrets else ("PROVIDER", *head), rows):
        say(line)
    return DONE


async def ask_provider(settings: Settings, provider: str, name: str) -> int:
    """Ask the provider whether it takes a key."""
    provider, name = _provider(provider), _key(name)
    async with defining_engine(settings) as engine:
        try:
            said = await engine.check_key(provider, name, by=await person_here(engine))
        except NotAsked as unknown:
            raise Misuse(str(unknown)) from None
        except StepError as refused:
            note(_sentence(f"{refused}."))
            return FAILED
    (say if said.accepted else note)(_sentence(f"{ks.named(provider, name)}: {said.words}."))
    return DONE if said.accepted else FAILED


async def check_keys(settings: Settings, *, as_json: bool) -> int:
    """Prove that nothing can be opened but what the log says is there. Nothing is opened, and nobody is asked."""
    async with defining_engine(settings) as engine:
        audit = await engine.keyring.audit()
        there = len(await engine.keyring.list())
        workers = await engine.workers()
    if as_json:
        say_json(_audited(audit, there))
        return DONE if audit.is_whole else FAILED
    gone = sum(not one.there for one in audit.lapsed)
    for one in audit.lapsed:
        if one.there:
            note(_sentence(f"{ks.named(one.provider, one.name)} ({one.id}) lapsed at {to_text(one.at)}, and is there."))
    for key in audit.lost:
        note(_sentence(f"{key.words} ({key.id}) is on record, and is not there: set it again."))
    for place in audit.unknown:
        note(_sentence(f"{ks.named(*place)} is there, and nothing on record tells of it."))
    if not audit.is_whole:
        note("Somebody has changed the table by hand, or restored a part of it. Revoke these keys where they are from.")
        return FAILED
    ended = f"{counted(gone, 'value')} that lapsed cannot be opened by anybody" if gone else "none has lapsed yet"
    say(f"{counted(there, 'value')} kept, as on record; {ended}.")
    say(f"{counted(len(workers), 'living worker')}; each reads a key anew for each use.")
    return DONE


def _value(prompt: str) -> str:
    """What was typed unseen, or came by a pipe. Raises ``Misuse``, which never says what was given."""
    try:
        text = getpass.getpass(f"{prompt} (not shown): ") if sys.stdin.isatty() else sys.stdin.read(_PIPED)
    except (EOFError, UnicodeDecodeError):
        raise Misuse("No text was given; nothing was changed.") from None
    try:
        return ks.checked_value(text)
    except ValueError as problem:
        words = "it is empty; give it by a pipe, or type it at a terminal" if not text.strip() else str(problem)
        raise Misuse(f"This cannot be kept: {words}.") from None


def _provider(word: str) -> str:
    try:
        return ks.provider_named(word)
    except ValueError as problem:
        raise Misuse(_sentence(f"{problem}.")) from None


def _key(word: str) -> str:
    try:
        return ks.key_named(word)
    except ValueError as problem:
        raise Misuse(_sentence(f"{problem}.")) from None


def _secret(word: str) -> str:
    try:
        return ks.secret_named(word)
    except ValueError as problem:
        raise Misuse(_sentence(f"{problem}.")) from None


def _sentence(words: str) -> str:
    return one_line(words[:1].upper() + words[1:], 400)


def _ends_in(key: ks.Key) -> str:
    return f", and ends in {key.last_four}" if key.last_four else ""


def _cells(one: KeyInfo) -> tuple[str, ...]:
    key, used = one
    ends = f"…{key.last_four}" if key.last_four else ""
    return key.provider, key.name, ends, key.by.name, to_text(key.at), "never" if used is None else to_text(used)


def _described(one: KeyInfo) -> JsonValue:
    key, used = one
    return {
        **({} if key.provider == ks.SECRETS else {"provider": key.provider}),
        "name": key.name,
        "id": key.id,
        "last_four": key.last_four,
        "fingerprint": key.fingerprint,
        "by": key.by.name,
        "at": to_text(key.at),
        "used_at": None if used is None else to_text(used),
    }


def _audited(audit: Audit, there: int) -> JsonValue:
    return {
        "whole": audit.is_whole,
        "there": there,
        "lapsed": [
            {"provider": one.provider, "name": one.name, "id": one.id, "at": to_text(one.at), "there": one.there}
            for one in audit.lapsed
        ],
        "lost": [{"provider": key.provider, "name": key.name, "id": key.id} for key in audit.lost],
        "unknown": [{"provider": provider, "name": name} for provider, name in audit.unknown],
    }
