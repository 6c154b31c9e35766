"""What is broken of models."""

from tests.broken.breaks import Break

BREAKS = (
    Break(
        "An attempt asks a model at most once",
        "asking.py::asker",
        "each attempt asks under a name of its own",
        text='            effect = EFFECT if number == 1 else f"{EFFECT}-{number}"\n',
        instead='            effect = f"{EFFECT}-{id(question)}-{number}"\n',
    ),
    Break(
        "An answer on record is used",
        "asking.py::asker",
        "it is looked for only once all is there that asking takes",
        text="            known = await ctx.recorded(effect)\n",
        instead='            known = await ctx.recorded(f"{effect}-") if number > 1 else None\n',
    ),
    Break(
        "What a request may cost is set aside before",
        "trouble.py::trouble",
        "whatever fails had not begun",
        text='    if not getattr(error, "in_stream", False):\n        return found\n',
        instead="    if isinstance(found, StepError):\n        return Unsent(str(found), found.cls)\n",
        tests=("test_a_request_whose_outcome_is_unknown_counts_as_what_it_may_have_cost",),
    ),
    Break(
        "What a request may cost is set aside before",
        "trouble.py::trouble",
        "every failure is taken for one within an answer",
        text='    if not getattr(error, "in_stream", False):\n        return found\n',
        instead="",
        tests=("test_a_request_that_is_refused_is_told_as_what_it_is_and_costs_nothing",),
    ),
    Break(
        "Nothing that a provider says holds a key",
        "trouble.py::_said",
        "what looks like a key is left out, but not our own",
        text='        words = words.replace(key, "[key]")\n',
        instead="        words = words.strip()\n",
        tests=("test_a_key_that_a_provider_says_is_left_out",),
    ),
    Break(
        "Of a refusal because of the key nothing is quoted",
        "trouble.py::_refused",
        "it is quoted like any other",
        text='            words = f"{provider} does not accept the key for {name}; check it, or give another one"\n',
        instead='            words = f"{provider} does not accept the key for {name}: {error}"\n',
    ),
    Break(
        "The demo's local model needs no key",
        "asking.py::_Request",
        "it is asked with a key, like any other",
        text='            await self._ctx.log(f"asks {self._question.model}, which is a local model',
        instead=(
            "            async with self._ctx.key(self._provider.name, self._question.key):\n"
            "                pass\n"
            '            await self._ctx.log(f"asks {self._question.model}, which is a local model'
        ),
    ),
    Break(
        "Each turn of an agent is on record before the next one",
        "agent_parts.py::parts_of",
        "what came before is kept from the next turn",
        text='"history": "${{ history }}"}',
        instead='"history": []}',
    ),
    Break(
        "No turn of an agent begins beyond its limits",
        "agent.py::_check_limits",
        "what was used is not held against them",
        text="    used = so_far.input_tokens + so_far.output_tokens\n",
        instead="    used, now, so_far = 0, so_far.since, Total()\n",
        tests=("test_no_turn_begins_beyond_a_limit",),
    ),
    Break(
        "No turn of an agent begins beyond its limits",
        "agent.py::_check_limits",
        "each turn may cost what all may",
        text="    return args.cost - args.spent\n",
        instead="    return args.cost\n",
        tests=("test_a_turn_may_cost_what_is_left_of_what_all_may_cost",),
    ),
    Break(
        "What a turn has cost counts against its agent's limit",
        "fold_spending.py::_charge_agent",
        "only turns that were answered do",
        text="spent=step.loop.spent + event.cost)",
        instead="spent=step.loop.spent + (0 if event.assumed else event.cost))",
    ),
    Break(
        "What an agent calls with a person's approval",
        "agent_parts.py::_call",
        "what a person changed is passed over",
        text='        arguments |= {word: f"${{{{ {edited}.{word} }}}}" for word in _editable(parameters)}\n',
        instead="        arguments |= {word: arguments[word] for word in edited if word in arguments}\n",
    ),
    Break(
        "What no change can mend never reaches a model",
        "corrections.py::is_correctable",
        "every failure does",
        text="    return failure.cls in CORRECTED\n",
        instead="    return bool(failure.cls)\n",
    ),
    Break(
        "A correction changes only the arguments that the definition names",
        "corrections.py::refusal",
        "it changes whatever there is",
        text="    strange = sorted(changes.keys() - set(rules.may_change))\n",
        instead="    strange = sorted(changes.keys() - before.keys())\n",
    ),
    Break(
        "A correction changes only the arguments that the definition names",
        "corrections.py::refusal",
        "what was tried already is tried again",
        text="    if digest_of({**before, **changes}) in tried:\n",
        instead="    if digest_of(before) == digest_of(changes):\n",
    ),
    Break(
        "An attempt that is put off starts again in its time",
        "attempts.py::postpone",
        "it starts again at once",
        text="    until = draft.now + max(command.wait, 0)\n",
        instead="    until = draft.now\n",
    ),
    Break(
        "A provider that says that it is asked too often",
        "pace.py::SharedPace.hold",
        "its pause is over at once",
        text="ms / 1_000)",
        instead="0)",
    ),
    Break(
        "All processes together ask a model no oftener",
        "pace.py::SharedPace.admit",
        "each process counts in buckets of its own",
        text="        buckets, amounts = _buckets_of(name, limit, tokens)\n",
        instead='        buckets, amounts = _buckets_of(f"{name}/{id(self)}", limit, tokens)\n',
    ),
)
