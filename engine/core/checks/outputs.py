"""The types of the names that expressions begin with: inputs, what steps give, and what loops hand to their inside.

The one rule: what an operator may do to a run (skip a step, set its output) is not looked at; what the definition says
must fit together by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import JsonValue

from engine.core.checks.calls import Callees
from engine.core.checks.inference import Inference
from engine.core.checks.inputs import edit_field_of, field_of
from engine.core.checks.scopes import Scopes
from engine.core.checks.syntax import parse
from engine.core.checks.types import ANY, NOTHING, NUMBER, TEXT, TRUTH, WHOLE, Type, list_of, of_schema, one_of, record
from engine.core.draft import Draft, DraftGroup, DraftStep, GroupKind, Sight, Spot, mapping, text
from engine.core.expressions import ExpressionError, Template
from engine.core.jsonschemas import schema_findings
from engine.core.kinds import InputField, InputType, TypedField
from engine.core.models import shapes_of
from engine.core.problems import Path
from engine.core.program import Program
from engine.core.stepspec import Catalog, VersionSpec

DEEPEST = 20
"""So many outputs that are said by each other's types are followed at once; steps in their order need one."""
_ENDED = one_of(("completed", "failed", "skipped"))
_GATE: dict[str, Type] = {
    "decision": one_of(("granted", "denied", "expired")),
    "by": TEXT.or_else(NOTHING),
    "reason": TEXT.or_else(NOTHING),
    "at": WHOLE,
    "approved_by": list_of(TEXT),
}
_USAGE = record({"input_tokens": WHOLE, "output_tokens": WHOLE})
_ANSWER = record({"text": TEXT, "value": ANY, "turns": WHOLE, "usage": _USAGE, "cost": NUMBER})
"""What an agent gives."""
_REPLY = {"text": TEXT, "model": TEXT, "usage": _USAGE, "cost": NUMBER, "finish": TEXT}
"""What a question to a model gives, besides its value."""
_RUN = record({"id": TEXT, "workflow": TEXT, "started_by": TEXT, "started_at": WHOLE}, closed=False)
_FAILURE = record(dict.fromkeys(("step", "kind", "reason", "class"), TEXT), closed=False)
_OF_INPUT = {InputType.INTEGER: WHOLE, InputType.NUMBER: NUMBER, InputType.BOOLEAN: TRUTH}


def _of_typed(field: TypedField | None) -> Type:
    if field is None:
        return ANY
    return one_of(field.choices) if field.choices else _OF_INPUT.get(field.type, TEXT)


def of_field(field: InputField) -> Type:
    """The type of a value that was read for the field."""
    type_ = _of_typed(field)
    return type_ if field.is_required or field.default is not None else type_.or_else(NOTHING)


def of_fields(fields: Mapping[str, Any], *, closed: bool) -> Type:
    """The type of all the values together; one whose field is wrong may be anything."""
    known = {name: field_of(raw) for name, raw in fields.items()}
    return record({name: ANY if field is None else of_field(field) for name, field in known.items()}, closed=closed)


def version_of(uses: str, catalog: Catalog | None) -> VersionSpec | None:
    """What is known of the step and version that ``uses`` names."""
    name, _, version = uses.partition("@")
    spec = (catalog or {}).get(name)
    if spec is None or (version and not version.isdigit()):
        return None
    return spec.by_version.get(int(version) if version else spec.latest)


class Outputs:
    """The types in one draft; each step's is told once."""

    def __init__(self, scopes: Scopes, catalog: Catalog | None, callees: Callees | None) -> None:
        self._scopes = scopes
        self._catalog = catalog
        self._callees = callees
        self._inputs = of_fields(scopes.draft.inputs, closed=False)
        self._known: dict[Path, Type] = {}
        self._schemas: dict[int, Type] = {}
        self._depth = 0
        self._children: dict[str, Type] = {}
        self._level = 0
        """How many callers there are above, of which this is a callee."""

    def of_schema(self, schema: Mapping[str, Any]) -> Type:
        """The type that the schema of a step in the catalog allows."""
        key = id(schema)  # the catalog keeps them
        if key not in self._schemas:
            self._schemas[key] = of_schema(schema)
        return self._schemas[key]

    def infer(
        self, program: Program, spot: Spot, group: DraftGroup, step: DraftStep | None
    ) -> tuple[Type, list[tuple[str, str]]]:
        """The type of an expression at ``spot``, and what is wrong with it."""
        node = parse(program.source)
        if node is None:
            return ANY, []
        inference = Inference(lambda root: self._root(root, program, spot, group, step))
        try:
            type_ = inference.infer(node)
        except RecursionError:  # hundreds of operators in a row; the library, which does not recurse here, takes them
            return ANY, []
        return type_, inference.problems

    def of_text(self, text: str, spot: Spot, group: DraftGroup, step: DraftStep | None) -> Type:
        """The type that a text with expressions renders to; ``ANY`` if it has a problem by itself."""
        try:
            template = Template.parse(text)
        except ExpressionError:
            return ANY
        part = template.parts[0]
        if len(template.parts) != 1 or isinstance(part, str):
            return TEXT
        if any(self._scopes.check(spot, template.references, group, step)):
            return ANY
        return self.infer(part, spot, group, step)[0]

    def of_value(self, value: JsonValue, spot: Spot, group: DraftGroup, step: DraftStep | None) -> Type:
        """The type of JSON with expressions in it."""
        if isinstance(value, str):
            return self.of_text(value, spot, group, step) if "${{" in value else TEXT
        if isinstance(value, dict):
            return record({name: self.of_value(part, spot, group, step) for name, part in value.items()})
        if isinstance(value, list):
            parts = [self.of_value(part, spot, group, step) for part in value]
            items = parts[0] if parts else ANY
            for part in parts[1:]:
                items = items.or_else(part)
            return list_of(items)
        return _of_scalar(value)

    def item(self, holder: DraftStep, group: DraftGroup) -> Type:
        """The type of ``item`` in the loop ``holder``, which is a step of ``group``."""
        items = (mapping(holder.data.get("for_each")) or {}).get("items")
        spot = Spot((*holder.path, "for_each", "items"), "", Sight.STEP)
        found = self.of_value(items, spot, group, holder)
        return found.element() if found.is_only("array") else ANY

    def _root(self, root: str, program: Program, spot: Spot, group: DraftGroup, step: DraftStep | None) -> Type:
        if root == "steps":
            found = {name: self._seen(name, spot, group, step) for name in program.steps}
            return record({name: type_ for name, type_ in found.items() if type_ is not None}, closed=False)
        if root in ("item", "previous"):
            return self._of_loop(root, spot, group, step)
        fixed = {"input": self._inputs, "run": _RUN, "failure": _FAILURE, "index": WHOLE, "iteration": WHOLE}
        return fixed.get(root, ANY)

    def _seen(self, name: str, spot: Spot, group: DraftGroup, step: DraftStep | None) -> Type | None:
        home = self._scopes.find(name, spot, group, step)
        if home is None:
            return None
        output = self._output(home.steps[home.places[name]], home)
        status = _ENDED
        if GroupKind.ON_FAILURE in {at.kind for at in (group, *group.around())} and home is not group:
            output, status = output.or_else(NOTHING), TEXT  # the failure may have come before it, or at the same time
        return record({"output": output, "status": status, "error": TEXT}, closed=False)

    def _of_loop(self, root: str, spot: Spot, group: DraftGroup, step: DraftStep | None) -> Type:
        kind = GroupKind.EACH if root == "item" else GroupKind.REPEAT
        if step is not None and spot.sight is Sight.ITEM and root == "item":
            return self.item(step, group)
        inside = self._scopes.inside(step) if step is not None and spot.sight is Sight.PASS else None
        for at in ([inside] if inside else []) + [group, *group.around()]:
            if at.kind is kind and at.holder is not None and at.outer is not None:
                if root == "item":
                    return self.item(at.holder, at.outer)
                return self._outputs_of(at).or_else(NOTHING)
        return ANY

    def _outputs_of(self, group: DraftGroup) -> Type:
        """What a pass gives: the outputs by step, null for one that was skipped."""
        return record({id_: self._output(group.steps[at], group).or_else(NOTHING) for id_, at in group.places.items()})

    def _output(self, step: DraftStep, group: DraftGroup) -> Type:
        if step.path not in self._known:
            if self._depth == DEEPEST:
                return ANY
            self._known[step.path] = ANY  # for a definition that goes round in a circle
            self._depth += 1
            self._known[step.path] = self._told(step, group)
            self._depth -= 1
        return self._known[step.path]

    def _told(self, step: DraftStep, group: DraftGroup) -> Type:
        output = self._single(step, group)
        if "for_each" in step.data:
            members = {"index": WHOLE, "status": _ENDED, "output": output.or_else(NOTHING), "error": TEXT}
            output = list_of(record(members, closed=False))
        may_be_left_out = step.condition is not None or step.needs or step.data.get("continue_on_error")
        return output.or_else(NOTHING) if may_be_left_out else output

    def _single(self, step: DraftStep, group: DraftGroup) -> Type:
        """What the step gives when it completes; of a for_each, what one item gives."""
        if step.uses is not None:
            version = version_of(step.uses, self._catalog)
            return ANY if version is None else self.of_schema(version.result)
        if "agent" in step.data:
            return _ANSWER
        if (asked := mapping(step.data.get("llm"))) is not None:
            return record({**_REPLY, "value": self._value(asked.get("output"))})
        if "approval" in step.data:
            edit = mapping((mapping(step.data["approval"]) or {}).get("edit")) or {}
            fields = {name: edit_field_of(raw) for name, raw in edit.items()}
            return record({**_GATE, "fields": record({name: _of_typed(one) for name, one in fields.items()})})
        if (values := mapping(step.data.get("set"))) is not None:
            spot = Spot((*step.path, "set"), "", Sight.STEP)
            return self.of_value(cast("JsonValue", dict(values)), spot, group, step)
        if (wait := mapping(step.data.get("wait_for"))) is not None:
            return _payload(wait)
        if step.called is not None:
            return self._called(step.called[1])
        inside = self._scopes.inside(step)
        if inside is None:
            return ANY
        if inside.kind is GroupKind.EACH:
            return self._outputs_of(inside)
        return record({"iterations": WHOLE, "met": TRUTH, "outputs": self._outputs_of(inside)}, closed=False)

    def _value(self, output: object) -> Type:
        """What a model gives that is asked for this."""
        if (name := text(output)) is None:
            return _of_written(mapping(output))
        schema = (shapes_of(self._catalog) or {}).get(name)
        return ANY if schema is None else self.of_schema(schema)

    def _called(self, name: str) -> Type:
        """What a child run gives: nothing, unless its workflow says what."""
        callee: Draft | None = self._callees.drafts.get(name) if self._callees is not None else None
        if callee is None or self._level == DEEPEST:
            return ANY
        if name not in self._children:
            self._children[name] = ANY  # for workflows that call each other in a circle
            inner = Outputs(Scopes(callee), self._catalog, self._callees)
            inner._children, inner._level = self._children, self._level + 1
            self._children[name] = inner.whole()
        return self._children[name]

    def whole(self) -> Type:
        """The type of the workflow's own output."""
        spot = Spot(("output",), "", Sight.END)
        return self.of_value(self._scopes.draft.data.get("output"), spot, self._scopes.draft.groups[0], None)


def _of_written(schema: Mapping[str, Any] | None) -> Type:
    """The type that a schema allows which a definition gives; of one that is none, anything."""
    if schema is None:
        return NOTHING
    return ANY if any(schema_findings((), schema)) else of_schema(schema)


def _payload(wait: Mapping[str, Any]) -> Type:
    declared = mapping(wait.get("payload"))
    payload = of_fields(declared, closed=True) if declared else ANY
    return payload.or_else(NOTHING) if wait.get("on_timeout") == "continue" else payload


def _of_scalar(value: JsonValue) -> Type:
    """The kind of a constant, not its value: that is one of the author's choice."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return TRUTH
    return WHOLE if isinstance(value, int) else NUMBER
