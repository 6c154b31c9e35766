"""The breaks, by the sections of the page."""

from tests.broken.breaks import Break
from tests.broken.sections import between, gates, history, log, models, people, runs, slack, steps, workspaces

BREAKS: tuple[Break, ...] = (
    *log.BREAKS,
    *runs.BREAKS,
    *steps.BREAKS,
    *gates.BREAKS,
    *models.BREAKS,
    *between.BREAKS,
    *history.BREAKS,
    *slack.BREAKS,
    *people.BREAKS,
    *workspaces.BREAKS,
)
