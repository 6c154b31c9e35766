"""Questions to models: is the provider there, can the schema be one, are texts texts?

The one rule: what a model is asked for is known before the run, since what it may cost is reckoned from that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from engine.core.checks.outputs import Outputs
from engine.core.checks.types import TEXT, list_of
from engine.core.checks.values import check_value
from engine.core.draft import Draft, DraftGroup, DraftStep, Sight, Spot, mapping, text
from engine.core.jsonschemas import schema_findings
from engine.core.models import LLM, shapes_of
from engine.core.problems import Finding, Path
from engine.core.stepspec import Catalog
from engine.core.words import did_you_mean, one_line

PROVIDERS = "providers"
"""In the schema of the step's ``model``: the names of the providers that there are."""
_TEXTS = {"prompt": TEXT, "system": TEXT, "images": list_of(TEXT)}


def check_models(draft: Draft, catalog: Catalog | None, outputs: Outputs) -> Iterator[Finding]:
    """Of steps with ``llm``, and of agents."""
    for group in draft.groups:
        for step in group.steps:
            for word in (LLM, "agent"):
                if (asked := mapping(step.data.get(word))) is not None:
                    path = (*step.path, word)
                    yield from _model((*path, "model"), text(asked.get("model")), catalog)
                    yield from _output((*path, "output"), asked.get("output"), catalog)
            yield from _texts(step, group, outputs)
            if LLM in step.data and catalog is not None and LLM not in catalog:
                yield Finding((*step.path, LLM), "no model can be asked here", f"add the step {LLM}")


def _model(path: Path, model: str | None, catalog: Catalog | None) -> Iterator[Finding]:
    if model is None:
        return
    if "${{" in model:
        yield Finding(path, "cannot hold an expression", "what it costs has to be known before; write the model itself")
        return
    provider, colon, _ = model.partition(":")
    known = _providers(catalog)
    if colon and known and provider not in known:
        yield Finding(path, f"there is no provider {provider} here", did_you_mean(provider, known))


def _providers(catalog: Catalog | None) -> list[str]:
    """Those that the step knows; none if nothing is known of it."""
    spec = None if catalog is None else catalog.get(LLM)
    properties: Mapping[str, Any] = {} if spec is None else spec.version().arguments.get("properties", {})
    return list(properties.get("model", {}).get(PROVIDERS, ()))


def _output(path: Path, output: object, catalog: Catalog | None) -> Iterator[Finding]:
    if (described := mapping(output)) is not None:
        yield from schema_findings(path, described)
    known = shapes_of(catalog)
    if (name := text(output)) is not None and known is not None and name not in known:
        yield Finding(path, f"there is no shape {one_line(name)} here", did_you_mean(name, sorted(known)))


def _texts(step: DraftStep, group: DraftGroup, outputs: Outputs) -> Iterator[Finding]:
    """Expressions that surely give something else."""
    asked = mapping(step.data.get(LLM)) or {}
    spot = Spot((*step.path, LLM), "", Sight.ITEM if "for_each" in step.data else Sight.STEP)
    type_of = partial(outputs.of_text, spot=spot, group=group, step=step)
    for word, wanted in _TEXTS.items():
        if word in asked and "${{" in str(asked[word]):
            yield from check_value((*spot.path, word), asked[word], wanted, type_of)
