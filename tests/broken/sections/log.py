"""What is broken of the log."""

from tests.broken.breaks import Break

BREAKS = (
    Break(
        "Of two writers of a stream one wins",
        "clauses.py::advance",
        "the head moves without being compared; the primary key is left to stand behind it",
        text="table.c.id == batch.c.id, table.c.last_seq == batch.c.after_seq, table.c.head_hash == batch.c.after_hash",
        instead="table.c.id == batch.c.id",
        seen="StoreError",
    ),
    Break(
        "An append whose outcome was lost with the connection",
        "commit.py::_already_there",
        "what an earlier try has committed is never found",
        text="    return {row.stream for row in statements.find_events.execute(connection, rows)}\n",
        instead="    return set[str]() if rows else set()\n",
    ),
    Break(
        "Whoever lost a race decides again on the newest state",
        "handle.py::Handle._try",
        "an answer that changes nothing is given from memory",
        text="            if case.fresh:\n",
        instead="            if case.known:\n",
        tests=("test_an_answer_that_changes_nothing_is_given_on_the_newest_state",),
    ),
    Break(
        "Whoever lost a race decides again on the newest state",
        "handle.py::Handle._try",
        "a lost race counts as settled",
        text="                case.conflicts += 1\n                case.money.clear()\n                return False\n",
        instead="                _answer_all(batch, decisions)\n                return True\n",
        tests=("test_the_loser_of_a_race_decides_again",),
    ),
    Break(
        "Nobody loses for ever",
        "handle.py::Handle._append_locked",
        "the append is made without the lock",
        text="await self._log.append_locked(run, case.known.head, decide_locked, spends_from=workspace)",
        instead="await self._log.append(decide_locked((), case.known.head))",
    ),
    Break(
        "Times in a stream never run backwards",
        "draft.py::Draft",
        "the clock is taken as it is",
        text="        self.now = max(now, state.at)\n",
        instead="        self.now = now\n",
    ),
    Break(
        "A deduplication key starts one run",
        "0001_first_tables.py::_streams",
        "the table takes one twice",
        text='        sa.UniqueConstraint("workspace", "dedupe_key", name="uq_runs_workspace_dedupe_key"),\n',
        instead="",
    ),
    Break(
        "The rows in `runs` and `open_work` are what the events say",
        "records.py::append_of",
        "the row is written when the run begins, and never again",
        text="        run=row,\n",
        instead="        run=row if after.seq == 0 else None,\n",
    ),
    Break(
        "`vb verify` compares them with the events",
        "caches.py::cache_findings",
        "a difference is passed over",
        text="        if (was := getattr(row, name)) != should\n",
        instead="        if (was := getattr(row, name)) is None\n",
    ),
    Break(
        "A state that is restored from a checkpoint",
        "checkpoint.py::restore",
        "the run's deadline is forgotten",
        text="        deadline=deadline,\n",
        instead="        deadline=None,\n",
    ),
    Break(
        "A checkpoint counts only under our seal",
        "checkpoints.py::load_run",
        "the seal is not looked at",
        text="first.hash, first.text) != first.mac:",
        instead="first.hash, first.text) == first.text:",
    ),
    Break(
        "A long value lies beside the log",
        "blobs.py::get",
        "what is read is not held against its hash",
        text="        if hashlib.sha256(text.encode()).hexdigest() != digest:\n",
        instead="        if not digest:\n",
    ),
)
