"""``keys`` and ``secrets``: what the workspace keeps sealed for providers and for steps, for its admins.

The one rule: a value is never typed after the command, which others may see and Slack keeps; the word opens a form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.blocks import guide, replies
from bot.blocks import keys as forms
from bot.blocks.forms import Place
from bot.blocks.kit import escape
from bot.blocks.vocabulary import WORDS
from bot.listeners.commands.typed import Answer, Typed
from bot.listeners.desk import Desk
from bot.listeners.mentioned import unescape
from bot.people.policy import Act, Refused
from engine.core import keys as ks
from engine.core.words import did_you_mean

_FORMS = {"add": forms.ADD, "rotate": forms.ROTATE, "revoke": forms.REVOKE}


async def keys(desk: Desk, typed: Typed) -> Answer:
    """List the keys, or open a form to add, replace or revoke one."""
    return await _kept(desk, typed, _key_wanted)


async def secrets(desk: Desk, typed: Typed) -> Answer:
    """The same for secrets of steps."""
    return await _kept(desk, typed, _secret_wanted)


async def _kept(desk: Desk, typed: Typed, wanted: Callable[[Sequence[str]], tuple[str, str]]) -> Answer:
    """``wanted``: the provider and the name that the words after the verb mean."""
    verdict = await desk.from_slack(desk.roles.may(Act.KEYS, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    if not typed.rest:
        found = await desk.engine.keyring.list()
        if wanted is _secret_wanted:
            return forms.secrets(typed.command, [one for one in found if one.key.provider == ks.SECRETS])
        return forms.listed(typed.command, [one for one in found if one.key.provider != ks.SECRETS])
    verb, *words = unescape(typed.rest).split()
    try:
        callback = _callback(verb, typed.word)
        provider, name = wanted(words)
    except ValueError as problem:
        said = str(problem)
        return guide.incomplete(typed.command, WORDS[typed.word], escape(f"{said[0].upper()}{said[1:]}"))
    known = (await desk.engine.workspace.state()).keys
    if callback != forms.ADD and (provider, name) not in known:
        return replies.said(escape(f"{ks.missing(provider, name, known)}."))
    if callback != forms.REVOKE and not desk.engine.keyring.can_keep:
        return replies.said(forms.NO_MASTER_KEY)
    if not typed.trigger_id:
        return replies.said(replies.FORM_NOT_OPENED)
    place = Place(typed.where.channel, about=f"{provider} {name}")
    if callback == forms.REVOKE:
        return forms.revoke_form(provider, name, place)
    return forms.entry_form(callback, provider, name, place)


# What was typed. Each raises ``ValueError``, which says what is wrong, and never repeats what may be a value.


def _callback(verb: str, word: str) -> str:
    if verb.lower() not in _FORMS:
        raise ValueError(f"there is no such word for {word}; {did_you_mean('', _FORMS)}")
    return _FORMS[verb.lower()]


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
