"""The card of a run in every state: its words, its limits, and that its text says what its blocks say."""

from __future__ import annotations

import pytest

from bot.blocks.card import card, meaning, status_words
from bot.blocks.kit import TEXT_LIMIT
from bot.blocks.newer import degrade
from bot.blocks.words import date, moment
from bot.simulator.blockkit import check_message_blocks
from engine.core import commands as c
from tests.bot.reading import spoken, unsaid
from tests.bot.scenes import reported, scenes

SCENES = scenes()
ONCALL, LEADS, END = date(1_901_500), date(8_201_500), date(87_401_500)
LADDER = (
    f"If nobody decides: @oncall is asked too {ONCALL}, then #eng-leads is asked too {LEADS}, then it is denied {END}."
)
DEAD = "Tried 5 times in 40 min; the last try ended with: connection refused. All 5 attempts are used up."
FOOT = f"Started by Ana {date(1_000_000)} · run_t"


def test_a_waiting_card_says_for_whom_until_when_and_what_then() -> None:
    assert card(SCENES["asked"].state).text.splitlines() == [
        "wf · v1.4.2: … Waiting for a decision · 2 of 5 steps done",
        "publish waits for @release-managers to decide: Publish v1.4.2?",
        LADDER,
        "Then: tag, verify.",
        FOOT,
    ]


def test_a_card_shows_how_far_it_is_at_a_glance_too() -> None:
    def lead(scene: str) -> str:
        return degrade(card(SCENES[scene].state)).blocks[1]["text"]["text"].splitlines()[0]

    assert lead("asked") == "*… Waiting for a decision · 2 of 5 steps done* ▰▰▱▱▱"
    assert lead("completed") == "*✓ Completed · 5 of 5 steps done*"


def test_a_retrying_card_says_why_when_and_which_attempt() -> None:
    assert card(SCENES["retrying"].state).text.splitlines() == [
        "wf · v1.4.2: → Running · 3 of 5 steps done",
        f"tag failed (connection refused), retrying at {moment(1_031_500)}, attempt 2 of 5.",
        "Then: verify.",
        FOOT,
    ]


def test_a_running_card_says_what_the_step_has_said_last_that_it_is_doing_and_when() -> None:
    state = SCENES["reported"].state
    shown = card(state)
    said = f"At {moment(1_000_000)}: page 3 &amp; &lt;4&gt; of 9."
    assert shown.text.splitlines()[1] == f"changes is running since {moment(1_000_000)}. {said}"
    first = next(block for block in shown.blocks if block["type"] == "plan")["tasks"][0]
    assert "page 3 & <4> of 9" in str(first["details"]), "a task is no markup"
    assert meaning(state) == meaning(SCENES["running"].state), "which hurries nobody"
    run = reported()
    run.do(c.HandBack("changes", run.state.step("changes").token, "w1"))
    run.look()
    assert "page 3" not in card(run.state).text, "another attempt has not said so"


def test_a_running_card_says_how_long_at_most_and_what_comes_next() -> None:
    assert card(SCENES["running"].state).text.splitlines() == [
        "wf · v1.4.2: → Running · 0 of 5 steps done",
        f"changes is running since {moment(1_000_000)}.",
        f"If changes has not ended by {moment(1_600_000)}, it is given up.",
        "Then: notes, publish (a decision by @release-managers), tag, verify.",
        FOOT,
    ]


@pytest.mark.parametrize(
    ("scene", "head", "body"),
    [
        ("completed", "✓ Completed · 5 of 5 steps done", f"It took 1 min 3 s and ended {date(1_063_500)}."),
        (
            "denied",
            "✗ Denied · 2 of 5 steps done",
            f"publish: denied by Ben: not on a Friday. It took 1 min 1 s and ended {date(1_061_500)}.",
        ),
        (
            "cancelled_at_gate",
            "■ Cancelled · 2 of 5 steps done",
            f"Stopped by Ana: wrong version. It took 1 min 1 s and ended {date(1_061_500)}.",
        ),
    ],
)
def test_a_final_card_says_how_it_ended_and_when(scene: str, head: str, body: str) -> None:
    assert card(SCENES[scene].state).text.splitlines() == [f"wf · v1.4.2: {head}", body, FOOT]


def test_the_card_of_a_failed_run_says_what_was_tried_and_what_can_be_done() -> None:
    assert card(SCENES["exhausted"].state).text.splitlines() == [
        "wf · v1.4.2: ✗ Failed · 3 of 5 steps done",
        f"tag: connection refused. It took 40 min 1 s and ended {date(3_401_500)}.",
        f"{DEAD} To try again: `/vb redrive run_t`.",
        FOOT,
    ]


def test_a_card_elsewhere_says_why() -> None:
    shown = card(SCENES["asked"].state, "Told here since Vectorbea is not in <#C1>.")
    assert "Told here since Vectorbea is not in <#C1>." in shown.text
    assert "Told here since Vectorbea is not in <#C1>." in spoken(shown)


def test_steps_beyond_a_handful_are_counted() -> None:
    text = card(SCENES["parallel"].state).text
    assert "and 4 more steps." in text
    assert text.count("is running since") == 4


@pytest.mark.parametrize("scene", SCENES)
def test_every_card_is_within_slacks_limits_and_its_text_says_all(scene: str) -> None:
    shown = card(SCENES[scene].state)
    check_message_blocks(list(shown.blocks))
    assert 0 < len(shown.text) <= TEXT_LIMIT
    assert not unsaid(shown)
    assert status_words(SCENES[scene].state) in shown.text


@pytest.mark.parametrize("scene", SCENES)
def test_a_card_pings_nobody(scene: str) -> None:
    shown = f"{card(SCENES[scene].state)}"
    for ping in ("<@", "<!subteam", "<!channel", "<!here", "<!everyone"):
        assert ping not in shown
