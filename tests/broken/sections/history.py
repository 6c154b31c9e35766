"""What is broken of the history."""

from tests.broken.breaks import Break

BREAKS = (
    Break(
        "An event that was changed, added or taken away",
        "chain.py::event_hash",
        "what the event says is not a part of its hash",
        text="    return _seal(key, [previous, *facts, digest])\n",
        instead="    return _seal(key, [previous, *facts, len(digest)])\n",
        tests=("test_one_changed_byte_is_found",),
    ),
    Break(
        "An event that was changed, added or taken away",
        "chain.py::event_hash",
        "the key is not a part of the hash",
        text="    return _seal(key, [previous, *facts, digest])\n",
        instead="    return _seal(key[:0], [previous, *facts, digest])\n",
        tests=("test_a_chain_made_anew_without_the_key_is_found",),
    ),
    Break(
        "So is a stream that was cut at its end",
        "chain.py::head_mac",
        "the seal of a head does not know which",
        text='    return _seal(key, ["head", stream, seq, hash_])\n',
        instead='    return _seal(key, ["head", stream])\n',
    ),
    Break(
        "So is an old state that was put back whole",
        "anchors.py::anchor_some",
        "nothing is ever anchored",
        text="    if not heads:\n        return 0\n",
        instead="    if heads:\n        return 0\n",
    ),
    Break(
        "A run that was pruned is told from one that somebody deleted",
        "claims.py::pruned_head",
        "whoever writes that a run was pruned is believed",
        text="if row is not None and _is_ours(key, row) else None",
        instead="if row is not None else None",
    ),
    Break(
        "Only what has ended, and is anchored, is pruned",
        "prune.py::_choose",
        "what is not anchored is pruned, too",
        text="*_prunable(workspace, order.before), runs.c.anchored)",
        instead="*_prunable(workspace, order.before))",
        tests=("test_a_run_whose_last_head_is_not_anchored_stays",),
    ),
    Break(
        "Only what has ended, and is anchored, is pruned",
        "prune.py::_choose",
        "what ended later is pruned, too",
        text="*_prunable(workspace, order.before), runs.c.anchored)",
        instead="*_prunable(workspace, 1 << 62), runs.c.anchored)",
        tests=("test_only_runs_that_ended_before_the_instant_go",),
    ),
    Break(
        "What a person's data was sealed by is destroyed",
        "erase.py::erase",
        "it is on record that the key is gone, but it is there",
        text='    gone = {"subject": None, "master": None, "wrapped": None, "erased_at": now_ms()}\n',
        instead='    gone = {"erased_at": now_ms()}\n',
    ),
    Break(
        "Nothing is sealed under a destroyed key",
        "data_keys.py::hold",
        "whether the key is still there is not looked at",
        text="        if key_id not in there:\n",
        instead="        if not there and not stream:\n",
        seen="Erased",
    ),
    Break(
        "A key that came back, from a backup, is noticed",
        "claims.py::key_findings",
        "a key that is there is right",
        text="        elif wrapped is not None and key_id in erased:\n",
        instead="        elif wrapped is None and key_id is None:\n",
    ),
    Break(
        "A log that was restored from an older copy",
        "restored.py::restored",
        "nothing is ever beyond the log",
        text="            if _is_beyond(it, known):\n",
        instead="            if known is None:\n",
    ),
)
