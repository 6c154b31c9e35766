"""Alerts of budgets: told once in the run's thread and once in the budget's channel, and what their buttons do."""

from __future__ import annotations

from functools import partial

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.alerts import STOP, Alert, alert, switch_of
from bot.blocks.words import Asked
from bot.people.directory import Directory
from bot.sending.outbox import Outbox, Priority
from bot.sending.postings import THREADS, Posted, Target
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from bot.telling.agenda import Agenda, Place
from bot.telling.alerts import ALERT, Warn
from bot.telling.notices import Notices
from bot.telling.places import LONG_OVER_MS
from bot.telling.story import Story
from engine.core.money import USD
from engine.core.state import End, RunState, RunStatus
from engine.store import Deliveries
from tests.bot.conftest import Setup, ended
from tests.bot.front import Front, serving
from tests.bot.scenes_flow import alerted, standing
from tests.bot.telling import Bench
from tests.bot.test_story import delivery, posted, story_of
from tests.engine.conftest import ANA
from tests.engine.test_budgets import CENT, asking, asks

DAY = "workspace/day"
OPS, DEFAULT = Asked("#ops", "channel", "C8"), "C9"


def told_of(story: Story, *, place: Place | None = None, default: str = "") -> list[tuple[str, Target]]:
    """The keys of the alerts that are told, and where, if each is posted as it comes; those in C8 are refused."""
    agenda = Agenda(story, asked={"#ops": OPS})
    agenda.settle(place, default)
    if place is not None:
        story.record(place.key, Posted("C1", "1.0"))
    story.pending.clear()
    found: list[tuple[str, Target]] = []
    while (post := agenda.next_post()) is not None:
        assert isinstance(post.what, Warn)
        assert post.priority is Priority.ALERT
        found.append((post.what.key, post.target))
        failed = "is_archived" if post.target.channel == "C8" else ""
        story.record(post.what.key, Posted(post.target.channel, "2.0", failed=failed))
    return found


def alerting(channel: str = "#ops") -> tuple[Story, int, int]:
    """A story in which two budgets alert, of which the first names a channel; and the seqs of both."""
    story = story_of(alerted())
    story.alerts.channels = {DAY: channel, "run:run_t": ""}
    first, second = (one.seq for one in story.alerts.known)
    return story, first, second


def test_each_alert_has_a_message_of_its_own_in_the_thread_and_in_the_channel_that_its_budget_names() -> None:
    story, first, second = alerting()
    assert not [line for line in story.pending if line.seq in (first, second)], "and no line beside it"
    thread = Target("C1", "1.0")
    assert told_of(story, place=Place("card", "C1"))[:2] == [
        (f"alert:{first}", thread),
        (f"alert:{first}:channel", Target("C8")),
    ]


def test_where_the_channel_cannot_be_told_the_default_channel_is_and_so_is_a_run_without_a_thread() -> None:
    story, first, second = alerting()
    told = told_of(story, place=Place("card", "C1"), default=DEFAULT)
    assert told[2:] == [(f"alert:{first}:default", Target(DEFAULT)), (f"alert:{second}", Target("C1", "1.0"))]
    story, first, second = alerting("")
    assert told_of(story, default=DEFAULT) == [(f"alert:{seq}:default", Target(DEFAULT)) for seq in (first, second)]
    assert told_of(alerting("")[0]) == []


def test_whoever_takes_over_tells_only_what_is_missing_and_nothing_from_before_the_cursor() -> None:
    story, first, second = alerting()
    story.resume(first - 1, [posted(f"alert:{first}"), delivery(f"alert:{first}:channel")])
    assert [key for key, _ in told_of(story, place=Place("card", "C1"))] == [
        f"alert:{first}:channel",
        f"alert:{second}",
    ]
    story, first, second = alerting()
    story.resume(second, [])
    assert told_of(story, place=Place("card", "C1")) == []


def test_nothing_is_told_before_it_is_known_where_nor_long_afterwards() -> None:
    story, _, second = alerting()
    del story.alerts.channels[DAY]
    assert [key for key, _ in told_of(story, place=Place("card", "C1"))] == [f"alert:{second}"]
    story.alerts.forget(story.alerts.known[0].at + 1)
    assert story.alerts.known == []


@pytest.mark.parametrize(
    ("spent", "account", "says"),
    [
        (500_000, "workspace/day/1970-01-01", "That is $0.50 an hour so far; at this rate it is used up <!date^7200^"),
        (20_000, "workspace/day/1970-01-01", "That is $0.02 an hour so far; at this rate it lasts the day."),
        (20_000, "workspace/month/1970-01", "That is $0.02 an hour so far; at this rate it is used up <!date^180000^"),
        (500_000, "run:run_t", "That is $0.50 an hour so far; at this rate it is used up <!date^7200^"),
        (500_000, "run:run_other", "$1.00 are spent, $0.10 more are set aside for steps under way."),
        (
            1_000_000,
            "workspace/day/1970-01-01",
            "What comes next is held until somebody raises it or it is counted anew, <!date^86400^",
        ),
        (1_000_000, "run:run_t", "What comes next is held until somebody raises it."),
    ],
)
def test_an_alert_says_how_fast_it_went_and_when_that_uses_the_budget_up(spent: int, account: str, says: str) -> None:
    """An hour after the epoch, and of the run."""
    told = alert(
        alerted().state._replace(started_at=0),
        Alert(9, 3_600_000, "ask", standing(spent, 100_000, 50, account=account)),
    )
    assert says in told.text
    assert "has passed 50 %" in told.text


@pytest.mark.parametrize(
    ("budget", "key"),
    [
        ("workspace/day", "workspace"),
        ("workflow:deploy/month", "workflow:deploy"),
        ("run:run_2", "run:run_2"),
        ("person:slack:U1/day", "run:run_t"),
    ],
)
def test_what_spends_from_a_budget_is_stopped_by_its_kill_switch(budget: str, key: str) -> None:
    assert switch_of(budget, "run_t") == key


def test_once_its_run_has_ended_nobody_is_asked_to_stop_it() -> None:
    going_on = alerted().state
    completed = going_on._replace(end=End(RunStatus.COMPLETED, 3_600_000))

    def may_stop(state: RunState, account: str) -> bool:
        told = Alert(9, 3_600_000, "ask", standing(500_000, 0, 50, account=account))
        return STOP in str(alert(state, told).blocks)

    own, all_runs = "run:run_t", "workspace/day/1970-01-01"
    assert [may_stop(going_on, own), may_stop(completed, own), may_stop(completed, all_runs)] == [True, False, True]


# Through the front door


def alerts_in(front: Front, channel: str) -> list[Message]:
    return [one for one in front.simulator.channel_messages(channel) if "has passed" in one.text and not one.ephemeral]


def answered(front: Front, channel: str, index: int, words: str) -> bool:
    """Whether that alert says so there, and has no buttons any more."""
    told = alerts_in(front, channel)[index:]
    return bool(told) and words in told[0].text and "budget_raise" not in str(told[0].blocks)


async def spent_half(front: Front) -> str:
    """A run that has spent half of the day's budget, once both the thread and #ops are told so."""
    await front.engine.budgets.set(DAY, USD, by=ANA, channel="#ops")
    assert await front.type("ben", "run wf worst=50 cost=50") == ""
    (run,) = await front.runs()
    await front.simulator.wait_for(lambda: alerts_in(front, "#ops") and alerts_in(front, "#releases"))
    return run


async def test_an_alert_is_told_in_both_places_and_its_buttons_raise_the_budget_and_stop_what_spends_it(
    setup: Setup, simulator: Simulator
) -> None:
    setup.world.more = (asking([]),)
    async with serving(setup, simulator, [asks()]) as front:
        run = await spent_half(front)
        await front.ended(run)
        (there,), (here,) = alerts_in(front, "#ops"), alerts_in(front, "#releases")
        assert here.thread_ts is not None
        assert there.thread_ts is None
        for one in (there, here):
            assert "the workspace's budget for the day has passed 50 %: $0.50 of $1.00 are spent" in one.text
            assert "an hour so far" in one.text
        assert "open it>" in there.text

        leads = "#ops"
        for who, action in (("ben", "budget_raise"), ("ben", "budget_stop")):
            await simulator.click(who, leads, there.ts, action)
        assert "takes the role operator" in await front.told("ben", 1, leads)
        assert "takes the role operator" in await front.told("ben", 2, leads)
        assert simulator.views("ben") == []

        await simulator.click("dana", leads, there.ts, "budget_raise")
        form = await front.form("dana")
        assert "$0.50 of $1.00 spent (50 %)" in str(form.blocks)
        for wrong, says in (("0.80 USD", "no more than it is now"), ("10", "no amount of money")):
            sent = await simulator.submit_view("dana", form.id, {"input_limit": {"value": wrong}})
            assert says in str(sent.errors)
        await simulator.submit_view("dana", form.id, {"input_limit": {"value": "$3"}, "reason": {"value": "worth it"}})
        assert "may spend $3.00 from now on" in await front.told("dana", 1, leads)
        (info,) = await front.engine.budgets.of([DAY])
        assert info.limit == 3 * USD
        assert info.budget is not None
        assert (info.budget.by.name, info.budget.reason, info.budget.channel) == ("Dana Levy", "worth it", "#ops")

        for channel in (leads, "#releases"):
            await simulator.wait_for(lambda channel=channel: answered(front, channel, 0, "Raised to $3.00 by"))
            assert "worth it" in alerts_in(front, channel)[0].text

        assert await front.type("ben", "run wf worst=100 cost=100") == ""
        await simulator.wait_for(lambda: len(alerts_in(front, leads)) == 2)
        await simulator.click("dana", leads, alerts_in(front, leads)[1].ts, "budget_stop")
        form = await front.form("dana")
        assert "This stops all runs of this workspace" in str(form.blocks)
        assert "the workspace's budget for the day has passed 50 %" in str(form.blocks), "the reason is proposed"
        await simulator.submit_view("dana", form.id, {"reason": {"value": "too dear"}})
        for channel in (leads, "#releases"):
            await simulator.wait_for(lambda channel=channel: answered(front, channel, 1, "Stopped all runs of this"))
        await simulator.wait_for(lambda: [one for one in simulator.channel_messages(leads) if "too dear" in one.text])
        assert [(one.key, one.reason) for one in await front.engine.switches.thrown()] == [("workspace", "too dear")]
        assert len(alerts_in(front, leads)) == len(alerts_in(front, "#releases")) == 2


async def test_a_budget_is_set_with_the_channel_of_its_alerts_if_there_is_such_a_channel(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator) as front:
        told = await front.type("dana", "budget set workspace $1 per day channel=#ops a big day")
        assert "workspace per day may spend $1.00 from now on" in told
        assert "its alerts are told in #ops as well" in told
        refused = await front.type("dana", "budget set workspace $2 per day channel=#nowhere")
        assert "I see no channel #nowhere" in refused
        (info,) = await front.engine.budgets.of([DAY])
        assert info.budget is not None
        assert (info.limit, info.budget.channel, info.budget.reason) == (USD, "#ops", "a big day")


async def test_two_bots_that_tell_at_the_same_time_tell_each_alert_once(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    setup.world.more = (asking([]),)
    async with setup.working(asks()) as engine:
        bench = Bench(engine, client, directory, simulator)
        await engine.budgets.set(DAY, 60 * CENT, by=ANA, alert_at=(50, 80), channel="#ops")
        async with bench.telling(), bench.telling():
            for cost in (40, 15):
                run = await bench.start("wf", worst=cost, cost=cost)
                await bench.shows("has passed", channel="ops")
                await bench.told(run)
        told = [text.partition(":")[0].rpartition("has passed ")[2] for text in bench.texts("ops")]
        assert told == ["50 %", "80 %"]
        assert sum("has passed" in text for text in bench.texts()) == 2


async def test_an_alert_of_a_run_that_has_ended_shows_what_is_done_about_it_whichever_process_finds_that(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    setup.world.more = (asking([]),)
    async with setup.working(asks()) as engine:
        bench = Bench(engine, client, directory, simulator)
        await engine.budgets.set(DAY, USD, by=ANA, channel="#ops")
        async with bench.telling():
            run = await bench.start("wf", worst=50, cost=50)
            await bench.shows("has passed", channel="ops")
            await bench.told(run)
        await ended(engine, run)

    async with setup.engine(asks()) as elsewhere:
        await elsewhere.budgets.set(DAY, 3 * USD, by=ANA, channel="#ops", reason="worth it")
        later = Bench(elsewhere, client, directory, simulator)
        answered = later.threads(owner="wrk_later").show_answers
        await Notices(elsewhere, Outbox(client), directory, owner="wrk_later", answered=answered).tell()
        for channel in ("releases", "ops"):
            (told,) = [text for text in later.texts(channel) if "has passed" in text]
            assert "Raised to $3.00 by" in told

        looked_at = partial(Deliveries(elsewhere.store).open_with, THREADS, elsewhere.settings.workspace, ALERT)
        assert await looked_at() == [run]
        setup.clock.advance(LONG_OVER_MS + 1)
        await answered()
        assert await looked_at() == [], "a day later it is no more"


async def test_an_alert_of_a_run_is_told_in_the_channel_that_its_definition_names(
    setup: Setup, simulator: Simulator
) -> None:
    setup.world.more = (asking([]),)
    budget = {"limit": "1.00 USD", "alert_at": ["50%"], "channel": "#ops"}
    async with serving(setup, simulator, [asks(budget=budget)]) as front:
        assert await front.type("ben", "run wf worst=50 cost=50") == ""
        await simulator.wait_for(lambda: alerts_in(front, "#ops") and alerts_in(front, "#releases"))
        assert "the run's budget has passed 50 %: $0.50 of $1.00 are spent" in alerts_in(front, "#ops")[0].text
