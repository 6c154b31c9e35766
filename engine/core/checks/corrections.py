"""Self-correction: can the arguments be changed that may be, and is there what asks a model?

The one rule: what a correction could never reach is a problem before any run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.core.checks.arguments import spec_of
from engine.core.corrections import CORRECTING_CODE
from engine.core.draft import Draft, DraftStep, mapping, sequence
from engine.core.models import LLM, Llm
from engine.core.problems import Finding
from engine.core.stepspec import Catalog
from engine.core.words import did_you_mean, listed

FIXED = frozenset({"model", "max_tokens", "output", "key"})
"""Of ``llm``: who is asked, for how much at most, by whose key, and what those after it rely on."""


def check_corrections(draft: Draft, catalog: Catalog | None) -> Iterator[Finding]:
    """Unknown arguments among those that may be changed; corrections where no model can be asked."""
    code = CORRECTING_CODE.partition("@")[0]
    for step in draft.steps:
        rules = mapping(step.data.get("correct"))
        if rules is None:
            continue
        path = (*step.path, "correct")
        if catalog is not None and code not in catalog:
            yield Finding(path, "no model can be asked here", f"add the step {code}")
        known = _arguments(step, catalog)
        for at, name in enumerate(sequence(rules.get("may_change")) or ()):
            if not isinstance(name, str):
                continue
            if _asks(step) and name in FIXED:
                words = f"no correction may change {name}, which is part of what the step may cost or has to give"
                yield Finding((*path, "may_change", at), words, f"leave it out; {listed(known or ())} may be changed")
            elif known is not None and name not in known:
                yield Finding((*path, "may_change", at), f"there is no argument {name}", did_you_mean(name, known))


def _asks(step: DraftStep) -> bool:
    return LLM in step.data or (step.uses or "").partition("@")[0] == LLM


def _arguments(step: DraftStep, catalog: Catalog | None) -> list[str] | None:
    """What the step takes, by name; None where that is not known."""
    if _asks(step):
        return [name for name in Llm.model_fields if name not in FIXED]
    spec = spec_of(step.uses, step.path, catalog) if step.uses is not None and catalog is not None else None
    if spec is None or isinstance(spec, Finding):
        return None
    schema: Mapping[str, Any] = spec.arguments
    return list(schema["properties"]) if schema.get("additionalProperties", True) is False else None
