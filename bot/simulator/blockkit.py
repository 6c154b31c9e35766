"""Block Kit as Slack's servers accept it: a message's blocks, a modal, an App Home.

Every problem is reported at once, each with a JSON pointer. Per-element rules are in `elements`; here are the blocks,
what surface takes which, and the rules over a whole message or view.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bot.simulator.elements import (
    ELEMENTS,
    IN_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    any_text,
    element_of,
    identifier,
    image,
    slack_file,
    text,
    url,
)
from bot.simulator.errors import SlackError, invalid
from bot.simulator.schema import (
    Check,
    Json,
    Report,
    also,
    anything,
    array,
    boolean,
    by_type,
    enum,
    is_array,
    is_object,
    rule,
    string,
    typed,
)

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_CHARACTERS = 13_000
MARKDOWN_CHARACTERS = 12_000
VIEW_BYTES = 250_000
UNPUBLISHED = 3_000
"""Characters, where Slack publishes no limit of its own: the one that most texts have."""


def _block(fields: dict[str, Check], required: tuple[str, ...] = ()) -> Check:
    return typed({"block_id": identifier, **fields}, required)


_section = also(
    _block(
        {
            "text": any_text(3000),
            "fields": array(any_text(2000), 10),
            "accessory": element_of(IN_SECTION),
            "expand": boolean,
        }
    ),
    rule(lambda block: block.get("text") is None and block.get("fields") is None, "must have one of: text, fields"),
)
_image = also(
    _block({"image_url": url, "slack_file": slack_file, "alt_text": string(2000), "title": text(2000)}, ("alt_text",)),
    rule(
        lambda b: bool(b.get("image_url")) == bool(b.get("slack_file")),
        "must have exactly one of: image_url, slack_file",
    ),
)
_input = _block(
    {
        "label": text(2000),
        "element": element_of(IN_INPUT),
        "hint": text(2000),
        "optional": boolean,
        "dispatch_action": boolean,
    },
    ("label", "element"),
)
_in_context = by_type(
    {
        "image": image,
        "plain_text": any_text(3000),
        "mrkdwn": any_text(3000),
    }
)
_video = _block(
    {
        "alt_text": string(2000),
        "title": text(200),
        "title_url": url,
        "description": text(200),
        "video_url": url,
        "thumbnail_url": url,
        "author_name": string(50),
        "provider_name": string(255),
        "provider_icon_url": url,
    },
    ("alt_text", "title", "thumbnail_url", "video_url"),
)
_rich_text = _block(
    {
        "elements": array(
            by_type(
                {
                    "rich_text_section": typed({"elements": array(anything, 1000, 0)}, ["elements"]),
                    "rich_text_list": typed(
                        {
                            "elements": array(anything, 1000, 0),
                            "style": enum("bullet", "ordered"),
                            "indent": anything,
                            "offset": anything,
                            "border": anything,
                        },
                        ["elements", "style"],
                    ),
                    "rich_text_preformatted": typed(
                        {"elements": array(anything, 1000, 0), "border": anything, "language": string(255)},
                        ["elements"],
                    ),
                    "rich_text_quote": typed({"elements": array(anything, 1000, 0), "border": anything}, ["elements"]),
                }
            ),
            1000,
            0,
        )
    },
    ("elements",),
)
_cell = by_type(
    {
        "raw_text": typed({"text": string(3000)}, ["text"]),
        "raw_number": typed({"value": anything, "text": string(3000)}, ["value"]),
        "rich_text": _rich_text,
    }
)
_table = _block({"rows": array(array(_cell, 20), 100), "column_settings": array(anything, 20)}, ("rows",))
_card = also(
    _block(
        {
            "title": any_text(150),
            "subtitle": any_text(150),
            "body": any_text(200),
            "icon": anything,
            "hero_image": anything,
            "actions": array(element_of(frozenset({"button"})), 3),
        }
    ),
    rule(
        lambda card: not any(card.get(name) for name in ("hero_image", "title", "actions", "body")),
        "must have one of: hero_image, title, actions, body",
    ),
)


_task_card = _block(
    {
        "task_id": string(255, 1),
        "title": string(UNPUBLISHED, 1),
        "status": enum("pending", "in_progress", "complete", "error"),
        "details": _rich_text,
        "output": _rich_text,
        "sources": array(by_type({"url": typed({"url": url, "text": string(UNPUBLISHED)}, ["url", "text"])}), 100, 0),
    },
    ("task_id", "title"),
)

_EVERYWHERE: dict[str, Check] = {
    "actions": _block({"elements": array(element_of(IN_ACTIONS), 25)}, ("elements",)),
    "context": _block({"elements": array(_in_context, 10)}, ("elements",)),
    "divider": _block({}),
    "header": _block({"text": text(150)}, ("text",)),
    "image": _image,
    "input": _input,
    "rich_text": _rich_text,
    "section": _section,
    "video": _video,
}
_MODAL_ONLY: dict[str, Check] = {
    "alert": _block(
        {"text": any_text(200), "level": enum("default", "info", "warning", "error", "success")}, ("text",)
    ),
}
_MESSAGE_ONLY: dict[str, Check] = {
    "card": _card,
    "carousel": _block({"elements": array(by_type({"card": _card}), 10)}, ("elements",)),
    "context_actions": _block(
        {"elements": array(element_of(frozenset({"feedback_buttons", "icon_button"})), 5)}, ("elements",)
    ),
    "markdown": _block({"text": string(MARKDOWN_CHARACTERS, 1)}, ("text",)),
    "plan": _block(
        {"title": string(UNPUBLISHED, 1), "tasks": array(by_type({"task_card": _task_card}), 50)}, ("title",)
    ),
    "table": _table,
    "task_card": _task_card,
}
NEWER = frozenset({"alert", "card", "carousel", "context_actions", "markdown", "plan", "table", "task_card"})
"""Blocks that a workspace may not take yet."""

_VIEW_FIELDS: dict[str, Check] = {
    "type": enum("modal", "home"),
    "title": text(24),
    "submit": text(24),
    "close": text(24),
    "blocks": array(by_type(_EVERYWHERE), VIEW_BLOCKS, 0),
    "private_metadata": string(3000),
    "callback_id": identifier,
    "external_id": identifier,
    "clear_on_close": boolean,
    "notify_on_close": boolean,
    "submit_disabled": boolean,
}
_message = array(by_type(_EVERYWHERE | _MESSAGE_ONLY), MESSAGE_BLOCKS, 0)
_modal = typed(
    {**_VIEW_FIELDS, "blocks": array(by_type(_EVERYWHERE | _MODAL_ONLY), VIEW_BLOCKS, 0)}, ["title", "blocks"]
)
_home = typed({name: _VIEW_FIELDS[name] for name in _VIEW_FIELDS if name not in ("submit", "close")}, ["blocks"])


def check_message_blocks(blocks: Any, *, newer: bool = True) -> list[Json]:
    """The blocks, with ids filled in where they had none. Raises SlackError invalid_blocks or msg_blocks_too_long.

    `newer`: whether the workspace takes newer blocks.
    """
    if not is_array(blocks):
        raise SlackError("invalid_blocks_format")
    if not newer:
        _refuse_newer(blocks, "/blocks", "invalid_blocks")
    report = Report()
    _message(blocks, "/blocks", report)
    _together(blocks, report)
    _duplicates(blocks, "/blocks", report)
    if report.problems:
        raise invalid("invalid_blocks", report.problems)
    if len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > MESSAGE_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    return with_ids(blocks)


def check_view(view: Any, *types: str, newer: bool = True) -> Json:
    """The view, with ids filled in. Raises SlackError invalid_arguments or view_too_large."""
    if not is_object(view):
        raise invalid("invalid_arguments", ["must provide an object [json-pointer:/view]"])
    if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    report = Report()
    kind = view.get("type")
    if kind not in types:
        report.add(f"must be one of: {', '.join(types)}", "/view/type")
    else:
        (_home if kind == "home" else _modal)(view, "/view", report)
    blocks: list[Any] = view["blocks"] if is_array(view.get("blocks")) else []
    if not newer:
        _refuse_newer(blocks, "/view/blocks", "invalid_arguments")
    _duplicates(blocks, "/view/blocks", report)
    if (
        kind == "modal"
        and view.get("submit") is None
        and any(is_object(b) and b.get("type") == "input" for b in blocks)
    ):
        report.add("missing required field: submit (a modal with an input block needs it)", "/view")
    if report.problems:
        raise invalid("invalid_arguments", report.problems)
    return {**view, "blocks": with_ids(blocks)}


def _together(blocks: list[Any], report: Report) -> None:
    """What holds over all blocks of a message: one table, one plan, and so much markdown."""
    known = [block for block in blocks if is_object(block)]
    for kind in ("table", "plan"):
        if sum(block.get("type") == kind for block in known) > 1:
            report.add(f"only one {kind} allowed", "/blocks")
    texts = [str(block.get("text")) for block in known if block.get("type") == "markdown"]
    if len(texts) > 1 and sum(map(len, texts)) > MARKDOWN_CHARACTERS:
        report.add(f"must be less than {MARKDOWN_CHARACTERS + 1} characters in all markdown blocks", "/blocks")


def _refuse_newer(blocks: list[Any], pointer: str, error: str) -> None:
    """What a workspace answers that does not know them; an app that tries them first breaks no rule."""
    report = Report()
    for index, block in enumerate(blocks):
        if is_object(block) and block.get("type") in NEWER:
            report.add(f"unsupported type: {block['type']}", f"{pointer}/{index}/type")
    if report.problems:
        raise invalid(error, report.problems, foreseen=True)


def _duplicates(blocks: list[Any], pointer: str, report: Report) -> None:
    ids = Counter(block.get("block_id") for block in blocks if is_object(block))
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        if not is_object(block):
            continue
        block_id = block.get("block_id")
        if isinstance(block_id, str) and block_id and ids[block_id] > 1:
            if block_id in seen:
                report.add(f"duplicate block_id: {block_id}", f"{pointer}/{index}/block_id")
            seen.add(block_id)
        actions = Counter(each.get("action_id") for each in interactive_elements(block))
        for action_id, count in actions.items():
            if action_id and count > 1:
                report.add(f"duplicate action_id: {action_id}", f"{pointer}/{index}")


def interactive_elements(block: Json) -> Iterator[Json]:
    """The elements of one block that a person can use, in order."""
    candidates: list[Any] = [block.get("accessory"), block.get("element")]
    for name in ("elements", "actions"):
        nested = block.get(name)
        candidates += nested if is_array(nested) else []
    for each in candidates:
        if not is_object(each):
            continue
        if each.get("type") in ELEMENTS and each["type"] != "image":
            yield each
        elif each.get("type") == "card":
            yield from interactive_elements(each)


def with_ids(blocks: list[Json]) -> list[Json]:
    """A deep copy in which every block and every interactive element has an id, as Slack fills them in."""
    copy: list[Json] = json.loads(json.dumps(blocks))
    taken = {block.get("block_id") for block in copy}
    number = 0
    for block in copy:
        if not block.get("block_id"):
            while f"blk{number}" in taken:
                number += 1
            block["block_id"] = f"blk{number}"
            number += 1
        for index, element in enumerate(interactive_elements(block)):
            element.setdefault("action_id", f"act{index}")
    return copy
