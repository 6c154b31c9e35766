"""What is broken of workspaces."""

from tests.broken.breaks import Break

BREAKS = (
    Break(
        "No workspace sees, finds or decides on a run of another",
        "own_runs.py::OwnRuns",
        "whose run it is is not looked at",
        text="        if state.started.workspace != self._workspace:\n",
        instead="        if not state.started.workspace:\n",
    ),
    Break(
        "A payload reaches the listeners of the workspace",
        "tenants.py::Tenants.of",
        "it reaches whoever is served first",
        text="        if (known := self._served.get(installed)) is not None:\n",
        instead="        if (known := next(iter(self._served.values()), None)) is not None:\n",
        tests=("test_who_installs_it_is_served_and_sees_its_own_alone",),
    ),
    Break(
        "A payload reaches the listeners of the workspace",
        "tenants.py::Tenants.of",
        "that an installation is an organization's is not looked at",
        text="installed_id(enterprise, team, org_wide)",
        instead="installed_id(enterprise, team, None)",
        tests=("test_an_organization_is_one_workspace_for_all_of_its_teams",),
    ),
    Break(
        "A run is told by those who serve its workspace",
        "threads.py::Threads",
        "runs of all workspaces are told by everybody",
        text="lease_ms, room, workspace=shared.engine.settings.workspace",
        instead="lease_ms, room",
    ),
    Break(
        "Looking for what is to be told costs one statement",
        "follower.py::Follower.look",
        "each workspace is asked by itself",
        text="        for workspace in await self._deliveries.unread(THREADS, self.owner):\n",
        instead="        for workspace in tuple(self._tellers):\n",
    ),
    Break(
        "So does looking for what is to be started by the clock",
        "schedules.py::Timetable.has_work",
        "each workspace is looked at by itself",
        text="        return due or self._kept is None or head != self._seen\n",
        instead="        return True\n",
    ),
    Break(
        "What a step posts is posted in the workspace of its run",
        "steps.py::SlackSender",
        "it is posted where the bot was connected first",
        text="                return self._connected[info.workspace]\n",
        instead="                return next(iter(self._connected.values()))\n",
    ),
    Break(
        "What is deployed, frozen or scheduled in one workspace",
        "engine.py::Engine.within",
        "the engine as another workspace sees it is the first one's",
        text="            Engine._settle_in(known, workspace)\n",
        instead="            Engine._settle_in(known, self.settings.workspace)\n",
    ),
    Break(
        "Tokens of installations lie sealed",
        "secrets.py::_put",
        "they lie as they are",
        text='{"text": key.seal(text, _place(name)),',
        instead='{"text": text,',
    ),
    Break(
        "A sealed key is good for its own workspace",
        "keyring.py::place",
        "it is good for any id of its workspace and provider",
        text='    return ("key", workspace, provider, id_)\n',
        instead='    return ("key", workspace, provider)\n',
    ),
    Break(
        "A key is read anew for each use",
        "unseal.py::unseal",
        "a process remembers what it has opened",
        text="    found = await database.read(_read, vault.required(), workspace, provider, name)\n",
        instead=(
            '    kept = unseal.__dict__.setdefault("kept", {})\n'
            "    if kept.get((workspace, provider, name)) is None:\n"
            "        query = database.read(_read, vault.required(), workspace, provider, name)\n"
            "        kept[workspace, provider, name] = await query\n"
            "    found = kept[workspace, provider, name]\n"
        ),
    ),
    Break(
        "One function opens keys",
        "vault.py::open_key",
        "its use is on record afterwards",
        text=(
            "    await used(ks.Use(provider, opened.name, opened.id, opened.last_four, opened.fingerprint))\n"
            "    yield opened.value\n"
        ),
        instead=(
            "    yield opened.value\n"
            "    await used(ks.Use(provider, opened.name, opened.id, opened.last_four, opened.fingerprint))\n"
        ),
    ),
    Break(
        "What a step says of an opened key or secret",
        "redaction.py::Redactor",
        "it is left out where nothing else is said",
        text="            if form in text:\n",
        instead="            if form == text:\n",
    ),
    Break(
        "A secret is given to a step's code alone",
        "scopes.py::Scopes.check",
        "it may be used anywhere in a step",
        text="                if not _is_argument(spot, step):\n",
        instead="                if step is None:\n",
    ),
    Break(
        "Arguments that others can see",
        "arguments.py::_secrets",
        "a secret is looked for where there is no reference",
        text="        if any(root == SECRETS for root, _ in references):\n",
        instead="        if not references:\n",
        seen="ValueError",
    ),
    Break(
        "What looks like a value in the place of its name",
        "keys.py::looks_like_value",
        "nothing that nobody has thought up is seen",
        text=" or any(len(_TURN.findall(run)) >= _TURNS for run in _RUN.findall(word))",
        instead="",
    ),
    Break(
        "A key that is given in Slack is in no message",
        "key_forms.py::KeyForms._answer",
        "what was wrong is said with all that was given",
        text="            said = str(problem)\n",
        instead="            said = f\"{problem}: {body['view']['state']['values']}\"\n",
        tests=("test_a_key_is_added_replaced_listed_and_revoked_by_an_admin",),
    ),
    Break(
        "A key that is given in Slack is in no message",
        "key_forms.py::KeyForms._answer",
        "who sends the form is not asked for the role again",
        text='                return told("Not changed", verdict.sentence)\n',
        instead='                verdict = await self._desk.roles.may(Act.LIST, body["user"]["id"])\n',
        tests=("test_nobody_but_an_admin_sees_or_changes_keys",),
    ),
    Break(
        "A token is renewed once, by one of all processes",
        "secrets.py::_claim",
        "whoever claims it has it",
        text="where(secrets.c.name == name, free)",
        instead="where(secrets.c.name == name)",
    ),
    Break(
        "An installation is completed once",
        "installations.py::States",
        "its state can be used again",
        text="        return await self._store.take(_STATES + state) is not None\n",
        instead="        return await self._store.get(_STATES + state) is not None\n",
    ),
    Break(
        "It is completed by the browser that began it",
        "installing.py::InstallPages",
        "any browser will do",
        text="        self._flow = _Flow(client=client, logger=log, settings=settings)\n",
        instead=(
            "        settings.state_utils.is_valid_browser = lambda state, request_headers: True\n"
            "        self._flow = _Flow(client=client, logger=log, settings=settings)\n"
        ),
    ),
    Break(
        "Where the app is removed, runs are kept and paused",
        "tenants.py::Tenants.depart",
        "the runs go on",
        text="            await leave(self._engine(installed))\n",
        instead="",
        tests=("test_where_it_is_removed_it_stops_and_the_runs_wait",),
    ),
    Break(
        "Where the app is removed, runs are kept and paused",
        "tenants.py::Tenants.depart",
        "whether its token still holds is not looked at",
        text="        if not await self._has_ended(installed, token):\n",
        instead="        if not token:\n",
        tests=("test_a_late_word_of_a_removal_does_not_remove_what_was_installed_since",),
    ),
)
