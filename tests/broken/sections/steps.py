"""What is broken of steps, and of what they do outside."""

from tests.broken.breaks import Break

BREAKS = (
    Break(
        "Only the attempt that counts can end a step",
        "attempts.py::_current",
        "any attempt counts while one runs",
        text="state.status is StepStatus.RUNNING and state.token == token else None",
        instead="state.status is StepStatus.RUNNING else None",
    ),
    Break(
        "An attempt is declared lost only if its lease has ended",
        "commit.py::_refused",
        "the lease is not looked at",
        text="            if now <= until and (guard.cap is None or now <= guard.cap):\n",
        instead="            if now > until and (guard.cap is None or now <= guard.cap):\n",
    ),
    Break(
        "The step of a lost worker goes on elsewhere",
        "attempts.py::declare_lost",
        "a minute is waited besides",
        text="        out_of_lease = step.lease_until < now and step.worker != own\n",
        instead="        out_of_lease = step.lease_until + 60_000 < now and step.worker != own\n",
    ),
    Break(
        "A step that blocks its event loop keeps its lease",
        "keepalive.py::ThreadKeepAlive",
        "the lease is renewed once",
        text="self.clock.set(until - self._lease)\n                        self._pause()\n",
        instead="self.clock.set(until - self._lease)\n                        self._stopped.wait()\n",
    ),
    Break(
        "A process that is stopped inside a transaction",
        "postgresql.py::_engine",
        "the server has no limits",
        text="dict.fromkeys(names, str(limit_ms))",
        instead='dict.fromkeys(names, "0")',
        seen="OutcomeUnknown",
    ),
    Break(
        "A worker without a step's code leaves it to others",
        "advance.py::_claim",
        "it says so at each look",
        text="        if not step.awaited:\n",
        instead="        if uses:\n",
    ),
    Break(
        "What a worker is offered and cannot use",
        "worker.py::Worker._look",
        "it keeps it to itself",
        text="            if for_others and activation.deliveries < MOST_DELIVERIES:\n",
        instead="            if for_others and activation.deliveries > MOST_DELIVERIES:\n",
    ),
    Break(
        "A step that loses its workers again and again",
        "failing.py::_losses_allowed",
        "it is handed on a thousand times",
        text="else LOSSES_ALLOWED",
        instead="else LOSSES_ALLOWED * 1_000",
    ),
    Break(
        "An effect has one key, which all attempts share",
        "context.py::effect_key",
        "there is another one each time it is asked for",
        text='    return f"{run}/{step}/{effect}/{generation}"\n',
        instead=(
            "    from time import perf_counter_ns\n\n"
            '    return f"{run}/{step}/{effect}/{generation}/{perf_counter_ns()}"\n'
        ),
    ),
    Break(
        "Its beginning is on record before it happens",
        "context.py::StepContext.effect",
        "it happens first",
        text=(
            "        recorded = await self._effects.begin(name, spend, under)\n"
            "        if recorded is not None:\n"
            "            return recorded.result\n"
            "        try:\n"
            "            made = await fn(self.key_for(name))\n"
        ),
        instead=(
            "        made = await fn(self.key_for(name))\n"
            "        recorded = await self._effects.begin(name, spend, under)\n"
            "        if recorded is not None:\n"
            "            return recorded.result\n"
            "        try:\n"
            "            self.check_cancelled()\n"
        ),
    ),
    Break(
        "An effect that is on record is not made again",
        "attempts.py::_effect",
        "it may go ahead once more",
        text="    if known is not None and known.recorded:\n",
        instead="    if known is None and command is None:\n",
    ),
    Break(
        "What must not be repeated, and may have happened",
        "failing.py::_what_follows",
        "it is treated like any failure",
        text="    if node.step.repeatable is False and not failure.known and failure.cls in _UNKNOWN_OUTCOME:\n",
        instead="    if node.step.repeatable is False and failure.known and failure.cls in _UNKNOWN_OUTCOME:\n",
    ),
    Break(
        "The key changes only once it is known",
        "fold_steps.py::_settled",
        "what did not happen is tried again under the same key",
        text="generation=step.generation + 1, effects=known",
        instead="effects=known",
    ),
)
