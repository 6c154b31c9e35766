"""`vb prices`: what models cost in this workspace, and setting that.

The one rule: a price is told with where it is from, and with who has set it.
"""

from __future__ import annotations

from pydantic import JsonValue

from bot.config.settings import Settings
from bot.config.wiring import defining_engine
from bot.console.launch import DONE, Misuse
from bot.console.output import note, out, say, say_json, table
from bot.console.whoami import person_here
from bot.text.plain import one_line
from engine.core.estimate import models_of
from engine.core.money import Micros, say_money
from engine.core.prices import EXAMPLE, Price
from engine.core.words import did_you_mean
from engine.engine import Engine
from engine.plans import read
from engine.prices import WORKSPACE, advice, parse_rate
from engine.store import to_text
from engine.tariffs import Priced

HEAD = ("model", "in", "out", "kept", "from")


async def show(settings: Settings, *, as_json: bool) -> int:
    """The prices of all models that definitions ask here, and all that somebody has set."""
    async with defining_engine(settings) as engine:
        found = await engine.prices.shown(_asked(engine))
    if as_json:
        say_json([_described(one) for one in found])
        return DONE
    if found:
        for line in table(HEAD, [_row(one) for one in found]):
            out.print(line)
    for one in found:
        if one.price is None:
            note(f"{one_line(one.model)} has no price, so that no run can ask it; {one_line(advice(one.model))}")
    note(f"US dollars for a million tokens. To set one: vb prices set PROVIDER:MODEL {EXAMPLE}")
    return DONE


async def set_one(
    settings: Settings, model: str, tokens_in: str, tokens_out: str, *, cached: str | None, reason: str
) -> int:  # fmt: skip
    """Set what a model costs in this workspace, from its next call on."""
    kept = None if cached is None else _rate("--cached", cached)
    price = Price(_rate("--input", tokens_in), _rate("--output", tokens_out), kept)
    provider = model.partition(":")[0]
    if provider and provider not in settings.models.providers:
        known = did_you_mean(provider, sorted(settings.models.providers))
        raise Misuse(f"There is no provider {one_line(provider)} here; {known}.")
    async with defining_engine(settings) as engine:
        new = await engine.prices.set(model, price, by=await person_here(engine), reason=reason)
    what = f"{one_line(model)} costs {_words(price)}"
    say(f"{what} here, from its next call on." if new else f"{what} already.")
    return DONE


async def unset(settings: Settings, model: str, *, reason: str) -> int:
    """Take the workspace's own price of a model away."""
    async with defining_engine(settings) as engine:
        await engine.prices.unset(model, by=await person_here(engine), reason=reason)
        (left,) = [one for one in await engine.prices.shown([model]) if one.model == model]
    if left.price is None:
        say(f"{one_line(model)} has no price any more, so that no run can ask it; {one_line(advice(model))}")
    else:
        say(f"{one_line(model)} costs {_words(left.price)} from its next call on ({left.source}).")
    return DONE


def _asked(engine: Engine) -> set[str]:
    """The models that definitions of this workspace name."""
    workflows = engine.definitions.workflows.values()
    plans = [read(one, engine.definitions.children(one)) for one in workflows]
    return {model for plan in plans for _, model in models_of(plan)}


def _rate(option: str, text: str) -> Micros:
    try:
        return parse_rate(text)
    except ValueError as error:
        raise Misuse(f"{option}: {error}.") from None


def _words(price: Price) -> str:
    kept = "" if price.cached is None else f", {say_money(price.cached)} where the provider has kept them"
    return f"{say_money(price.input)} in{kept}, {say_money(price.output)} out, for a million tokens"


def _row(one: Priced) -> tuple[str, ...]:
    price, own = one.price, one.own
    amounts = ["?"] * 3
    if price is not None:
        kept = price.input if price.cached is None else price.cached
        amounts = [say_money(each) for each in (price.input, price.output, kept)]
    source = one.source if price is not None else "nobody"
    if own is not None:
        why = f": {own.reason}" if own.reason else ""
        source = f"{WORKSPACE}, by {own.by.name} on {to_text(own.at)[:10]}{why}"
    return (one_line(one.model), *amounts, one_line(source, 200))


def _described(one: Priced) -> JsonValue:
    """Amounts in millionths of a dollar for a million tokens."""
    own = one.own
    by: JsonValue = None if own is None else {"via": own.by.via, "id": own.by.id, "name": own.by.name}
    return {
        "model": one.model,
        "price": None if one.price is None else dict(one.price._asdict()),
        "source": None if one.price is None else one.source,
        "by": by,
        "at": None if own is None else to_text(own.at),
        "reason": "" if own is None else own.reason,
    }
