"""``keys`` and ``secrets``: what the workspace keeps sealed for providers and for steps, for its admins.

The one rule: a value is never typed after the command, which others may see and Slack keeps; the word opens a form. One
that is typed there all the same is neither kept nor repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.blocks import guide, replies
from bot.blocks import keys as forms
from bot.blocks.forms import Place
from bot.blocks.kit import Message, escape
from bot.blocks.vocabulary import WORDS
from bot.listeners.commands.typed import Afterwards, Answer, Typed
from bot.listeners.desk import Desk, actor
from bot.listeners.mentioned import unescape
from bot.people.policy import Act, Refused
from engine.core import keys as ks
from engine.core.errors import EngineError
from engine.core.events import Actor
from engine.core.failures import StepError
from engine.core.words import did_you_mean
from engine.keyring import KeyInfo

log = logging.getLogger(__name__)

CHECK = "check"
_FORMS = {"add": forms.ADD, "rotate": forms.ROTATE, "revoke": forms.REVOKE}


@dataclass(frozen=True, slots=True)
class _Kind:
    """Keys or secrets. ``wanted``: the provider and the name that the words after the verb mean."""

    verbs: tuple[str, ...]
    wanted: Callable[[Sequence[str]], tuple[str, str]]
    listed: Callable[[str, Sequence[KeyInfo]], Message]
    are_secrets: bool


async def keys(desk: Desk, typed: Typed) -> Answer:
    """List the keys, ask a provider about one, or open a form to add, replace or revoke one."""
    return await _kept(desk, typed, _KEYS)


async def secrets(desk: Desk, typed: Typed) -> Answer:
    """The same for secrets of steps, about which nobody can be asked."""
    return await _kept(desk, typed, _SECRETS)


async def _kept(desk: Desk, typed: Typed, kind: _Kind) -> Answer:
    verdict = await desk.from_slack(desk.roles.may(Act.KEYS, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    if not typed.rest:
        found = await desk.engine.keyring.list()
        its = [one for one in found if (one.key.provider == ks.SECRETS) is kind.are_secrets]
        return kind.listed(typed.command, its)
    known = (await desk.engine.workspace.state()).keys
    try:
        verb, provider, name = _meant(unescape(typed.rest).split(), kind, known)
    except ValueError as problem:
        said = str(problem)
        return guide.incomplete(typed.command, WORDS[typed.word], escape(f"{said[0].upper()}{said[1:]}"))
    if verb != "add" and (provider, name) not in known:
        return replies.said(escape(f"{ks.missing(provider, name, known)}."))
    if verb == CHECK:
        return Afterwards(lambda: _check(desk, typed, provider, name, actor(verdict.person)))
    if verb != "revoke" and not desk.engine.keyring.can_keep:
        return replies.said(forms.NO_MASTER_KEY)
    if not typed.trigger_id:
        return replies.said(replies.FORM_NOT_OPENED)
    place = Place(typed.where.channel, about=f"{provider} {name}")
    if verb == "revoke":
        return forms.revoke_form(provider, name, place)
    return forms.entry_form(_FORMS[verb], provider, name, place)


async def _check(desk: Desk, typed: Typed, provider: str, name: str, by: Actor) -> None:
    """Ask the provider, and tell what it said: once, and later than Slack waits. No error that nobody foresaw is
    logged with its words, which may repeat the key.
    """
    try:
        told = forms.checked(await desk.engine.check_key(provider, name, by=by))
    except (EngineError, StepError) as error:
        told = replies.said(escape(f"{str(error).rstrip('.')}."))
    except Exception as error:  # noqa: BLE001 - its traceback is left out for what it may hold
        log.error("A key could not be checked (%s).", type(error).__name__)
        told = replies.said(replies.UNEXPECTED)
    await desk.whisper(typed.where, told)


# What was typed. Each raises ``ValueError``, which says what is wrong, and never repeats what may be a value.


def _meant(words: Sequence[str], kind: _Kind, known: ks.Keys) -> tuple[str, str, str]:
    """The verb, the provider and the name."""
    verb, has_value = words[0].lower(), any(ks.looks_like_value(word) for word in words)
    try:
        if verb not in kind.verbs:
            raise ValueError(f"there is no such word; {did_you_mean('', kind.verbs)}")
        place = kind.wanted(words[1:])
    except ValueError as problem:
        raise ValueError(ks.VALUE_TYPED if has_value else str(problem)) from None
    if has_value and place not in known:
        raise ValueError(ks.VALUE_TYPED)
    return verb, *place


def _key_wanted(words: Sequence[str]) -> tuple[str, str]:
    if not words:
        raise ValueError("which provider is it about?")
    if len(words) > 2:
        raise ValueError("a provider and a name is all that is typed here; the key itself goes into the form")
    return ks.provider_named(words[0]), ks.key_named(words[1] if len(words) == 2 else "")


def _secret_wanted(words: Sequence[str]) -> tuple[str, str]:
    if not words:
        raise ValueError("which secret is it about?")
    if len(words) > 1:
        raise ValueError("a name is all that is typed here; the secret itself goes into the form")
    return ks.SECRETS, ks.secret_named(words[0])


_KEYS = _Kind((*_FORMS, CHECK), _key_wanted, forms.listed, are_secrets=False)
_SECRETS = _Kind((*_FORMS,), _secret_wanted, forms.secrets, are_secrets=True)
