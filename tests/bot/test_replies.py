"""Answers that one person sees: what they say, that their texts are whole, and that data cannot ping."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bot.blocks import decided, gate_replies, guide, operated, replies, rights, switches
from bot.blocks.kit import Message
from bot.blocks.vocabulary import WORDS
from bot.simulator.blockkit import check_message_blocks
from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.delegations import Delegation
from engine.core.events import Actor
from engine.core.gates import Gate
from engine.core.kinds import Schedule
from engine.core.roles import FOUNDING, Grant, Role
from engine.core.state import GateDecision, RunStatus, Verdict
from engine.core.switches import Switch
from engine.core.workspace import Paused
from engine.core.workspace_events import DelegationStarted, SchedulePaused
from engine.schedules import ScheduleInfo
from tests.bot.conftest import workflow
from tests.bot.reading import unsaid
from tests.bot.scenes import asked, completed, hostile

NOW = 1_800_000_000_000
ANA = Actor(via="slack", id="U1", name="Ana <!here>")


@dataclass(frozen=True)
class Line:
    id: str = "run_01kandmoreofit0000000000"
    workflow: str = "release"
    status: str = "waiting"
    summary: str = "waiting for a decision on <!channel>"
    started_by: str = "Ben <@U1>"
    created_at: int = NOW


def taking(**fields: object) -> Workflow:
    return workflow({"id": "one", "uses": "t.echo"}, name="wf", description="Does <!channel> things", input=fields)


MANY = [workflow({"id": "a", "uses": "t.echo"}, name=f"wf{n}", description="d" * 900) for n in range(40)]

GRANTS = [
    Grant(Role.OPERATOR, "@S1", "@<!channel>", "wf", NOW, ANA, "<!here> said so"),
    Grant(Role.ADMIN, "@dana", "@dana"),
    *FOUNDING,
]
EVERY_DAY = Schedule(cron="0 9 * * *", timezone="Europe/Madrid")
PAUSED = ScheduleInfo(
    "wf", 1, EVERY_DAY, None, None, None, Paused(NOW, SchedulePaused(workflow="wf", schedule=1, by=ANA))
)
SCHEDULED = ScheduleInfo("wf", 0, EVERY_DAY, NOW, "run_01", NOW, None)


THROWN = Switch("workflow:<!channel>", ANA, "<!here> & co", NOW, 1)
DELEGATION = Delegation(7, NOW, DelegationStarted(by=ANA, to=ANA, until=NOW, reason="<!channel> & co"))


def open_gate() -> Gate:
    gate = asked().state.step("publish").gate
    assert gate is not None
    return gate


def told(message: Message | None) -> Message:
    assert message is not None
    return message


ALL: dict[str, Message] = {
    "usage": guide.usage("/vb"),
    "unknown": guide.unknown_word("/vb", "<!channel>`x`", ["release"]),
    "list": replies.workflows("/vb", [taking(), taking(a={}, b={"choices": ["x y"], "type": "choice"})]),
    "long list": replies.workflows("/vb", MANY),
    "runs": replies.runs("/vb", [Line()] * 12),
    "none": replies.runs("/vb", [], "<!here>"),
    **{f"help {name}": guide.about("/vb", word) for name, word in WORDS.items()},
    "incomplete": guide.incomplete("/vb", WORDS["roles"], "There is no role x"),
    "ended": told(operated.refused(completed().state, c.Ended(RunStatus.COMPLETED))),
    "refused": told(operated.refused(hostile().state, c.NotAllowed("<!channel> is no step"))),
    "paused": operated.paused("/vb", hostile().state),
    "resumed": operated.resumed("/vb", hostile().state),
    "stopping": operated.stopping("/vb", hostile().state),
    "retried": operated.retried("<!channel>", hostile().state),
    "redriven": operated.redriven(hostile().state),
    "forked": operated.forked("<!channel>", hostile().state, hostile().state),
    "so already": operated.so_already(hostile().state),
    "denied": decided.denied(hostile().state, "publish"),
    "nothing open": decided.nothing_open(hostile().state),
    "delegated": decided.delegated("publish", open_gate(), ANA),
    "handed over": decided.handed_over(DELEGATION),
    "taken back": decided.taken_back(ended=True),
    "delegations": decided.delegations("/vb", ANA, [DELEGATION] * 12),
    "no delegations": decided.delegations("/vb", ANA, []),
    "roles": rights.roles("/vb", GRANTS, GRANTS[:1]),
    "many roles": rights.roles("/vb", [GRANTS[0]] * 100, []),
    "granted": rights.granted(GRANTS[0], new=True),
    "granted before": rights.granted(GRANTS[1], new=False),
    "revoked": rights.revoked(GRANTS[0], there=True),
    "not revoked": rights.revoked(GRANTS[0], there=False),
    "stopped": switches.listed("/vb", [THROWN] * 30),
    "nothing stopped": switches.listed("/vb", []),
    "lifted": replies.said(switches.lifted([THROWN])),
    "schedules": rights.schedules("/vb", [SCHEDULED, PAUSED]),
    "no schedules": rights.schedules("/vb", []),
    "groups": replies.unknown_groups("wf", ["@<!channel>", "#b"]),
    "decided": gate_replies.decided_before(GateDecision(Verdict.DENIED, NOW, ANA), "U2", NOW),
}


@pytest.mark.parametrize("name", ALL)
def test_answers_fit_say_all_in_their_text_and_never_ping(name: str) -> None:
    message = ALL[name]
    assert 0 < len(message.text) <= 4_000
    if message.blocks:
        check_message_blocks([dict(block) for block in message.blocks])
    assert unsaid(message) == []
    for said in (message.text, str(message.blocks)):
        assert not any(ping in said for ping in ("<!channel", "<!here", "<@U"))


def test_a_long_list_says_how_many_are_left_out() -> None:
    *named, last = ALL["long list"].blocks
    assert last["text"]["text"] == f"and {len(MANY) - len(named)} more."


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("cancle", "did you mean `/vb cancel`?"),
        ("stat", "did you mean `/vb status`?"),
        ("releas", "did you mean `/vb run release`?"),
        ("xyzzy", "There is: `run`, `list`, `runs`, `status`, `pause`"),
    ],
)
def test_unknown_words_get_the_nearest(word: str, said: str) -> None:
    assert said in guide.unknown_word("/vb", word, ["release"]).text


def test_examples_have_every_required_input_and_optional_ones_are_named() -> None:
    known = taking(
        v={"pattern": r"^v\d+$"},
        n={"type": "integer"},
        f={"type": "boolean"},
        c={"type": "choice", "choices": ["two words", "x"]},
        s={},
        name={"default": "*.tmp"},
        odd={"pattern": "^(a|b)$", "required": False},
    )
    assert replies.example("/vb", known) == '/vb run wf v=v1 n=3 f=true c="two words" s=example'
    assert replies.workflows("/vb", [known]).text.splitlines()[1:] == [
        '`/vb run wf v=v1 n=3 f=true c="two words" s=example`',
        "Optional: `name=*.tmp odd=…`",
    ]


@pytest.mark.parametrize(
    ("decision", "ago", "said"),
    [
        (GateDecision(Verdict.GRANTED, NOW, ANA), 180_000, "Already approved by Ana &lt;!here&gt; 3 min ago."),
        (GateDecision(Verdict.DENIED, NOW, ANA, reason="no"), 999, "Already denied by Ana &lt;!here&gt; just now."),
        (GateDecision(Verdict.EXPIRED, NOW, policy="deny"), 5_000, "Already expired 5 s ago: nobody decided in time."),
        (GateDecision(Verdict.GRANTED, NOW, Actor(via="slack", id="U2", name="B")), 0, "Already approved by you just"),
        (GateDecision(Verdict.GRANTED, NOW, Actor(via="cli", id="U2", name="b")), 0, "by b (command line) just now"),
    ],
)
def test_a_decision_made_before_is_told_with_who_and_when(decision: GateDecision, ago: int, said: str) -> None:
    assert said in gate_replies.decided_before(decision, "U2", NOW + ago).text


@pytest.mark.parametrize(
    ("status", "summary", "said"),
    [
        ("waiting", "waiting for a decision on publish", "*release* … waiting for a decision on publish ·"),
        ("running", "running tag", "*release* → running tag ·"),
        ("running", "will retry tag (attempt 2)", "*release* → running: will retry tag (attempt 2) ·"),
        ("completed", "done", "*release* ✓ completed ·"),
        ("failed", "tag: connection refused", "*release* ✗ failed: tag: connection refused ·"),
        ("cancelled", "cancelled: wrong one", "*release* ■ cancelled: wrong one ·"),
    ],
)
def test_a_run_in_a_list_has_a_sign_and_a_word(status: str, summary: str, said: str) -> None:
    assert said in replies.runs("/vb", [Line(status=status, summary=summary)]).text


def test_a_question_that_is_closed_says_why() -> None:
    assert "the run is cancelling" in gate_replies.not_open(RunStatus.CANCELLING).text
    assert "has gone on since" in gate_replies.not_open().text


def test_what_was_wrong_comes_with_an_example() -> None:
    assert replies.mistake("No.", "/vb run x").text == "No.\nFor example: `/vb run x`"
    assert "`/vb status run_01kandmore`" in guide.needs_a_run("/vb", "status", [Line()]).text
    assert "For example" not in guide.needs_a_run("/vb", "status", []).text
