"""What a call costs, and prices of a workspace's own: set, taken away, and refused in words."""

from __future__ import annotations

import pytest

from engine.core import workspace as ws
from engine.core import workspace_events as w
from engine.core.events import Actor
from engine.core.prices import Price, SetPrice, UnsetPrice, amounts
from engine.prices import Prices, cost_at

ANA = Actor(via="cli", id="ana", name="Ana")
MINI = "openai:gpt-5-mini"


def after(*commands: ws.Command) -> ws.WorkspaceState:
    state = ws.EMPTY
    for command in commands:
        verdict = ws.decide(state, command, 5)
        assert isinstance(verdict, tuple), verdict
        for event in verdict:
            read = w.decode(event.type, event.version, w.encode(event))
            state = ws.evolve(state, state.seq + 1, 5, read)
    return state


def test_a_price_is_kept_with_who_set_it_until_it_is_taken_away() -> None:
    dear = Price(2_000_000, 4_000_000, 500_000)
    state = after(SetPrice(MINI, Price(1, 2), ANA), SetPrice(MINI, dear, ANA, " agreed "))
    assert state.prices[MINI] == (MINI, dear, 5, ANA, "agreed")
    assert ws.decide(state, SetPrice(MINI, dear, ANA), 6) == ()
    assert not after(SetPrice(MINI, dear, ANA), UnsetPrice(MINI, ANA)).prices


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (UnsetPrice(MINI, ANA), f"{MINI} has no price of this workspace's own that could be taken away"),
        (SetPrice("gpt-5-mini", Price(1, 1), ANA), "gpt-5-mini names no model; write PROVIDER:MODEL, such as"),
        (SetPrice("openai:", Price(1, 1), ANA), "openai: names no model"),
        (SetPrice("", Price(1, 1), ANA), "nothing names no model"),
        (SetPrice(MINI, Price(1, 1, 2), ANA), "cannot cost more than any other one; give less for --cached"),
    ],
)
def test_what_sets_no_price_is_refused_in_words(command: ws.Command, words: str) -> None:
    verdict = ws.decide(ws.EMPTY, command, 5)
    assert isinstance(verdict, ws.Refused)
    assert words in verdict.reason


def test_the_nearest_price_counts() -> None:
    own = {MINI: Price(1, 1), "mine:*": Price(2, 2), "mine:big": Price(3, 3)}
    here = after(SetPrice(MINI, Price(0, 0), ANA), SetPrice("mine:*", Price(7, 7), ANA))
    prices = Prices(own).within(amounts(here.prices))
    assert (prices.of(MINI), prices.source(MINI)) == (Price(0, 0), "workspace")
    assert (prices.of("mine:big"), Prices(own).of("mine:big")) == (Price(7, 7), Price(3, 3))
    assert (Prices(own).of("mine:small"), Prices(own).source("mine:small")) == (Price(2, 2), "settings")
    assert prices.source("local:echo") == "local"


def test_a_call_costs_what_its_price_comes_to_rounded_up() -> None:
    assert Price(1_000_000, 10_000_000).cost(3, 1) == 13
    assert Price(1, 0).cost(1, 0) == 1
    assert Price(1_000_000, 0, 100_000).cost(100, 0, 90) == 19
    assert Price(1_000_000, 0).cost(100, 0, 90) == 100
    prices = Prices({MINI: Price(1_000_000, 0, 100_000)})
    usage = {"input_tokens": 100, "output_tokens": 0, "cached_tokens": 90}
    assert cost_at(prices.at(MINI), usage) == prices.cost(MINI, 100, 0, 90) == 19
    odd = {"input_tokens": None, "output_tokens": 100}
    assert cost_at(prices.at(MINI), odd) == prices.cost(MINI, 0, 100), "each count is known by its name"
    listed = Prices().at(MINI)
    assert listed.source.startswith("genai-prices ")
    assert cost_at(listed, usage) is None
    kept = Prices().cost(MINI, 1_000_000, 0, 1_000_000)
    assert 0 < kept < Prices().cost(MINI, 1_000_000, 0)


@pytest.mark.parametrize("model", [MINI, "anthropic:claude-sonnet-4-5", "google:gemini-2.5-pro"])
def test_a_list_that_wants_more_for_long_calls_is_told_by_ordinary_ones(model: str) -> None:
    told = Prices().of(model)
    assert told is not None
    assert told.cost(2_000, 500, 1_000) == Prices().cost(model, 2_000, 500, 1_000)
