"""Every rule of Block Kit, one broken thing at a time; and that what is right passes."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from slack_sdk.models.blocks import block_elements, blocks

from bot.simulator.blockkit import check_message_blocks, check_view
from bot.simulator.elements import ELEMENTS
from bot.simulator.errors import SlackError
from bot.simulator.schema import Report

from .broken_blocks import (
    BROKEN_MESSAGES,
    BROKEN_VIEWS,
    Json,
    actions,
    button,
    confirm,
    field,
    many,
    modal,
    mrkdwn,
    option,
    options,
    plain,
    section,
    select,
)


@pytest.mark.parametrize("name", BROKEN_MESSAGES)
def test_a_broken_message_is_refused_with_a_pointer(name: str) -> None:
    broken, problem = BROKEN_MESSAGES[name]
    with pytest.raises(SlackError) as refused:
        check_message_blocks(broken)
    assert refused.value.name == "invalid_blocks"
    assert problem in refused.value.extra["errors"]
    assert f"[ERROR] {problem}" in refused.value.extra["response_metadata"]["messages"]


@pytest.mark.parametrize("name", BROKEN_VIEWS)
def test_a_broken_view_is_refused_with_a_pointer(name: str) -> None:
    broken, problem = BROKEN_VIEWS[name]
    with pytest.raises(SlackError) as refused:
        check_view(broken, "modal")
    assert refused.value.name == "invalid_arguments"
    assert f"[ERROR] {problem}" in refused.value.extra["response_metadata"]["messages"]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SlackError) as refused:
        check_message_blocks([{"type": "header"}, section(text=mrkdwn(3001)), {"type": "nonsense"}])
    assert len(refused.value.extra["errors"]) == 3


def test_sizes_as_a_whole() -> None:
    check_message_blocks(many(section(text=mrkdwn(2900)), 4))
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        check_message_blocks(many(section(text=mrkdwn(2900)), 5))
    with pytest.raises(SlackError, match="view_too_large"):
        check_view(modal(*many(section(text=mrkdwn(3000)), 90)), "modal")
    with pytest.raises(SlackError, match="invalid_blocks_format"):
        check_message_blocks({"type": "section"})


@pytest.mark.parametrize(
    "block",
    [
        section(text=mrkdwn(3000), fields=many(mrkdwn(2000), 1), accessory=button()),
        section(accessory={"type": "image", "image_url": "https://x.example/a.png", "alt_text": "x"}),
        {"type": "header", "text": plain(150)},
        {
            "type": "context",
            "elements": [mrkdwn(), plain(), {"type": "image", "image_url": "https://x.e", "alt_text": ""}],
        },
        {"type": "divider"},
        {"type": "markdown", "text": "# x"},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]},
        actions(button(confirm=confirm(style="danger")), select(), {"type": "users_select", "action_id": "who"}),
        actions(
            select(
                options=None,
                option_groups=[{"label": plain(), "options": options(2)}],
                initial_option=option("1"),
            )
        ),
        field({"type": "plain_text_input", "multiline": True, "max_length": 3000}),
    ],
    ids=lambda block: block["type"],
)
def test_what_is_right_passes(block: Json) -> None:
    (checked,) = check_message_blocks([block])
    assert checked["block_id"]
    assert {name: checked[name] for name in block} == block


def test_ids_are_filled_in_without_touching_what_was_sent() -> None:
    sent = [section(block_id="blk0"), actions({"type": "button", "text": plain()}, button())]
    checked = check_message_blocks(sent)
    assert [block["block_id"] for block in checked] == ["blk0", "blk1"]
    assert [element["action_id"] for element in checked[1]["elements"]] == ["act0", "go"]
    assert "block_id" not in sent[1]


def models_of(module: ModuleType) -> list[Any]:
    """The classes that this module of slack_sdk defines, by their `type`."""
    found = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__]
    return [each for each in found if isinstance(getattr(each, "type", None), str)]


def test_every_element_of_the_sdk_is_known_with_all_its_fields() -> None:
    """slack_sdk's models and these rules must not disagree on what exists."""
    models = [model for model in models_of(block_elements) if model.type in ELEMENTS]
    assert len(models) >= 25
    for model in models:
        check: Callable[[Any, str, Report], None] = ELEMENTS[model.type]
        report = Report()
        names = set(inspect.signature(model).parameters) - {"self", "others", "type", "subtype"}
        check({"type": model.type, **dict.fromkeys(names, ...)}, "", report)
        unknown = [problem for problem in report.problems if "additional property" in problem]
        assert unknown == [], f"{model.type}: {unknown}"


@pytest.mark.parametrize("model", models_of(blocks), ids=lambda model: model.type)
def test_every_block_of_the_sdk_is_known(model: Any) -> None:
    not_for_messages = {"alert", "auth_provider", "call", "container", "file"}
    with pytest.raises(SlackError) as refused:
        check_message_blocks([{"type": model.type, "nonsense": 1}])
    assert ("unsupported type" in str(refused.value.extra["errors"])) == (model.type in not_for_messages)
