"""Attempts that a model tries to mend: when it is asked, what it may change, and when a person is asked instead.

The one rule: a failure that a change cannot mend never comes here, and no attempt is made twice.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import JsonValue

from engine.core import commands as c
from engine.core import events as e
from engine.core import paths
from engine.core.corrections import (
    Correct,
    Correction,
    Proposal,
    digest_of,
    is_correctable,
    proposal_of,
    refusal,
)
from engine.core.deciding.draft import Draft
from engine.core.expressions import ExpressionError
from engine.core.failures import Failure, FailureClass
from engine.core.given import arguments, places
from engine.core.graph import PlannedStep
from engine.core.money import say_money
from engine.core.scope import Assuming, StepScope
from engine.core.state import StepState, StepStatus


def unfit(draft: Draft, path: str, output: JsonValue) -> Failure | None:
    """Why the result does not fulfil the author's ``check``, if it does not."""
    node = draft.state.plan.node(path)
    if node.check is None:
        return None
    seen = draft.scope(path, node.check.references)
    seen["steps"] = Assuming(cast("StepScope", seen["steps"]), node.id, output)
    try:
        if node.check.holds(seen):
            return None
        message = f"its result does not fulfil its check: {node.check.program.source}"
    except ExpressionError as error:
        message = f"its check cannot be told: {error}"
    return Failure(cls=FailureClass.INVALID_OUTPUT, message=message, known=True)


def what_follows(
    draft: Draft, path: str, node: PlannedStep, failure: Failure, output: JsonValue
) -> e.StepCorrecting | e.StepGivenUp | None:
    """The question to a model, or to a person where it was asked often enough; None if no correction can help."""
    rules = node.step.correct
    if rules is None or not is_correctable(failure):
        return None
    try:
        attempt = digest_of(arguments_of(draft, path))
    except ExpressionError:
        return None  # other arguments come from the same expressions
    known = draft.state.step(path).correction or Correction()
    if why := _why_no_more(rules, known):
        given_up = _given_up(path, rules, known, failure.message, why)
        return given_up.model_copy(update={"attempt": attempt, "output": output})
    number = known.number + 1
    return e.StepCorrecting(step=path, number=number, of=rules.attempts, attempt=attempt, output=output)


def conclude(draft: Draft, path: str, step: StepState) -> bool:
    """Take a step further about which a model was asked; whether anything changed."""
    rules = draft.state.plan.node(path).step.correct
    asked = draft.state.step(paths.correction(path))
    known = step.correction or Correction()
    if rules is None or asked.status not in (StepStatus.COMPLETED, StepStatus.FAILED):
        return False
    reason = ""
    if asked.status is StepStatus.FAILED:
        reason = f"the model could not be asked: {asked.failure.message if asked.failure is not None else ''}"
    else:
        try:
            proposal = proposal_of(draft.resolved([asked.output])[0])
            before = arguments_of(draft, path)
            reason = refusal(rules, before, proposal.changes, known.tried) or ""
            if not reason:
                draft.record(_corrected(draft, path, rules, known, proposal))
                return True
        except ValueError as error:
            reason = str(error)
    message = step.failure.message if step.failure is not None else ""
    draft.record(_given_up(path, rules, known, message, reason))
    return True


def settle(draft: Draft, command: c.Settle) -> c.Reply:
    """What a person says of a step whose correction was given up."""
    path = command.step
    step, rules = draft.state.step(path), draft.state.plan.node(path).step.correct
    known = step.correction or Correction()
    result = command.result
    if command.answer in ("happened", "did_not_happen") or rules is None:
        return c.NotAllowed(f"{path} waits to be tried again with a change, accepted, or failed")
    if command.asked not in (0, known.asked):
        return c.NotAllowed(f"{path} was tried again since, and asks anew")
    if command.answer == "retry":
        changes = cast("dict[str, JsonValue]", result) if isinstance(result, dict) else {}
        reason = refusal(rules, arguments_of(draft, path), changes, known.tried)
        if reason is not None:
            return c.NotAllowed(f"{path} is not tried again so: {reason}")
        result = {**_changes(draft, known), **changes}
    elif command.answer == "accept" and result is None:
        if known.output is None:
            return c.NotAllowed(f"{path} gave nothing that could be accepted; give its result, or let it fail")
        result = draft.resolved([known.output])[0]
    draft.record(e.StepSettled(step=path, answer=command.answer, result=result, by=command.by, reason=command.reason))
    return c.Accepted()


def arguments_of(draft: Draft, path: str) -> dict[str, JsonValue]:
    """What the step runs with. Raises ``ExpressionError``, and ``ValuesNeeded``."""
    return arguments(draft.state, path, draft.having(places(draft.state, path)))


def _changes(draft: Draft, known: Correction) -> dict[str, JsonValue]:
    return cast("dict[str, Any]", draft.resolved([known.changes])[0] or {})


def _corrected(draft: Draft, path: str, rules: Correct, known: Correction, proposal: Proposal) -> e.StepCorrected:
    return e.StepCorrected(
        step=path,
        number=known.number + 1,
        of=rules.attempts,
        changes={**_changes(draft, known), **proposal.changes},
        changed=tuple(sorted(proposal.changes)),
        seen=proposal.seen,
        why=proposal.why,
        cost=proposal.cost,
    )


def _why_no_more(rules: Correct, known: Correction) -> str:
    if known.number >= rules.attempts:
        return f"{_times(rules.attempts)} are the most"
    if rules.cost is not None and known.cost >= rules.cost:
        return f"the {say_money(rules.cost)} for it are spent"
    return ""


def _given_up(path: str, rules: Correct, known: Correction, message: str, reason: str) -> e.StepGivenUp:
    tried = f"Corrected {_times(known.number)}" if known.number else "Not corrected"
    summary = f"{tried}; the last try ended with: {message.rstrip('.')}. No further correction: {reason.rstrip('.')}."
    return e.StepGivenUp(step=path, summary=summary, may_change=rules.may_change)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
