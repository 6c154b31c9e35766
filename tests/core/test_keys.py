"""Keys and secrets as facts: what is refused, in which words, and that no event and no state can hold a value."""

from __future__ import annotations

import pytest

from engine.core import keys as ks
from engine.core.events import Actor
from engine.core.expressions import ExpressionError, Template
from engine.core.key_events import KeyAdded, KeyRevoked, KeyRotated, SecretSet
from engine.core.workspace import EMPTY, Refused, WorkspaceState, decide, evolve
from tests.core.checking import found, steps

ANA = Actor(via="cli", id="ana", name="Ana")
MAY = frozenset({ks.KEYS})
FIRST, SECOND = ks.Entry("pk_1", "ABCD", "f1"), ks.Entry("pk_2", "EFGH", "f2")


def after(*commands: ks.KeyCommand) -> WorkspaceState:
    """The state when these commands were accepted one after the other."""
    state = EMPTY
    for command in commands:
        verdict = decide(state, command, now=0)
        assert isinstance(verdict, tuple), verdict
        for event in verdict:
            state = evolve(state, state.seq + 1, 7, event)
    return state


ADDED = after(ks.AddKey("openai", "default", FIRST, ANA, MAY))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (ks.AddKey("openai", "default", SECOND, ANA, MAY), "is there already; vb keys rotate openai replaces it"),
        (ks.AddKey("openai", "two", FIRST, ANA, MAY), "this is the key default of openai already"),
        (ks.RotateKey("openai", "default", FIRST, ANA, MAY), "has this value already"),
        (ks.RotateKey("openai", "defualt", SECOND, ANA, MAY), "did you mean default"),
        (ks.RevokeKey("anthropic", "default", ANA, MAY), "there is no key of anthropic; vb keys add anthropic"),
        (ks.RemoveSecret("TOKEN", ANA, MAY), "there is no secret TOKEN; vb secrets set TOKEN makes one"),
        (ks.AddKey("anthropic", "default", SECOND, ANA, frozenset()), "takes the role admin"),
        (ks.SetSecret("TOKEN", SECOND, ANA, frozenset()), "takes the role admin"),
    ],
)
def test_what_cannot_be_is_refused_in_words_that_say_what_to_do(command: ks.KeyCommand, words: str) -> None:
    verdict = decide(ADDED, command, now=0)
    assert isinstance(verdict, Refused)
    assert words in verdict.reason


def test_a_value_that_is_set_again_changes_nothing() -> None:
    state = after(ks.SetSecret("TOKEN", FIRST, ANA, MAY))
    new = decide(state, ks.SetSecret("TOKEN", SECOND, ANA, MAY, if_new=True), now=0)
    assert isinstance(new, Refused)
    assert "the secret TOKEN is there already" in new.reason
    assert decide(state, ks.SetSecret("TOKEN", FIRST, ANA, MAY), now=0) == ()
    assert decide(state, ks.SetSecret("TOKEN", SECOND, ANA, MAY), now=0) == (
        SecretSet(name="TOKEN", key="pk_2", previous="pk_1", last_four="EFGH", fingerprint="f2", by=ANA),
    )


def test_each_value_has_an_id_of_its_own_which_the_events_follow() -> None:
    rotated = decide(ADDED, ks.RotateKey("openai", "default", SECOND, ANA, MAY), now=0)
    assert isinstance(rotated, tuple)
    (event,) = rotated
    assert isinstance(event, KeyRotated)
    assert (event.previous, event.key) == ("pk_1", "pk_2")
    state = evolve(ADDED, 2, 8, event)
    revoked = KeyRevoked(provider="openai", name="default", key="pk_2", by=ANA, reason="left")
    assert decide(state, ks.RevokeKey("openai", "default", ANA, MAY, "left"), now=0) == (revoked,)
    assert not evolve(state, 3, 9, revoked).keys


@pytest.mark.parametrize(
    ("value", "shown"), [("sk-0123456789abcdef", "cdef"), ("0123456789abcde", ""), ("x" * 15 + " yz\t", "")]
)
def test_short_values_show_no_character(value: str, shown: str) -> None:
    assert ks.last_four(value) == shown


@pytest.mark.parametrize("value", ["short", " sk-0123456789", "sk-\0-0123456789", "x" * 8_193])
def test_a_refused_value_is_not_repeated(value: str) -> None:
    with pytest.raises(ValueError, match="it ") as refused:
        ks.checked_value(value)
    assert value not in str(refused.value)


def test_the_line_break_of_a_terminal_is_no_part_of_a_value() -> None:
    assert ks.checked_value("sk-0123456789\r\n") == "sk-0123456789"


@pytest.mark.parametrize("word", ["Open AI", "secrets", "", "1ai"])
def test_a_name_that_no_provider_can_have_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="provider"):
        ks.provider_named(word)


@pytest.mark.parametrize("word", ["sk-0123", "a" * 25, "two words"])
def test_what_may_be_a_key_is_no_name_of_one_and_is_not_repeated(word: str) -> None:
    with pytest.raises(ValueError, match="this cannot name a key") as refused:
        ks.key_named(word)
    assert word not in str(refused.value)


@pytest.mark.parametrize("word", ["sk-0123", "SK-0123", "two words"])
def test_what_may_be_a_key_names_no_provider_either_and_is_not_repeated(word: str) -> None:
    with pytest.raises(ValueError, match="this cannot name a provider") as refused:
        ks.provider_named(word)
    assert word not in str(refused.value)


NAMES = ("DEPLOY_TOKEN", "NPM_TOKEN", "npm_token_of_publishers", "HF_TOKEN_2", "asia_prod", "batch-jobs.2026-11")
MORE_NAMES = ("sha256_of_the_release", "serviceaccountkey2026")
ISSUED = ("sk-a", "AKIAIOSFODNN7EXAMPLE", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "npm_ofPublishers2ndDay")
RANDOM = ("a1B2c3D4e5F6g7H8", "prefix_9f86d081884c7d659a2feaa0c55ad015")


@pytest.mark.parametrize(
    ("word", "is_value"),
    [*((name, False) for name in (*NAMES, *MORE_NAMES)), *((word, True) for word in (*ISSUED, *RANDOM))],
)
def test_what_looks_like_a_value_becomes_no_name(word: str, is_value: bool) -> None:
    assert ks.looks_like_value(word) is is_value
    kept = ks.decide({}, ks.SetSecret(word, ks.Entry("key_1", "", "f"), ANA, frozenset({ks.KEYS})))
    assert (kept == ks.VALUE_TYPED) is is_value
    assert (word in ks.missing("openai", word, {("openai", "a"): None})) is not is_value


def test_events_have_no_place_for_a_value() -> None:
    with pytest.raises(ValueError, match="value"):
        KeyAdded.model_validate({"provider": "a", "name": "b", "key": "k", "fingerprint": "f", "by": ANA, "value": "v"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${{ secrets.A + 'x' }}", "a secret is given as it is"),
        ("${{ [secrets.A] }}", "a secret is given as it is"),
        ("${{ size(secrets.A) }}", "a secret is given as it is"),
        ("${{ secrets }}", "secrets needs the name of one"),
        ("${{ secrets.A.b }}", "a secret has no members"),
    ],
)
def test_an_expression_gives_a_secret_as_it_is_or_not_at_all(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        Template.parse(text)


HTTP = "{id: a, uses: http.request, with: {url: 'https://x', headers: {Authorization: 'Bearer ${{ secrets.T }}'}}}"


def test_a_secret_may_be_in_what_a_step_or_its_compensation_is_given() -> None:
    undo = "{id: b, uses: set, undo: {uses: http.request, with: {url: 'https://x', body: '${{ secrets.T }}'}}}"
    each = "{id: c, uses: set, for_each: {items: [1], max_items: 1}, with: {n: '${{ item }}', t: '${{ secrets.T }}'}}"
    shell = "{id: d, uses: shell.run, with: {program: sh, env: {T: '${{ secrets.T }}'}, stdin: '${{ secrets.T }}'}}"
    assert found(steps(HTTP, undo, each, shell)) == []


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("{id: b, set: {t: '${{ secrets.T }}'}}", "b.set.t"),
        ("{id: b, approval: {title: 'Use ${{ secrets.T }}?', approvers: ['@x']}}", "b.approval.title"),
        ("{id: b, uses: set, if: \"secrets.T == 'x'\"}", "b.if"),
        ("{id: b, uses: set, for_each: {items: '${{ secrets.T }}', max_items: 1}}", "b.for_each.items"),
        ("{id: b, wait_for: {signal: s, correlation: '${{ secrets.T }}'}}", "b.wait_for.correlation"),
        ("{id: b, workflow: {name: w, input: {t: '${{ secrets.T }}'}}}", "b.workflow.input.t"),
    ],
)
def test_everywhere_else_it_is_refused_before_anything_is_stored(line: str, where: str) -> None:
    problems = [one for one in found(steps(HTTP, line)) if "secret" in one]
    assert len(problems) == 1
    assert f"steps.{where}: " in problems[0]


def test_a_secret_is_refused_in_the_workflows_own_expressions() -> None:
    words = "secrets.T cannot be used here; a secret is given to a step's code alone: write it in the with of a step"
    assert found(steps(HTTP, output="{t: '${{ secrets.T }}'}")) == [f"4: output.t: {words}"]
    assert found(steps(HTTP, labels="{t: '${{ secrets.T }}'}")) == [f"4: labels.t: {words}"]


@pytest.mark.parametrize("argument", ["program: '${{ secrets.T }}'", "program: sh, args: [-c, 'x ${{ secrets.T }}']"])
def test_arguments_that_others_can_see_take_no_secret(argument: str) -> None:
    (problem,) = found(steps(f"{{id: a, uses: shell.run, with: {{{argument}}}}}"))
    assert "of shell.run takes no secret" in problem
    assert "give it by env or stdin" in problem
