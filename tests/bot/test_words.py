"""Data never becomes markup, and what is cut stays whole."""

from __future__ import annotations

import hashlib

import pytest

from bot.blocks.kit import Message, clip, clip_markup, escape, section, seen, title
from bot.blocks.step_lines import held_words
from bot.blocks.words import Asked, date, either, moment, one_line, plain, run_title, short_id
from engine.core.state import Hold
from tests.bot.scenes import release, skipped


def test_no_data_can_ping_or_link() -> None:
    assert escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


def test_no_data_can_format() -> None:
    assert escape("*b* ~s~ _i_ `c` __init__.py a_b") == "∗b∗ ∼s∼ ˍiˍ ˋcˋ ˍˍinitˍˍ.py a_b"


@pytest.mark.parametrize(
    ("hidden", "named"),
    [
        ("a\u202eb", "a[U+202E]b"),
        ("a\u200bb\ufeff", "a[U+200B]b[U+FEFF]"),
        ("x\x00\x1b[31m", "x[U+0000][U+001B][31m"),
        ("a\u200db", "a[U+200D]b"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("two\n\tlines", "two\n\tlines"),
        ("\ud800", "[U+D800]"),
    ],
)
def test_what_nobody_sees_is_named(hidden: str, named: str) -> None:
    assert seen(hidden) == named


def test_text_from_right_to_left_is_set_apart_line_by_line() -> None:
    assert seen("\u05d0 1\n2") == "\u2068\u05d0 1\u2069\n\u20682\u2069"
    assert seen("\u2069\u05d0") == "\u2068[U+2069]\u05d0\u2069"


def test_data_within_a_sentence_is_one_line_and_cut_to_what_it_takes_when_escaped() -> None:
    assert one_line("a\n\n  b\tc") == "a b c"
    assert one_line("&" * 400) == "&amp;" * 59 + "…"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("as it is", "as it is"),
        (None, "nothing"),
        (True, "true"),
        (1.5, "1.5"),
        ({"a": ["é"]}, '{\n  "a": [\n    "é"\n  ]\n}'),
    ],
)
def test_values_are_written_as_a_person_would(value: object, said: str) -> None:
    assert plain(value) == said  # type: ignore[arg-type]


def test_instants_are_tokens_with_a_fallback_in_utc() -> None:
    assert date(1_732_249_200_123) == "<!date^1732249200^{date_short_pretty} at {time}|2024-11-22 04:20 UTC>"
    assert moment(1_732_249_200_123) == "<!date^1732249200^{time_secs}|04:20:00 UTC>"


def test_lists_of_people_name_each_once() -> None:
    assert either(["@a"]) == "@a"
    assert either(["@a", "@b", "@a", "#c"]) == "@a, @b or #c"


def test_only_groups_and_people_are_pinged() -> None:
    assert Asked("@rm", "group", "S1").mention == "<!subteam^S1>"
    assert Asked("@ana", "person", "U1").mention == "<@U1>"
    assert Asked("#leads", "channel", "C1").mention == "<#C1>"
    assert Asked("@<!here>", "missing").mention == "@&lt;!here&gt;"


def test_a_run_is_called_by_what_tells_it_from_others() -> None:
    assert run_title(release().state) == "wf · v1.4.2"
    assert run_title(skipped().state) == "wf · go=false"
    assert short_id("run_01kqwertyuiop") == "run_01kqwertyu"


def test_a_cut_never_halves_a_token_or_an_entity() -> None:
    assert clip("abcdef", 4) == "abc…"
    assert clip_markup("at <!date^1^x|y> on", 10) == "at …"
    assert clip_markup("ab &amp; cd", 6) == "ab …"
    assert clip_markup("short", 5) == "short"


def test_a_section_is_cut_where_slack_would_refuse_it_and_nothing_is_torn() -> None:
    cut = section("a" + "&lt;" * 1_000)["text"]["text"]
    assert cut == "a" + "&lt;" * 749 + "…"
    assert len(cut) <= 3_000


def test_a_digest_is_of_exactly_what_is_shown() -> None:
    shown = Message("Publish?", ({"type": "divider"},))
    assert shown.digest == Message("Publish?", ({"type": "divider"},)).digest
    assert shown.digest != Message("Publish!", ({"type": "divider"},)).digest
    assert shown.digest != Message("Publish?").digest
    assert shown.digest == hashlib.sha256(b'{"blocks":[{"type":"divider"}],"text":"Publish?"}').hexdigest()


def test_a_title_with_control_characters_is_no_header() -> None:
    assert title("publish · v1")["type"] == "header"
    assert title("<!here>")["text"] == {"type": "mrkdwn", "text": "*&lt;!here&gt;*", "verbatim": True}


@pytest.mark.parametrize(
    ("key", "lift"),
    [("workspace", "`/vb lift workspace`"), ("everything", "`vb lift everything` where Vectorbea runs")],
)
def test_who_is_held_is_told_to_type_what_they_can(key: str, lift: str) -> None:
    words = held_words("deploy", Hold("switch", (key,), "Ben stopped it: slow", 1, 1_000_000))
    assert words == f"deploy is held since {date(1_000_000)}: Ben stopped it: slow; {lift} lets it go on"
