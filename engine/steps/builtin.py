"""The steps that every Vectorbea has, for what its operator lets them do.

The one rule: what a step may reach is given here, once, when the process starts; no definition can widen it.
"""

from __future__ import annotations

from engine.steps.agent import agent_turn
from engine.steps.correct import llm_correct
from engine.steps.git import git_log, git_tag
from engine.steps.http import http_request
from engine.steps.http_policy import HttpPolicy
from engine.steps.models.asking import asker
from engine.steps.models.config import Models, Pace, Unhurried
from engine.steps.models.llm import llm_step
from engine.steps.registry import StepFunction
from engine.steps.set import set_values
from engine.steps.shell import ShellPolicy, shell_run


def builtin_steps(
    http: HttpPolicy, shell: ShellPolicy, models: Models | None = None, pace: Pace | None = None
) -> list[StepFunction]:
    """All built-in steps, ready for a ``Registry``. Without ``pace`` models are asked as fast as they let one."""
    asked = models or Models()
    ask = asker(asked, pace or Unhurried())
    models_steps = [llm_step(ask, asked), agent_turn(ask), llm_correct(ask)]
    return [http_request(http), shell_run(shell), set_values, git_log, git_tag, *models_steps]
