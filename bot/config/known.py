"""What there is to work with: the steps, and the workflows in the folders that the settings name.

The one rule: nothing heavy is imported here, neither a database nor Slack, so that ``vb check`` answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.config.settings import Settings, WrongSetting
from bot.sending.slackstep import NoSlack, slack_post
from engine.catalog import Catalog
from engine.core.problems import Problem
from engine.core.stepspec import StepSpec
from engine.steps.builtin import builtin_steps
from engine.steps.models.config import Pace
from engine.steps.models.shapes import by_name
from engine.steps.registry import Registry, StepFunction


def steps(settings: Settings, posting: StepFunction | None = None, pace: Pace | None = None) -> list[StepFunction]:
    """The built-in steps under the operator's policies, ``posting``, the one that Slack is needed for, and their own.

    ``pace``: how fast they ask models.

    Raises ``WrongSetting`` if their own cannot be loaded, or one of them has the name and version of another step.
    """
    more = [] if posting is None else [posting]
    if not settings.step_modules:
        return [*builtin_steps(settings.http_policy, settings.shell_policy, settings.models, pace), *more]
    from bot.config.ownsteps import SETTING, own_shapes, own_steps

    more += own_steps(settings.step_modules)
    shapes = own_shapes(settings.step_modules)
    try:
        models = replace(settings.models, shapes=by_name(shapes))
        found = [*builtin_steps(settings.http_policy, settings.shell_policy, models, pace), *more]
        Registry(found)
    except ValueError as error:
        raise WrongSetting(SETTING, str(error)) from None
    return found


def all_steps(settings: Settings) -> Registry:
    """All steps that any worker may have, with Slack or without; that of Slack cannot be run here."""
    return Registry(steps(settings, slack_post(NoSlack())))


def step_catalog(settings: Settings) -> Mapping[str, StepSpec]:
    """What definitions may use."""
    return all_steps(settings).catalog()


def catalog(settings: Settings) -> tuple[Catalog, Sequence[Problem]]:
    """The workflows of the settings' folders, and the problems of those that could not be loaded."""
    known = Catalog(step_catalog(settings))
    return known, known.load(settings.workflow_folders)
