"""What is broken of what people do in Slack."""

from tests.broken.breaks import Break

BREAKS = (
    Break(
        "A click is acknowledged once it is durable",
        "actions.py::Actions.approve",
        "it is acknowledged first",
        text=(
            "        outcome = await act(self._desk, click.value, click.where.user, vote(granted=True))\n"
            "        await ack()\n"
        ),
        instead=(
            "        await ack()\n"
            "        outcome = await act(self._desk, click.value, click.where.user, vote(granted=True))\n"
        ),
    ),
    Break(
        "By what right somebody acts at a gate",
        "authority.py::right_by",
        "all who are in a group count, guests and those who have left too",
        text="    everyone = await _everyone(directory, gate, targets)\n",
        instead="    everyone = frozenset(one for target in targets for one in target.members)\n",
        tests=("test_all_are_the_full_members_of_the_group_at_the_decision",),
    ),
    Break(
        "By what right somebody acts at a gate",
        "authority.py::right_by",
        "who was let decide for a period is not asked",
        text="    delegations = _delegations(given, gate, user)\n",
        instead="    delegations = _delegations((), gate, user)\n",
        tests=("test_who_is_let_decide_for_a_period_decides_at_other_gates_too",),
    ),
    Break(
        "By what right somebody acts at a gate",
        "authority.py::right_by",
        "whoever comes belongs to those asked",
        text="    verdict = may_decide(person, targets, [giver for giver in givers if giver is not None])\n",
        instead='    verdict = Allowed(person, "", tuple(gate.asked))\n',
        tests=("test_what_waits_is_what_one_may_decide",),
    ),
    Break(
        "Where corrections were given up one answer counts",
        "correcting.py::settle",
        "which question was answered is not looked at",
        text="    if command.asked not in (0, known.asked):\n",
        instead="    if command.asked > known.asked:\n",
    ),
    Break(
        "What became of an attempt of unknown outcome",
        "operators.py::_settle",
        "which attempt the answer is about is not looked at",
        text="    if command.asked not in (0, asked(draft.state.step(command.step))):\n",
        instead="    if command.asked > asked(draft.state.step(command.step)):\n",
    ),
    Break(
        "What a person says that a step gave",
        "questions.py::Questions.outcome",
        "what the step gives is not compared with what was said that it gave",
        text="        return (result, {}) if code is None else code.outcome(result)\n",
        instead="        return result, {}\n",
    ),
    Break(
        "Who comes later is told who has answered what",
        "answering.py::Answering._closed",
        "they are told that there is no such question",
        text="    known = asked.known.get(seq)\n",
        instead="    known = asked.known.get(-seq)\n",
    ),
    Break(
        "A click on what has changed since records nothing",
        "deciding.py::_check",
        "what was shown is not compared with what it is now",
        text="    if version != gate.version:\n        return Refusal(gate_replies.outdated(state, step, gate))\n",
        instead="",
    ),
    Break(
        "A person who is linked decides at a terminal what they may decide in Slack",
        "atgate.py::Acting",
        "a linked person decides by the right of the machine",
        text="        if not self.in_slack:\n            return right_of_account",
        instead="        if self.by:\n            return right_of_account",
    ),
    Break(
        "A button of a run's card does what it says",
        "steering.py::Steering",
        "the state for which it was shown is not looked at",
        text="        if deed not in possible(state) or mark(state, deed) != clicked.mark:\n",
        instead="        if deed not in possible(state):\n",
    ),
    Break(
        "What a person does to a run, a schedule or a role",
        "roles.py::Roles",
        "everybody counts as who started it",
        text="        return may(act, person, holders, is_starter=is_starter)\n",
        instead="        return may(act, person, holders, is_starter=True)\n",
    ),
    Break(
        "A role lets its holders do what it includes",
        "policy.py::may",
        "a role includes itself alone",
        text="if role in INCLUDES[holder.role]]",
        instead="if role is holder.role]",
    ),
    Break(
        "Nobody in Slack starts, or forks, a workflow",
        "policy.py::may_start",
        "who has the role for it starts it",
        text="    if not only:\n",
        instead="    if holders or not only:\n",
    ),
    Break(
        "A role that was given in Slack is to an id",
        "roles.py::_whom",
        "it is to the name",
        text='    return f"{sign}{asked.id}", wanted.who\n',
        instead="    return wanted.who, wanted.who\n",
    ),
    Break(
        "There is always somebody who may give roles",
        "workspace.py::_revoke",
        "the last one can be revoked",
        text="    if giving(state.grants, Role.ADMIN) == (known,) and not command.admins_besides:\n",
        instead="    if giving(state.grants, Role.ADMIN) == () and not command.admins_besides:\n",
    ),
    Break(
        "An approval that is typed is of what was shown",
        "decided.py::approve_form",
        "the form asks without showing what is approved",
        text='"blocks": [what, *shown, asked]}',
        instead='"blocks": [what, asked]}',
        seen="IndexError",
    ),
    Break(
        "by the code that they were told in Slack last",
        "identities.py::_take",
        "a code is good for ever",
        text="    if now >= offer.until:\n",
        instead="    if not offer.until:\n",
        tests=("test_a_code_is_good_once_and_in_its_time",),
    ),
    Break(
        "by the code that they were told in Slack last",
        "identities.py::_take",
        "any code will do",
        text="if one.code == command.code), None)",
        instead="if one.code), None)",
        tests=("test_a_new_code_replaces_the_one_before",),
    ),
    Break(
        "Nobody approves at a terminal what they have started",
        "gates.py::_may_be_another",
        "that an account may be the starter's is not looked at",
        text="    if not gate.request.allow_self and unknown_beside(by, [starter]):\n",
        instead="    if not gate.request.allow_self and unknown_beside(by, []):\n",
        tests=(
            "test_an_unknown_account_does_not_approve_what_somebody_known_has_started",
            "test_a_person_is_the_same_at_the_terminal_and_in_slack",
        ),
    ),
    Break(
        "Nobody approves at a terminal what they have started",
        "gates.py::_may_be_another",
        "that an account may be of one who has approved is not looked at",
        text="    if several and unknown_beside(by, [starter, *(ballot.seat for ballot in gate.votes)]):\n",
        instead="    if several and unknown_beside(by, []):\n",
        tests=("test_a_person_counts_once_wherever_they_approve",),
    ),
    Break(
        "A run that somebody else has paused",
        "policy.py::is_own",
        "who holds it is not looked at",
        text='    return (by.via, by.id) == ("slack", user) and not others_hold\n',
        instead='    return (by.via, by.id) == ("slack", user)\n',
    ),
    Break(
        "A mention that is delivered again starts nothing again",
        "mentions.py::asked_in",
        "each delivery has a key of its own",
        text="f\"slack:mention:{event['channel']}:{event['ts']}\"",
        instead='f"slack:mention:{id(event)}"',
    ),
)
