"""What a run's thread says, line by line."""

from __future__ import annotations

import pytest

from bot.blocks import timeline
from bot.blocks.timeline import Line
from engine.core.fold import begin
from engine.core.state import RunState
from tests.bot.scenes import scenes
from tests.core.driver import Run, workflow

SCENES = scenes()
DENIED_AT = "<!date^87401^{date_short_pretty} at {time}|1970-01-02 00:16 UTC>"
TOLD = [
    "→ Ana started wf: version v1.4.2",
    "✓ changes done in 1 s",
    "✓ notes done in under 1 s",
    f"… publish waits for @release-managers; if nobody decides, it is denied {DENIED_AT}",
]
TOLD_TOGETHER = {"STEP_RETRIED", "STEP_DEAD_LETTERED", "STEP_UNCERTAIN", "STEP_OUTPUT_SET", "SIGNAL_MATCHED"}
"""With the event before them, in one append."""

DEAD = "Tried 5 times in 40 min; the last try ended with: connection refused. All 5 attempts are used up."


def first(run: Run) -> RunState:
    started = run.log[0]
    return begin(run.state.run, run.plan, run.state.started, started.at)


def told(run: Run) -> list[str]:
    state = first(run)
    lines, after = timeline.lines(state, run.log[1:])
    assert after == run.state
    return [timeline.first_line(state).text, *(line.text for line in lines)]


def test_inputs_without_a_value_are_not_told() -> None:
    run = Run(workflow({"id": "one", "uses": "noop"}), url="x.example", expect=None, dry=False)
    assert told(run) == ["→ Ana started wf: url x.example, dry false"]


def test_inputs_that_equal_their_default_are_not_told() -> None:
    inputs = {"where": {"default": "."}, "dry": {"type": "boolean", "default": False}, "days": {"type": "integer"}}
    run = Run(workflow({"id": "one", "uses": "noop"}, input=inputs), where=".", dry=True, days=0)
    assert told(run) == ["→ Ana started wf: dry true, days 0"]


@pytest.mark.parametrize(
    ("scene", "lines"),
    [
        ("asked", TOLD),
        ("escalated", [*TOLD, "↑ publish has waited 16 min for a decision: @oncall is asked too"]),
        (
            "completed",
            [
                *TOLD,
                "✓ publish approved by Ben",
                "↻ tag failed (connection refused), retrying in 30 s, attempt 2 of 5",
                "✓ tag done in 2 s, at attempt 2 of 5",
                "✓ verify done in under 1 s",
                "✓ Completed in 1 min 3 s",
            ],
        ),
        (
            "denied",
            [
                *TOLD,
                "✗ publish denied by Ben (in @release-managers): not on a Friday",
                "✗ Denied at publish, the run ended after 1 min 1 s",
            ],
        ),
        (
            "expired_deny",
            [
                *TOLD,
                "✗ publish expired: nobody decided in time, so it was denied",
                "✗ Expired at publish, the run ended after 1 d 1 h",
            ],
        ),
        (
            "expired_approve",
            [
                *TOLD[:3],
                TOLD[3].replace("it is denied", "it is approved"),
                "✓ publish expired: nobody decided in time, so it was approved",
            ],
        ),
        (
            "cancelled_at_gate",
            [*TOLD, "■ Ana asked to stop the run: wrong version", "■ Cancelled by Ana after 1 min 1 s"],
        ),
        ("lost", [TOLD[0], "↻ changes failed (its worker stopped answering), retrying now, attempt 1 of 1"]),
        ("awaited", [TOLD[0], "… changes waits for a worker that has noop"]),
        (
            "skipped",
            [
                "→ Ana started wf: go false",
                "✓ a done in under 1 s",
                "– b skipped: its condition was not met: input.go",
                "✓ Completed in under 1 s",
            ],
        ),
        ("postponed", [TOLD[0], "… changes is waiting 12 s for openai's &lt;limit&gt;"]),
        ("reported", [TOLD[0]]),
        (
            "logged",
            [
                TOLD[0],
                "· changes: half of it &amp; more",
                "↻ changes was handed back by a worker that is stopping; another one starts it again",
            ],
        ),
    ],
)
def test_a_run_is_told_in_plain_words(scene: str, lines: list[str]) -> None:
    assert told(SCENES[scene]) == lines


def test_attempts_that_ran_out_are_told_as_such() -> None:
    assert told(SCENES["exhausted"])[-2:] == [
        f"✗ tag failed for good. {DEAD} To try it again: `/vb redrive run_t`",
        "✗ Failed at tag, the run ended after 40 min 1 s",
    ]


def test_a_late_result_is_told_as_refused() -> None:
    assert told(SCENES["late"])[-1] == "· changes: a late result of a lost attempt was refused; it changed nothing"


@pytest.mark.parametrize("scene", SCENES)
def test_telling_in_parts_says_the_same_as_telling_at_once(scene: str) -> None:
    run = SCENES[scene]
    state, parts = first(run), [timeline.first_line(first(run)).text]
    rest = run.log[1:]
    while rest:
        size = 2 if len(rest) > 1 and rest[1].event.type in TOLD_TOGETHER else 1
        some, state = timeline.lines(state, rest[:size])
        parts += [line.text for line in some]
        rest = rest[size:]
    assert parts == told(run)


@pytest.mark.parametrize("scene", SCENES)
def test_no_line_is_long_or_holds_markup_from_data(scene: str) -> None:
    for line in told(SCENES[scene]):
        assert len(line) <= timeline.LINE_LIMIT
        assert "\n" not in line
        assert "<!channel>" not in line
        assert "<@" not in line


def test_lines_that_wait_share_messages_of_bounded_size() -> None:
    waiting = [Line(seq, f"{seq} " + "x" * 500) for seq in range(1, 20)]
    sizes: list[int] = []
    while waiting:
        made, taken = timeline.message(waiting)
        assert len(made.text) <= timeline.MESSAGE_LIMIT
        sizes.append(taken)
        waiting = waiting[taken:]
    assert sizes == [5, 5, 5, 4]


def test_a_line_that_fills_a_message_is_told_alone() -> None:
    made, taken = timeline.message([Line(1, "x" * 2_990), Line(2, "y" * 20)])
    assert (made.text, taken) == ("x" * 2_990, 1)
