"""Whatever a file holds is loaded or explained: nothing gets out of the checks, and no sentence is the library's."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.checks.calls import Callees
from engine.core.draft import Draft, mapping, sequence
from engine.core.graph import Plan
from engine.core.loader import load_yaml
from engine.core.yamltree import read
from tests.core.checking import DATA, STEPS

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("workflows/*.yaml"), *ROOT.glob("docs/cookbook/*.yaml"), *DATA.glob("*.yaml")])
WHOLE: list[Any] = [read(file.read_text(encoding="utf-8")).data for file in FILES]
CALLEES = Callees({data["name"]: Draft.of(data) for data in WHOLE})
JUNK: list[Any] = [
    *(None, True, 0, -1, 1.5, "", "x", [], {}, [1], [[]], {"a": 1}, {"steps": []}, "1s", "* * * * *", "a" * 300),
    *("${{", "${{ x }}", "${{ item }}", "${{ steps.a.output }}", "${{ 1 + 'a' }}", "${{ previous.a.b }}"),
]
WORDS = [
    *("id", "uses", "with", "approval", "set", "sleep", "wait_for", "workflow", "steps", "for_each", "repeat", "needs"),
    *("if", "retry", "timeout", "undo", "on_failure", "schedule", "concurrency", "labels", "output", "input", "items"),
    *("max_items", "until", "name", "definition", "payload", "classes"),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every part of ``value`` with its path."""
    yield path, value
    members = mapping(value)
    parts = enumerate(sequence(value) or []) if members is None else members.items()
    for name, part in parts:
        yield from places(part, (*path, name))


def broken(chance: random.Random, pool: list[Any]) -> Any:
    """A definition with a few of its parts replaced, renamed or taken away."""
    data = copy.deepcopy(chance.choice(WHOLE))
    for _ in range(chance.randint(1, 4)):
        *way, last = chance.choice([path for path, _ in places(data) if path])
        owner = data
        for name in way:
            owner = owner[name]
        part = copy.deepcopy(chance.choice(JUNK if chance.random() < 0.6 else pool))
        if isinstance(owner, dict) and chance.random() < 0.4:
            owner[chance.choice(WORDS)] = part
        else:
            owner[last] = part
    return data


@pytest.mark.parametrize("seed", range(4))
def test_a_definition_with_anything_anywhere_is_loaded_or_explained(seed: int) -> None:
    chance = random.Random(seed)
    pool = [part for data in WHOLE for _, part in places(data)]
    for _ in range(150):
        text = json.dumps(broken(chance, pool))
        loaded = load_yaml(text, "f", STEPS, CALLEES)
        assert (loaded.workflow is None) == bool(loaded.problems), text
        for problem in loaded.problems:
            said = str(problem)
            assert "\n" not in said
            assert not any(theirs in said for theirs in ("Input should", "function-", "constrained", "pydantic")), said
        if loaded.workflow is not None:
            Plan.of(loaded.workflow)
