"""What is broken of runs."""

from tests.broken.breaks import Break

BREAKS = (
    Break(
        "What happens next is a function of state, command and time",
        "decide.py::decide",
        "it looks at the clock",
        text="    draft = Draft(state, now, values, around)\n",
        instead=(
            "    from time import perf_counter_ns\n\n"
            "    draft = Draft(state, now + perf_counter_ns() % 2, values, around)\n"
        ),
    ),
    Break(
        "After a run's one end only bookkeeping is recorded",
        "decide.py::_after_end",
        "commands are applied as if it went on",
        text="    return draft.decision(c.Ended(status))\n",
        instead="    return draft.decision(_apply(draft, command))\n",
    ),
    Break(
        "A run that has something to do, or to wait for, has one time",
        "outlook.py::due",
        "who waits for people alone has none",
        text="    first = min(times, key=lambda one: one.at, default=Due(now + SOME_DAY, DueKind.TIMER))\n",
        instead=(
            "    first = min(times, key=lambda one: one.at, default=None)\n    if first is None:\n        return None\n"
        ),
    ),
    Break(
        "That time is written in the transaction of the events",
        "prepare.py::following",
        "it is written when a run begins, and never again",
        text="for item in batch if isinstance(item.append.due, int)]",
        instead="for item in batch if isinstance(item.append.due, int) and item.starts]",
    ),
    Break(
        "SQL alone recovers",
        "scheduler.py::Scheduler.sweep",
        "what is due is taken, and none of it announced",
        text="            self._announcer.announce(due.run, Lane(due.workspace, due.priority))\n",
        instead='            log.debug("%s is due", due.run)\n',
    ),
    Break(
        "When Redis has lost the stream",
        "open_work.py::make_all_due",
        "they stay due when they were",
        text='    return connection.execute(_MAKE_ALL_DUE, {"now": now}).rowcount\n',
        instead='    return connection.execute(_MAKE_ALL_DUE, {"now": now + 86_400_000}).rowcount\n',
    ),
    Break(
        "A run follows the definition that it began with",
        "definition.py::Workflow.hash",
        "a definition is called by the hash of its name",
        text="        return hashlib.sha256(self.snapshot.encode()).hexdigest()\n",
        instead="        return hashlib.sha256(self.name.encode()).hexdigest()\n",
        seen="BrokenDefinition",
    ),
    Break(
        "A text that is not the one with its hash is not followed",
        "plans.py::believed",
        "its hash is not looked at",
        text="    if hashlib.sha256(text.encode()).hexdigest() != definition:\n",
        instead="    if not definition:\n",
    ),
    Break(
        "Every name in a definition, of code and of workflows",
        "pinning.py::_Pins",
        "a workflow that is called stands for whatever it is by then",
        text="            definition = self.callees[step.workflow.name].hash\n",
        instead='            definition = "0" * 64\n',
    ),
    Break(
        "What is inside of a loop that is over stays",
        "places.py::closed",
        "what is around a step is not looked at",
        text="for one in (path, *holders(path)) if",
        instead="for one in (path,) if",
    ),
    Break(
        "A gate is decided once",
        "gates.py::_find",
        "whether it was decided is not looked at",
        text="    if gate.decision is not None:\n        return c.AlreadyDecided(gate.decision)\n",
        instead="",
    ),
    Break(
        "A signal that comes before its wait is kept",
        "signals.py::receive",
        "the same one is received twice",
        text="    if command.id in state.signals:\n        return c.Accepted()\n",
        instead="",
    ),
    Break(
        "A signal that is sent to whoever waits for it",
        "signals.py::take",
        "what another has taken is taken again",
        text="where(here, signals.c.run.is_(None))",
        instead="where(here)",
        tests=("test_each_signal_goes_to_one_of_many_takers",),
    ),
    Break(
        "A signal that is sent to whoever waits for it",
        "signals.py::take",
        "it is given once, and no more to the run that has it",
        text="where(here, signals.c.run == run)",
        instead="where(here, signals.c.id.in_(found))",
        tests=("test_a_signal_is_kept_until_it_is_taken_and_may_be_taken_again_by_the_same_run",),
    ),
    Break(
        "Whatever else happens to a run that waits does not hide a signal",
        "signals.py::_wake",
        "those are woken that are due anyway",
        text="open_work.c.run.in_(found), open_work.c.due > now_ms())",
        instead="open_work.c.run.in_(found), open_work.c.due < now_ms())",
    ),
    Break(
        "A child run is started once, by whoever finds it missing",
        "errands.py::Errands._start",
        "whoever starts it gives it an id",
        text="        await self._handle.start(event.run, plan, child_start(parent, event))\n",
        instead='        await self._handle.start(f"{event.run}{id(event)}", plan, child_start(parent, event))\n',
    ),
    Break(
        "A child run is cancelled with the run that called it",
        "errands.py::Errands._find_children",
        "it hears of it once, or never",
        text=(
            "        if parent.stopping:\n"
            "            self._to_children(parent, _cancel(parent))\n"
            "        elif parent.held_at:\n"
        ),
        instead="        if parent.held_at:\n",
    ),
    Break(
        "A child that was cancelled only because its parent was stopping",
        "failing.py::fail",
        "it fails its parent like any other",
        text="    elif stopped_along and not stopping:\n",
        instead="    elif stopped_along and stopping:\n",
    ),
    Break(
        "What a failed or cancelled run has done is undone",
        "advance.py::_conclude",
        "it is undone in the order in which it was done",
        text="            draft.record(e.RunUndoing(steps=state.undoable[::-1]))\n",
        instead="            draft.record(e.RunUndoing(steps=state.undoable))\n",
    ),
    Break(
        "Undoing is part of the run's state",
        "transitions.py::_undo_next",
        "the next one is passed over",
        text="    rest = state.undoing[1:]\n",
        instead="    rest = state.undoing[2:]\n",
    ),
    Break(
        "An event that this release does not know is never skipped",
        "__init__.py::decode",
        "it is read as a line of a log",
        text="        raise UnknownEvent(type_, version)\n    try:\n",
        instead='        return StepLogged(step="", attempt=1, text="")\n    try:\n',
    ),
)
