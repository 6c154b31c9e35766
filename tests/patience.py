"""Bounds for where no bound is what a test is about: there, how fast this machine is decides nothing."""

from __future__ import annotations

from dataclasses import fields

from bot.bounds import USUAL, Bounds
from bot.simulator.simulator import Options

PATIENT = Bounds(*[60.0] * len(fields(Bounds)))

PATIENT_SLACK = Options(ack_timeout_ms=60_000, trigger_lifetime_ms=60_000)


def be_patient() -> None:
    """Let this process, which is a test's own, have these bounds for the usual ones."""
    for bound in fields(Bounds):
        object.__setattr__(USUAL, bound.name, getattr(PATIENT, bound.name))
