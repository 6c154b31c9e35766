"""What is broken of gates."""

from tests.broken.breaks import Break

BREAKS = (
    Break(
        "A gate is granted by its quorum of different people",
        "gates.py::_count",
        "the first approval fulfils a stage",
        text="    fulfilled = _fulfilled(gate, (*gate.given, mine), everyone)\n",
        instead="    fulfilled = bool((*gate.given, mine))\n",
    ),
    Break(
        "Nobody counts twice in a gate",
        "gates.py::_vote",
        "who has voted already is not looked up",
        text="            return c.AlreadyVoted(ballot)\n    everyone",
        instead="            continue\n    everyone",
    ),
    Break(
        "Whoever started the run decides nothing in it",
        "gates.py::_may_act",
        "who started it is not looked at",
        text="    if not gate.request.allow_self:\n        if same(command.by, starter):",
        instead="    if gate.request.allow_self:\n        if same(command.by, starter):",
    ),
    Break(
        "A vote on evidence that is no longer what is decided on",
        "gates.py::_find",
        "versions are not compared",
        text="    if seen is not None and seen != gate.version:\n        return c.Outdated(path, gate.version)\n",
        instead="",
    ),
    Break(
        "An edit voids what was approved before it",
        "fold_gates.py::_going_on",
        "votes and stage stay",
        text="gate._replace(stage=0, stage_at=state.at, votes=(), edited=Edit(",
        instead="gate._replace(edited=Edit(",
    ),
    Break(
        "A step that a gate covers runs with exactly the arguments",
        "covers.py::unapproved",
        "arguments are not compared",
        text="        if given != approved:\n",
        instead="        if not given and approved:\n",
        tests=("test_a_covered_step_does_not_run_with_anything_else",),
    ),
    Break(
        "A step that a gate covers runs with exactly the arguments",
        "covers.py::unapproved",
        "a denial is not heeded",
        text="        if not gate.decision.lets_through:\n",
        instead="        if gate.decision is None:\n",
        tests=("test_a_covered_step_does_not_run_if_the_gate_did_not_let_it",),
    ),
    Break(
        "Who decides for somebody else for a period",
        "gates.py::Gates.act",
        "whether it still holds is not looked at",
        text="            if not dg.confirms(known, seat.delegation, seat.on_behalf_of, act.by, self.clock.now()):\n",
        instead="            if known is None:\n",
    ),
    Break(
        "With business hours a gate reminds, escalates and expires",
        "hours.py::later",
        "all time counts",
        text="    if hours is None:\n        return start + span\n    left",
        instead="    if hours is None or span:\n        return start + span\n    left",
    ),
    Break(
        "What is on record about a gate is told whole",
        "gate_history.py::askings",
        "that it asked is told, and nothing of what became of it",
        text="                asking = _with(open_[path], one)\n",
        instead="                asking = open_[path]\n",
    ),
    Break(
        "It is told with its proof",
        "gates.py::Gates.report",
        "another stream is proved",
        text="            checked=await audit(self.store, run),\n",
        instead="            checked=await audit(self.store, self.workspace.name),\n",
    ),
)
