"""What a run's thread and card say of loops, pauses, signals, child runs, compensation, and people who step in."""

from __future__ import annotations

import pytest

from bot.blocks import timeline
from bot.blocks.card import card
from bot.blocks.kit import TEXT_LIMIT
from bot.blocks.words import date, moment
from bot.simulator.blockkit import check_message_blocks
from engine.core.fold import begin
from tests.bot.reading import unsaid
from tests.bot.scenes_flow import flow_scenes
from tests.core.driver import Run

SCENES = flow_scenes()
STARTED = "→ Ana started wf"
NO_MORE = "Its only try ended with: connection refused. A failure of this class (permanent) is not tried again."
DEAD = f"✗ tag failed for good. {NO_MORE} To try it again: `/vb redrive run_t`"
ENDED = "✗ Failed at tag, the run ended after under 1 s"
QUESTION = (
    "? Did charge happen (pay begun, and not confirmed)? Its attempt was lost, and it must not happen twice, so the "
    "run waits for a person to say"
)
MISSING = (
    "changes waits for noop, which no worker has had for 5 min. Start a worker that has it, and it goes on by itself"
)
ANSWERS = "The question in the thread has the answers."
PAUSED = "‖ Ben paused the run: the network is down; nothing new starts until somebody resumes it: `/vb resume run_t`"
UNDONE = "What it had done was undone, except for book."
WAITS = f"… pay waits for the signal paid (42); if none comes, it fails {date(4_600_000)}"


def told(run: Run, size: int | None = None) -> list[str]:
    """The lines, all at once or so many events at a time."""
    first = run.log[0]
    state = begin(run.state.run, run.plan, run.state.started, first.at)
    lines, rest = [timeline.first_line(state)], run.log[1:]
    while rest:
        taken = len(rest) if size is None else size
        while size is not None and taken < len(rest) and rest[taken].event.type in TOLD_TOGETHER:
            taken += 1
        some, state = timeline.lines(state, rest[:taken], {run.state.definition: run.state.plan})
        lines, rest = lines + some, rest[taken:]
    assert state == run.state
    return [line.text for line in lines]


TOLD_TOGETHER = {
    "STEP_RETRIED",
    "STEP_DEAD_LETTERED",
    "STEP_UNCERTAIN",
    "STEP_SKIPPED",
    "STEP_OUTPUT_SET",
    "SIGNAL_MATCHED",
}


@pytest.mark.parametrize(
    ("scene", "lines"),
    [
        (
            "crowd",
            [
                STARTED,
                "→ each: 40 items, 10 at a time",
                "→ each: 10 of 40 done",
                "✗ each[15] failed (permanent: connection refused)",
                "✗ each[16] failed (permanent: connection refused)",
                "✗ each[17] failed (permanent: connection refused)",
            ],
        ),
        ("parts", [STARTED, "→ each: 120 items, 100 at a time, in 3 runs of their own", "→ each: 50 of 120 done"]),
        ("third_pass", [STARTED, "↻ poll: pass 2 of at most 60", "↻ poll: pass 3 of at most 60"]),
        ("resting", [STARTED]),
        ("slept", [STARTED, f"… nap sleeps until {date(4_600_000)}", "✓ nap: the pause is over"]),
        ("signalled", [STARTED, WAITS, "✓ pay got the signal paid"]),
        (
            "signalled_early",
            [
                STARTED,
                "· The signal paid came from Ben; it is kept until a step waits for it",
                "✓ before done in under 1 s",
                "… pay waits for the signal paid",
                "✓ pay got the signal paid",
                "✓ Completed in under 1 s",
            ],
        ),
        (
            "unsignalled",
            [
                STARTED,
                WAITS.replace("it fails", "the run goes on without it"),
                "– pay: no signal came in time; the run goes on without one",
            ],
        ),
        (
            "called",
            [
                STARTED,
                "→ send is done by ship `run_000000ygj0`",
                "✓ send done in 5 s: ship `run_000000ygj0` completed",
                "✓ Completed in 5 s",
            ],
        ),
        (
            "happened",
            [STARTED, QUESTION, "✓ Ana says that charge happened: I looked; the run goes on with that"],
        ),
        (
            "did_not_happen",
            [STARTED, QUESTION, "↻ Ana says that charge did not happen: I looked; it is run again"],
        ),
        (
            "let_fail",
            [STARTED, QUESTION, "✗ Ana let charge fail: I looked", "✗ Failed at charge, the run ended after 1 h"],
        ),
        ("missing", [STARTED, "… changes waits for a worker that has noop", f"! {MISSING}"]),
        ("timed_out", [STARTED, "✗ The time that the run may take (1 h) is over; nothing more starts"]),
        (
            "admitted",
            [f"{STARTED}; at most 1 run of prod at a time", "→ After 2 min in line for prod it is the run's turn"],
        ),
        (
            "labelled",
            [STARTED, PAUSED, "· Ben labelled the run: team=web", "· Ben labelled the run: prio=1, without team"],
        ),
        ("resumed", [STARTED, PAUSED, "→ Ben resumed the run"]),
    ],
)
def test_a_run_is_told_in_plain_words(scene: str, lines: list[str]) -> None:
    assert told(SCENES[scene]) == lines


@pytest.mark.parametrize(
    ("scene", "lines"),
    [
        (
            "redriven",
            [
                "→ Ben opened the run again: it is back; it goes on",
                "↻ Ben lets tag be tried again: it is back, with all its attempts",
            ],
        ),
        (
            "skipped_by_hand",
            [
                "→ Ben opened the run again: done by hand; it goes on",
                "– tag skipped by Ben: done by hand",
                "✓ Completed in under 1 s",
            ],
        ),
        (
            "set_by_hand",
            [
                "→ Ben opened the run again; it goes on",
                "✓ Ben gave the output of tag; it counts as done",
                "✓ Completed in under 1 s",
            ],
        ),
        (
            "retried_from",
            ["→ Ben opened the run again; it goes on", "↻ Ben lets these run anew: build, tag"],
        ),
    ],
)
def test_what_people_do_about_a_dead_letter_is_told_with_their_names(scene: str, lines: list[str]) -> None:
    assert told(SCENES[scene]) == [STARTED, "✓ build done in under 1 s", DEAD, ENDED, *lines]


def test_a_run_that_was_moved_says_to_what_and_why() -> None:
    to = SCENES["moved"].state.definition[:12]
    assert told(SCENES["moved"])[-1] == (
        f"→ Ben moved the run to another version of wf ({to}, build is now compile): it was renamed"
    )


def test_a_run_that_uses_other_code_says_which_in_place_of_what() -> None:
    assert told(SCENES["recoded"])[-1] == "→ Ben let the run use other code (noop2 in place of noop): it is the same"


def test_a_loop_of_many_is_told_at_each_quarter_and_its_first_failures_by_name() -> None:
    assert told(SCENES["crowd_done"])[6:] == [
        "→ each: 20 of 40 done, 4 failed",
        "→ each: 30 of 40 done, 4 failed",
        "✓ each done in 1 min 1 s: 40 items, 4 failed",
    ]


def test_a_loop_of_few_has_a_line_for_each_item() -> None:
    assert told(SCENES["few"]) == [
        STARTED,
        "→ each: 3 items",
        "✓ each[0] done in under 1 s",
        f"✗ each[1] failed for good. {NO_MORE} To try it again: `/vb redrive run_t`",
        "✓ each[2] done in under 1 s",
        "✗ each failed: 3 of 3 done, 1 failed",
        "✗ Failed at each, the run ended after under 1 s",
    ]


def test_compensation_is_told_step_by_step() -> None:
    assert told(SCENES["undone"])[3:] == [
        f"✗ ship failed for good. {NO_MORE}",
        "↶ What was done is undone, one after the other: pay, book",
        "↶ pay is undone in 2 s",
        f"✗ book could not be undone. {NO_MORE}",
        "✗ Failed at ship, the run ended after 2 s",
    ]


STOPPED = "Ben stopped all runs of wf: the shop is slow; `/vb lift workflow:wf`"


@pytest.mark.parametrize(
    ("scene", "told"),
    [
        ("crowd", ["→ Running · 0 of 2 steps done", "each: 19 of 40 done, 1 retrying, 4 failed.", "Then: after."]),
        (
            "crowd_held",
            [
                "■ Held · 0 of 2 steps done",
                f"each[0] is held since {date(1_000_000)}: {STOPPED} lets it go on.",
                "each: 0 of 40 done, 10 held.",
                "Then: after.",
            ],
        ),
        ("parts", ["→ Running · 0 of 2 steps done", "each: 50 of 120 done.", "Then: after."]),
        (
            "resting",
            [
                "→ Running · 0 of 1 step done",
                f"poll: pass 1 of at most 60; the next one begins at {moment(1_300_000)}.",
                "Then: the run is done.",
            ],
        ),
        ("sleeping", ["… Sleeping · 0 of 2 steps done", f"nap sleeps until {date(4_600_000)}.", "Then: after."]),
        ("listening", ["… Waiting for a signal · 0 of 2 steps done", f"{WAITS[2:]}.", "Then: after."]),
        (
            "calling",
            [
                "→ Running · 0 of 1 step done",
                f"send is done by ship `run_000000ygj0` since {moment(1_000_000)}.",
                "Then: the run is done.",
            ],
        ),
        (
            "uncertain",
            [
                "? Waiting for an answer · 0 of 2 steps done",
                f"{QUESTION}. The question in the thread has the answers.",
                "Then: after.",
            ],
        ),
        ("missing", ["… Waiting for code · 0 of 2 steps done", f"{MISSING}. {ANSWERS}", "Then: after."]),
        ("missing_again", ["… Waiting for code · 0 of 2 steps done", f"{MISSING}. {ANSWERS}", "Then: after."]),
        (
            "dead",
            [
                "✗ Failed · 1 of 2 steps done",
                f"tag: connection refused. It took under 1 s and ended {date(1_000_000)}.",
                f"{NO_MORE} To try again: `/vb redrive run_t`.",
            ],
        ),
        (
            "undoing",
            [
                "↶ Undoing · 2 of 3 steps done",
                f"ship failed. {NO_MORE}",
                "Still to be undone: pay, book.",
                f"The undoing of pay is running since {moment(1_000_000)}.",
                f"If the undoing of pay has not ended by {moment(1_600_000)}, it is tried again.",
            ],
        ),
        (
            "undone",
            [
                "✗ Failed · 2 of 3 steps done",
                f"ship: connection refused. It took 2 s and ended {date(1_002_000)}. {UNDONE}",
            ],
        ),
        (
            "paused",
            [
                "‖ Paused · 0 of 2 steps done",
                "Ben paused it: the network is down. Nothing new starts until somebody resumes it: `/vb resume run_t`.",
                "build starts once the run is resumed.",
                "Then: tag.",
            ],
        ),
        (
            "timed_out",
            [
                "✗ Timing out · 0 of 1 step done",
                "It took longer than it may (1 h).",
                f"build is running since {moment(1_000_000)}.",
                "Next: the run ends once build has stopped.",
            ],
        ),
        (
            "queued",
            [
                "… In line · 0 of 1 step done",
                f"It is in line for prod (at most 1 run at a time) since {date(1_000_000)}.",
                "build starts once it is the run's turn.",
                "Then: the run is done.",
            ],
        ),
    ],
)
def test_a_card_says_what_happens_what_is_waited_for_and_who_must_act(scene: str, told: list[str]) -> None:
    head, *between, _ = card(SCENES[scene].state).text.splitlines()
    assert [head.removeprefix("wf: "), *between] == told


@pytest.mark.parametrize("scene", SCENES)
def test_telling_in_parts_says_the_same_as_telling_at_once(scene: str) -> None:
    assert told(SCENES[scene], size=1) == told(SCENES[scene])


@pytest.mark.parametrize("scene", SCENES)
def test_every_line_and_card_is_within_the_limits_and_a_cards_text_says_all(scene: str) -> None:
    assert all(len(line) <= timeline.LINE_LIMIT and "\n" not in line for line in told(SCENES[scene]))
    shown = card(SCENES[scene].state)
    assert len(shown.text) <= TEXT_LIMIT
    check_message_blocks(list(shown.blocks))
    assert not unsaid(shown)
