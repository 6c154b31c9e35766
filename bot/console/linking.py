"""`vb link`, `vb unlink` and `vb whoami`: whose this machine's account is in Slack.

The one rule: only Slack vouches for a person. The terminal tells the code that they were given there, and nothing else.
"""

from __future__ import annotations

from pydantic import JsonValue

from bot.config.settings import Settings
from bot.config.wiring import defining_engine
from bot.console.launch import DONE, FAILED
from bot.console.output import note, say, say_json
from bot.console.whoami import machine, me, person_here
from bot.text.plain import one_line
from engine.core.events import Actor

_HOW = "To say whose it is: type /vb link in Slack, then vb link CODE here."


async def link(settings: Settings, code: str) -> int:
    """Take up what a person has offered in Slack."""
    account = me()
    async with defining_engine(settings) as engine:
        person = await engine.identities.take(code, account, machine())
    say(one_line(f"{_here(account)} is {_in_slack(person)} from now on: what is done as it is theirs.", 400))
    return DONE


async def unlink(settings: Settings, *, reason: str) -> int:
    """End it: this account is nobody's in Slack any more."""
    account = me()
    async with defining_engine(settings) as engine:
        ended = await engine.identities.end(account, by=await person_here(engine), machine=machine(), reason=reason)
    if not ended:
        note(one_line(f"{_here(account)} is nobody's in Slack; nothing was changed. {_HOW}", 400))
        return FAILED
    say(one_line(f"{_here(account)} is not {_in_slack(ended[0].person)} any more.", 400))
    return DONE


async def whoami(settings: Settings, *, as_json: bool) -> int:
    """Tell who acts here."""
    account = me()
    async with defining_engine(settings) as engine:
        person = await engine.identities.person_of(account, machine())
    if as_json:
        say_json({"account": _described(account), "machine": machine(), "person": person and _described(person)})
    elif person is None:
        say(one_line(f"{_here(account)}, which is nobody's in Slack.", 400))
        note(_HOW)
    else:
        say(one_line(f"{_here(account)}, which is {_in_slack(person)}.", 400))
    return DONE


def _here(account: Actor) -> str:
    return f"{account.name} ({account.key}) on {machine()}"


def _in_slack(person: Actor) -> str:
    return f"{person.name} ({person.id}) in Slack"


def _described(actor: Actor) -> JsonValue:
    return {"via": actor.via, "id": actor.id, "name": actor.name}
