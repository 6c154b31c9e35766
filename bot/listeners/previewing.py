"""The form in which a run is started, with an estimate of what it may cost.

The one rule: nobody waits for an estimate. A form that it would hold up is shown without, and gets it once it is known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from bot.blocks import start_forms
from bot.blocks.forecast import estimate_block, with_estimate
from bot.blocks.forms import Place, View
from bot.blocks.replies import FORM_NOT_OPENED, said
from bot.listeners.desk import Desk, Where
from engine.core.definition import Workflow
from engine.core.errors import EngineError
from engine.core.estimate import Estimate
from engine.core.inputs import validate_input
from engine.store import StoreError

log = logging.getLogger(__name__)

LATEST_S = 30.0
MOST_PENDING = 100


async def start_form(
    desk: Desk,
    workflow: Workflow,
    place: Place,
    given: Mapping[str, str],
    problems: Mapping[str, str],
    notes: Sequence[str],
    key: str,
) -> View:
    """The form, with its estimate if that is there in time; else ``complete`` gives it later, by the ``key``."""
    view = start_forms.start_form(workflow, place, given, problems, notes)
    if not desk.engine.forecasts.is_needed(workflow):
        return view
    estimating = asyncio.create_task(_estimate(desk, workflow, given))
    await asyncio.wait({estimating}, timeout=desk.bounds.estimated)
    if estimating.done():
        found = estimating.result()
        return view if found is None else with_estimate(view, estimate_block(found))
    while len(desk.estimating) >= MOST_PENDING:  # forms that nobody has opened after all
        desk.estimating.pop(next(iter(desk.estimating))).cancel()
    desk.estimating[key] = estimating
    return {**with_estimate(view, estimate_block(None)), "external_id": key}


async def show(desk: Desk, where: Where, trigger_id: str, view: View) -> None:
    """Open the form, and give it later what it lacks; tell the person if Slack does not open it."""
    if await desk.open(trigger_id, view):
        await complete(desk, view)
    else:
        await desk.whisper(where, said(FORM_NOT_OPENED))


async def complete(desk: Desk, view: View) -> None:
    """Give a form that was just shown the estimate that it lacks; what has been entered meanwhile stays."""
    key = view.get("external_id", "")
    estimating = desk.estimating.pop(key, None)
    if estimating is None:
        return
    await asyncio.wait({estimating}, timeout=LATEST_S)
    if not estimating.done():
        estimating.cancel()
        return
    found = estimating.result()
    if found is not None:
        await desk.exchange(key, with_estimate(view, estimate_block(found)))


async def _estimate(desk: Desk, workflow: Workflow, given: Mapping[str, str]) -> Estimate | None:
    """None if there can be none now. What is not entered yet, or wrong, counts as not known."""
    values, _ = validate_input(workflow, given, text=True)
    try:
        return await desk.engine.forecasts.of(workflow, values)
    except (EngineError, StoreError) as error:
        log.info("A form is shown without an estimate: %s", error)
        return None
