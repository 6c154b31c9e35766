"""``keys``: the keys of providers that the workspace keeps, for its admins.

The one rule: a key is never typed after the command, which others may see and Slack keeps; the word opens a form.
"""

from __future__ import annotations

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
    verdict = await desk.from_slack(desk.roles.may(Act.KEYS, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    if not typed.rest:
        found = await desk.engine.keyring.list()
        return forms.listed(typed.command, [one for one in found if one.key.provider != ks.SECRETS])
    try:
        callback, provider, name = _wanted(unescape(typed.rest).split())
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


def _wanted(words: list[str]) -> tuple[str, str, str]:
    """Raises ``ValueError``, which says what is missing or wrong, and never repeats what may be a key."""
    verb = words[0].lower()
    if verb not in _FORMS:
        raise ValueError(f"there is no such word for keys; {did_you_mean('', _FORMS)}")
    if len(words) == 1:
        raise ValueError("which provider is it about?")
    if len(words) > 3:
        raise ValueError("a provider and a name is all that is typed here; the key itself goes into the form")
    return _FORMS[verb], ks.provider_named(words[1]), ks.key_named(words[2] if len(words) == 3 else "")
