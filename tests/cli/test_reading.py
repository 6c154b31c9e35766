"""Messages as text for a terminal: names, times and words as a person would read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.demo.memory import remembered
from bot.demo.reading import readable, thread
from bot.simulator.demo import demo_workspace
from bot.simulator.model import Message


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<@U0BENXXXXX> asks <!subteam^S0ONCALLXX> in <#C0OPSXXXXX>", "@ben asks @oncall in #ops"),
        ("<https://example.com|the page> and <https://example.com>", "the page and https://example.com"),
        ("*bold* and `code`, 2 * 3 * 4", "bold and code, 2 * 3 * 4"),
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("&amp;lt;", "&lt;"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("<@U0NOBODY>", "@U0NOBODY"),
    ],
)
def test_markup_is_read(markup: str, text: str) -> None:
    assert readable(demo_workspace(), markup) == text


def test_dates_are_in_this_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = demo_workspace()
    assert readable(workspace, "<!date^1795348800^{time_secs}|12:00>").endswith(":00:00")
    assert " at " in readable(workspace, "<!date^1795348800^{date_short_pretty} at {time}|2026-11-22>")


def test_a_thread_says_who_and_when() -> None:
    workspace = demo_workspace()
    root = Message("C0RELEASES", "1795348800.000100", workspace.app.bot_user_id, "one\ntwo")
    reply = Message("C0RELEASES", "1795348801.000100", "U0BENXXXXX", "three", thread_ts=root.ts)
    lines = [line.plain for line in thread(workspace, root, [reply])]
    assert lines[0].startswith("Vectorbea  ")
    assert lines[1:4] == ["one", "two", ""]
    assert lines[4].startswith("    Ben Okafor  ")
    assert lines[5] == "    three"


async def test_what_was_said_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "slack.jsonl"
    before = demo_workspace()
    async with remembered(before, file):
        kept = before.post(Message("C0RELEASES", before.next_ts(), before.app.bot_user_id, "first"))
        gone = before.post(Message("C0OPSXXXXX", before.next_ts(), before.app.bot_user_id, "gone"))
        kept.text = "second"
        before.edited(kept)
        before.delete(gone)
        before.clock.advance(60_000)
        before.changes.publish("clock.moved", {})
    with file.open("a", encoding="utf-8") as journal:
        journal.write('{"message": {"channel": "C0RE')
    after = demo_workspace()
    async with remembered(after, file):
        assert [message.text for message in after.messages("C0RELEASES")] == ["second"]
        assert list(after.messages("C0OPSXXXXX")) == []
        assert after.clock.shift == 60_000
        assert float(after.next_ts()) > float(kept.ts)
