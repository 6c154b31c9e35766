"""Types of expressions: what surely does not fit is told, and nothing else."""

from __future__ import annotations

import random

import pytest

from engine.core.checks.outputs import DEEPEST, Outputs
from engine.core.checks.scopes import Scopes
from engine.core.checks.syntax import parse
from engine.core.checks.types import ANY, DEPTH, NOTHING, TEXT, WHOLE, Type, of_schema, of_value, record
from engine.core.draft import Draft, Sight, Spot
from engine.core.loader import load_yaml
from engine.core.program import Invalid, compiled
from engine.core.yamltree import read
from tests.core.checking import STEPS, found, steps

HEAD = """\
name: w
input:
  n: {type: integer}
  text: {type: string}
  maybe: {type: string, required: false}
  env: {type: choice, choices: [prod, test]}
  rate: {type: number}
steps:
  - {id: log, uses: git.log}
  - {id: get, uses: http.request, with: {url: x}}
  - {id: tags, for_each: {items: "${{ steps.log.output.commits }}", max_items: 9}, uses: git.tag, with: {repo: ., name: "${{ item.hash }}"}}
  - {id: gate, approval: {title: x, approvers: ["@a"]}}
  - {id: vals, set: {a: 1, b: {c: "${{ input.n * 2 }}"}, d: ["${{ input.text }}"]}}
  - {id: paid, wait_for: {signal: paid, payload: {amount: {type: number}, note: {required: false}}}}
  - {id: late, wait_for: {signal: late, payload: {amount: {type: number}}, timeout: 1h, on_timeout: continue}}
  - {id: poll, repeat: {until: steps.look.output.status == 200, max: 3}, steps: [{id: look, uses: http.request, with: {url: x}}]}
  - {id: left, if: input.n > 1, uses: git.log}
"""  # noqa: E501


def of(expression: str) -> list[str]:
    """The problems of one expression, without their place."""
    text = HEAD + f"  - id: x\n    set:\n      v: |-\n        ${{{{ {expression} }}}}\n"
    return [problem.split(".set.v: ", 1)[1] for problem in found(text)]


@pytest.mark.parametrize(
    "expression",
    [
        "input.n + 1",
        "input.rate + 1",
        "input.rate + 1.5",
        "input.text + 'a'",
        "default(input.maybe, 'a') + 'b'",
        "input.maybe == null ? 'a' : input.maybe + 'b'",
        "input.maybe != null && input.maybe.startsWith('a')",
        "input.env == 'prod' || input.env in ['test']",
        "steps.log.output.commits[0].hash + steps.log.output.text",
        "steps.log.output.commits.map(c, c.short + ': ' + c.subject).join(', ')",
        "steps.log.output.commits.filter(c, c.at > 5).map(c, c.hash)",
        "steps.log.output.commits.all(c, c.at > 5)",
        "steps.log.output.since == null",
        "steps.get.output.json.items[0].name + 'x'",
        "steps.get.output.headers['content-type'].contains('json')",
        "steps.get.output.status in [200, 201]",
        "steps.get.status == 'skipped' || steps.get.error == ''",
        "steps.tags.output[0].output.tag + steps.tags.output[0].error",
        "steps.tags.output.filter(t, t.status == 'failed').map(t, t.index)",
        "steps.gate.output.by + steps.gate.output.decision",
        "steps.vals.output.b.c + steps.vals.output.a",
        "steps.vals.output.d[0] + 'x'",
        "steps.paid.output.amount > 10",
        "steps.late.output == null ? 0.0 : double(steps.late.output.amount)",
        "steps.poll.output.outputs.look.status + steps.poll.output.iterations",
        "size(steps.left.output.commits) + 1",
        "has(steps.get.output.json.x) ? steps.get.output.json.x : 1",
        "has(steps.vals.output.x)",
        "timestamp('2030-01-01T00:00:00Z') - duration('1h') < timestamp('2031-01-01T00:00:00Z')",
        "type(input.n) == int && dyn(input.n) == 1",
        "{'a': input.n}.a + 1",
        "[1, 'a', null][input.n]",
        "math.abs(-input.n) + 1",
        "input.text.split(',').map(part, trim(part)).filter(part, part != '')[0].size()",
        "run.started_at + 1",
        "-(1 + 2) * 3 % 4 - 5 / 6 == -7 && !(1 < 2) || true ? 1 : 2",
        'input["text"] + r"\\d" + """a"b"""',
        "steps.get.output.body == 'backup'",
        "input.n == 1.0",
        "input.n == null || null != steps.log.output",
    ],
)
def test_what_may_fit_is_left_alone(expression: str) -> None:
    assert of(expression) == []


CONVERT = "nothing is converted by itself, use string(x), int(x) or double(x)"


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("input.n + 'a'", f"input.n (a whole number) and text do not fit together by +; {CONVERT}"),
        ("input.n + 1.5", f"input.n (a whole number) and a number do not fit together by +; {CONVERT}"),
        ("true + true", f"true or false and true or false do not fit together by +; {CONVERT}"),
        ("input.text - 'a'", f"input.text (text) and text do not fit together by -; {CONVERT}"),
        ("steps.log.output.comits", "steps.log.output has no comits; did you mean commits?"),
        ("steps.log.output.commits[0].hsh", "steps.log.output.commits[0] has no hsh; did you mean hash?"),
        ("steps.log.output['texts']", "steps.log.output has no texts; did you mean text?"),
        ("steps.log.output.commits.map(c, c.hsh)", "c has no hsh; did you mean hash?"),
        ("steps.left.output.comits", "steps.left.output has no comits; did you mean commits?"),
        ("steps.log.output.text.x", "steps.log.output.text is text, so it has no x"),
        ("steps.log.output.commits.hash", "steps.log.output.commits is a list, so it has no hash"),
        ("steps.log.output.commits['a']", "steps.log.output.commits is a list, so it has no a"),
        ("steps.log.output.commits[input.text]", "the place in a list is a whole number, this is text"),
        ("steps.log.output.since.x", "steps.log.output.since is text or nothing (null), so it has no x"),
        ("steps.get.output.status.code", "steps.get.output.status is a whole number, so it has no code"),
        ("steps.tags.output.tag", "steps.tags.output is a list, so it has no tag"),
        ("steps.tags.output[0].output.tg", "steps.tags.output[0].output has no tg; did you mean tag?"),
        ("steps.gate.output.decision == 'denid'", "steps.gate.output.decision is never denid; it is one of granted"),
        ("steps.vals.output.e", "steps.vals.output has no e; there is: a, b, d"),
        ("steps.vals.output.b.c + 'x'", "steps.vals.output.b.c (a whole number) and text do not fit together by +"),
        ("steps.paid.output.amout", "steps.paid.output has no amout; did you mean amount?"),
        ("steps.poll.output.outputs.look.sttus", "steps.poll.output.outputs.look has no sttus; did you mean status?"),
        ("steps.poll.output.outputs.lok", "steps.poll.output.outputs has no lok; did you mean look?"),
        ("steps.get.status == 'complete'", "steps.get.status is never complete; it is one of completed, failed, skip"),
        ("input.env == 'production'", "input.env is never production; it is one of prod, test; did you mean prod?"),
        ("input.n == 'a'", f"input.n (a whole number) and text are never equal; {CONVERT}"),
        ("input.text > 1", f"input.text (text) and a whole number cannot be compared by >; {CONVERT}"),
        ("null < 1", f"nothing (null) and a whole number cannot be compared by <; {CONVERT}"),
        ("input.n && true", "what stands before && is true or false, this is a whole number; compare it, such as"),
        ("true || input.text", "what stands behind || is true or false, this is text; compare it"),
        ("!input.n", "what stands behind ! is true or false, this is a whole number; compare it"),
        ("input.n ? 1 : 2", "what stands before ? is true or false, this is a whole number; compare it"),
        ("-input.text", f"- turns a number around, this is text; {CONVERT}"),
        ("'a' in input.text", "in looks into a list or a mapping, this is text"),
        ("lower(input.n)", f"lower() needs text, this is a whole number; {CONVERT}"),
        ("input.n.split(',')", f"split() needs text, this is a whole number; {CONVERT}"),
        ("size(input.n)", "size() needs text or a mapping or a list or bytes, this is a whole number"),
        ("lines(input.text)", f"lines() needs a list, this is text; {CONVERT}"),
        ("input.text.map(x, x)", "map() needs a list, this is text"),
        ("[1].filter(x, x)", "the condition of filter() is true or false, this is a whole number; compare it"),
        ("{'a': 1}.b", "this has no b; there is: a"),
    ],
)
def test_what_surely_does_not_fit_is_one_problem(expression: str, problem: str) -> None:
    problems = of(expression)
    assert len(problems) == 1, problems
    assert problems[0].startswith(problem)


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (
            "{id: x, uses: git.log, with: {limit: '${{ input.text }}'}}",
            "with.limit: must be a whole number; this",
        ),
        (
            "{id: x, uses: git.log, with: {repo: '${{ input.n }}'}}",
            "with.repo: must be text; this gives a whole number",
        ),
        ("{id: x, uses: git.log, with: {repo: '${{ [1] }}'}}", "with.repo: must be text; this gives a list; json(x)"),
        ("{id: x, uses: git.log, with: {repo: 5}}", "with.repo: must be text; it is a number; put it in quotes"),
        ("{id: x, uses: http.request, with: {url: x, method: GOT}}", "with.method: must be one of GET, HEAD"),
        ("{id: x, uses: http.request, with: {url: x, headers: {a: 1}}}", "with.headers.a: must be text; it is a"),
        ("{id: x, uses: http.request, with: {url: x, headers: {a: '${{ 1 }}'}}}", "with.headers.a: must be text; this"),
        ("{id: x, uses: shell.run, with: {program: x, args: [a, 1]}}", "with.args[2]: must be text; it is a number"),
        ("{id: x, uses: shell.run, with: {program: x, args: '${{ input.n }}'}}", "with.args: must be a list; this"),
        ("{id: x, if: input.n, set: {a: 1}}", "if: a condition is true or false, this is a whole number; compare it"),
        ("{id: x, sleep: '${{ input.n > 1 }}'}", "sleep: must be a duration such as 30s; this gives true or false"),
        ("{id: x, sleep: {until: '${{ input.n }}'}}", "sleep.until: must be a date and time such as"),
        ("{id: x, for_each: {items: '${{ input.n }}', max_items: 1}, uses: set}", "for_each.items: must be a list"),
        (
            (
                "{id: x, for_each: {items: '${{ steps.log.output.commits }}', max_items: 1}, steps: "
                "[{id: y, set: {a: '${{ item.hsh }}'}}]}"
            ),
            "steps.y.set.a: item has no hsh; did you mean hash?",
        ),
        (
            "{id: x, repeat: {until: iteration == 3, max: 9}, steps: [{id: y, set: {a: '${{ previous.z }}'}}]}",
            "steps.y.set.a: previous has no z; there is: y",
        ),
        (
            (
                "{id: x, uses: git.tag, with: {repo: ., name: x}, undo: {uses: git.tag, with: "
                "{repo: ., name: '${{ steps.x.output.created }}'}}}"
            ),
            "undo.with.name: must be text; this gives true or false",
        ),
    ],
)
def test_values_that_do_not_fit_their_place(step: str, problem: str) -> None:
    problems = found(f"{HEAD}  - {step}\n")
    assert len(problems) == 1, problems
    assert problems[0].split(": steps.x.", 1)[1].startswith(problem)


def test_what_may_be_left_out_may_be_null() -> None:
    step = "  - {{id: x, uses: http.request, with: {{url: x, body: '${{{{ steps.{0}.output }}}}'}}}}\n"
    assert found(HEAD + step.format("left")) == []
    (problem,) = found(HEAD + step.format("log"))
    assert "with.body: must be text; this gives a mapping" in problem


@pytest.mark.parametrize(
    "source",
    ["1" + " + 1" * 480, "input" + ".x" * 900, "!" * 900 + "true", "[" * 60 + "1" + "]" * 60, "a.?b", "Type{a: 1}"],
)
def test_what_is_too_much_for_types_is_left_alone(source: str) -> None:
    text = f'name: w\ninput: {{x: {{}}}}\nsteps:\n  - {{id: a, set: {{v: "${{{{ {source} }}}}"}}}}\n'
    assert not [problem for problem in load_yaml(text, "f", STEPS).problems if "fit" in problem.message]


def test_long_chains_of_values_are_checked_without_recursing() -> None:
    chain = (f'{{id: s{i}, needs: [s{i + 1}], set: {{v: "${{{{ steps.s{i + 1}.output.v }}}}"}}}}' for i in range(800))
    text = steps(*chain, "{id: s800, needs: [], set: {v: 1}}")
    assert found(text) == []
    scopes = Scopes(Draft.of(read(text).data))
    outputs, (group,) = Outputs(scopes, STEPS, None), scopes.draft.groups
    outputs.of_text("${{ steps.s0.output }}", Spot((), "", Sight.END), group, None)
    assert len(vars(outputs)["_known"]) == DEEPEST


def test_the_parser_takes_whatever_the_library_takes_or_leaves_it() -> None:
    """Random expressions: no exception gets out, and what is parsed has all of its tokens used."""
    chance = random.Random(11)
    bits = [
        "1",
        "1.5",
        "'a'",
        "b",
        "input.n",
        "[1]",
        "{'a': 1}",
        "size(x)",
        "x.f(1)",
        "(",
        ")",
        "?",
        ":",
        "+",
        "-",
        "!",
    ]
    bits += ["&&", "||", "==", "<", "in", ".", ",", "[", "]", "{", "}", "has(a.b)", "[1].map(i, i)", "null", "true"]
    seen = 0
    for _ in range(5_000):
        source = " ".join(chance.choice(bits) for _ in range(chance.randint(1, 9)))
        tree = parse(source)
        try:
            compiled(source)
        except Invalid:
            continue
        assert tree is not None, source
        seen += 1
    assert seen > 100


class TestTypes:
    def test_a_schema_that_refers_to_itself_ends(self) -> None:
        node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "n": {"type": "integer"}}}
        type_ = of_schema({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
        assert type_.members["next"].members["next"].members["n"] == WHOLE

    def test_options_are_one_type(self) -> None:
        type_ = of_schema({"anyOf": [{"type": "string"}, {"type": "null"}]})
        assert type_.kinds == TEXT.or_else(NOTHING).kinds
        assert of_schema({"anyOf": [{"type": "string"}, {}]}) == ANY
        assert type_.say() == "text or nothing (null)"

    def test_of_two_mappings_only_what_neither_has_is_missing(self) -> None:
        either = record({"a": WHOLE}).or_else(record({"b": TEXT}))
        assert either.member("a") is not None
        assert either.member("b") is not None
        assert either.member("c") is None
        assert record({"a": WHOLE}).or_else(Type(frozenset({"object"}))).member("c") == ANY

    def test_what_is_far_inside_may_be_anything(self) -> None:
        one, other = WHOLE, TEXT
        for _ in range(DEPTH + 1):
            one, other = record({"a": one}), record({"a": other})
        either: Type | None = one.or_else(other)
        for _ in range(DEPTH + 1):
            assert either is not None
            either = either.member("a")
        assert either == ANY

    def test_constants(self) -> None:
        assert of_value({"a": [1, "x"]}).members["a"].element().kinds == {"integer", "string"}
        assert of_value(None).kinds == {"null"}
        assert of_value(2.5).kinds == {"double"}
