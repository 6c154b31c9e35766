"""How long the bot waits for whom, while Slack waits for the bot.

The one rule: Slack takes an acknowledgement for 3 s, so whatever happens before it ends in time, whoever is slow. That
the usual bounds fit into each other, and all into Slack's, is held by ``tests/bot/test_bounds.py``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """In seconds."""

    acknowledged: float = 3.0
    """For a delivery as a whole. It is Slack's own: what is not acknowledged by then need not be any more."""

    recorded: float = 2.0
    """For all that is read and recorded before the acknowledgement."""

    asked: float = 1.4
    """Of that, for all questions to Slack together: the rest is for the database."""

    answered: float = 1.2
    """Of that, for one question about people. A later answer is kept for the next time."""

    permalink: float = 0.8
    """For the address of a message, without which a form does as well."""

    estimated: float = 0.4
    """For what a run may cost; a form that is shown without gets it later."""

    reached: float = 1.0
    """For what a kill switch would stop; what was not seen by then is said to be more."""

    turn: float = 2.0
    """For the turn of a call that answers a person: what they did it with is good for 3 s."""

    hello: float = 10.0
    """For the hello on a new connection."""

    ping: float = 4.0
    """Between pings; a connection by which no pong came in half of that is given up."""

    finished: float = 3.0
    """For what was received when the service stops."""


USUAL = Bounds()
