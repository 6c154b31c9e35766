"""``python -m tests.broken [WORDS…]``: break whatever keeps a promise of docs/guarantees.md, and see its tests fail.

Each break is made in a copy of the tree, and each test that is to notice it runs there. One line says how that went; a
break that no test notices makes the command fail. With words, only the rows of a section that is called so, or whose
promise, owner or tests have one of them. That the tests pass as long as nothing is broken is seen first; ``--quick``
takes it as known.
"""

from __future__ import annotations

import argparse
import queue
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tests.broken.breaks import Break
from tests.broken.page import Link, Row, rows
from tests.broken.sections import BREAKS
from tests.broken.tree import Ended, Tree, copied

LIMIT_S = 300.0
"""What a broken test may take: longer than tests wait for what does not come (`tests.waiting`), and their beginning."""


@dataclass(frozen=True)
class Pair:
    """A break, and one of the tests that are to notice it."""

    row: Row
    broken: Break
    test: Link


@dataclass(frozen=True)
class Seen:
    """What became of it."""

    failed: bool
    line: str


def main() -> int:
    """The exit status: 1 if a promise can be broken unseen."""
    parser = argparse.ArgumentParser(prog="python -m tests.broken", description=__doc__)
    parser.add_argument("words", metavar="WORDS", nargs="*", help="only rows that have one of them")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument("--quick", action="store_true", help="do not look first whether the tests pass")
    options = parser.parse_args()
    chosen = [row for row in rows() if not options.words or _has(row, options.words)]
    pairs = [
        Pair(row, one, test) for row in chosen for one in BREAKS if one.breaks(row) for test in one.noticed_by(row)
    ]
    began = time.monotonic()
    unbroken = [row for row in chosen if not any(pair.row is row for pair in pairs)]
    for row in unbroken:
        print(f"NOT BROKEN: {row.promise}")
    with ExitStack() as stack:
        trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()
        for _ in range(options.jobs):
            trees.put(stack.enter_context(copied()))
        if not options.quick and not _all_pass(trees, [pair.test.node for pair in pairs]):
            return 1
        with ThreadPoolExecutor(options.jobs) as threads:
            seen = list(threads.map(partial(_told, trees), pairs))
    survived = sum(not one.failed for one in seen)
    promises = len({pair.row.promise for pair in pairs})
    print(
        f"{promises} promises, {len({pair.broken for pair in pairs})} breaks, {len(pairs)} tests that were to fail: "
        f"{len(pairs) - survived} fail, {survived} survive; {len(unbroken)} rows without a break; "
        f"{time.monotonic() - began:.0f} s"
    )
    return 1 if survived or unbroken or not pairs else 0


def _has(row: Row, words: Sequence[str]) -> bool:
    """A section's name stands for its rows alone."""
    sections = {one.section for one in rows()}
    text = f"{row.promise} {row.owner} {row.tests}".lower()
    return any(word == row.section if word in sections else word.lower() in text for word in words)


def _all_pass(trees: queue.SimpleQueue[Tree], tests: Sequence[str]) -> bool:
    """Whether they do while nothing is broken; says which does not."""
    tree = trees.get()
    try:
        ended = tree.test(sorted(set(tests)), limit_s=LIMIT_S * max(1, len(tests)))
    finally:
        trees.put(tree)
    for kind, said, test in ended.failures:
        print(f"{test} fails as it is: {kind}: {said}", file=sys.stderr)
    if not ended.failures and not ended.passed:
        print(f"The tests did not run: {ended.told}", file=sys.stderr)
    return ended.passed > 0 and not ended.failures


def _told(trees: queue.SimpleQueue[Tree], pair: Pair) -> Seen:
    tree = trees.get()
    try:
        seen = _tried(tree, pair)
    finally:
        trees.put(tree)
    print(seen.line, flush=True)
    return seen


def _tried(tree: Tree, pair: Pair) -> Seen:
    row, broken = pair.row, pair.broken
    about = f"{row.promise} | {broken.owner}: {broken.how} | {pair.test.text}"
    try:
        text = broken.applied(row, tree.root)
    except ValueError as error:
        return Seen(False, f"{about} | NOT APPLIED | {error}")
    [owner] = row.owners
    with tree.broken(owner.path, text):
        ended = tree.test([pair.test.node], limit_s=LIMIT_S)
    found = next((said for kind, said, _ in ended.failures if broken.shows(kind)), None)
    if found is not None:
        return Seen(True, f"{about} | fails | {found[:200]}")
    return Seen(False, f"{about} | SURVIVES | {_otherwise(ended)}")


def _otherwise(ended: Ended) -> str:
    """How a test ended that was to fail by an assertion."""
    if ended.failures:
        kind, said, _ = ended.failures[0]
        return f"{kind}: {said[:200]}"
    return "it passes" if ended.passed else f"it did not run: {ended.told}"


if __name__ == "__main__":
    sys.exit(main())
