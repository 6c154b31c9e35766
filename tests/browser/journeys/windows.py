"""Journeys of several people on the real `vb demo`, each in a window of their own, with definitions made for them.

The one rule: whoever acts does so in their own window, and what they see there is all that they know.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page

from tests.browser.conftest import Chromium, OpenPage, watched_pages
from tests.browser.demo import Chat, Demo

TWO_KEYS = """
name: two_keys
description: Two people have to agree.
input:
  what: {type: string}
steps:
  - id: release
    approval:
      title: "Release ${{ input.what }}?"
      approvers: ["@platform"]
      quorum: 2
      expires_in: 2h
      escalate: [{after: 15m, to: "@oncall"}]
  - id: done
    set: {said: "released ${{ input.what }}"}
"""

WINDOW = """
name: window
description: Announce maintenance.
input:
  day: {type: date, description: The day}
  from: {type: time, default: "22:00"}
  owner: {type: user, description: Who answers questions}
  where: {type: channel, default: "#ops"}
  size: {type: choice, choices: [small, large], default: small}
  page: {type: url, required: false}
steps:
  - id: announce
    uses: slack.post
    with: {channel: "${{ input.where }}", text: "${{ input.day }} at ${{ input.from }}: ask ${{ input.owner }}"}
"""


ANNOUNCE = """
name: announce
description: Tell customers something.
input:
  what: {type: string}
steps:
  - id: draft
    set: {text: "${{ input.what }}${{ changes.comment == '' ? '' : ', ' + changes.comment }}"}
  - id: publish
    approval:
      title: "Announce ${{ input.what }}?"
      show: {draft: "${{ steps.draft.output.text }}"}
      approvers: ["@platform"]
      quorum: 2
      edit: {text: {type: string, value: "${{ steps.draft.output.text }}"}}
      request_changes: draft
  - id: done
    set: {said: "${{ steps.publish.output.fields.text }}"}
"""

NOTICE = """
name: notice
description: One person has to agree.
input:
  what: {type: string}
steps:
  - id: publish
    approval:
      title: "Post ${{ input.what }}?"
      approvers: ["@oncall"]
      expires_in: 2h
  - id: done
    set: {said: "posted ${{ input.what }}"}
"""


def write_workflows(folder: Path) -> Path:
    """The folder of the definitions, for `running_demo`."""
    folder.mkdir(parents=True)
    named = {"two_keys": TWO_KEYS, "window": WINDOW, "announce": ANNOUNCE, "notice": NOTICE}
    for name, definition in named.items():
        (folder / f"{name}.yaml").write_text(definition, encoding="utf-8")
    return folder


class Windows:
    """Browser windows on one demo, one for each person who is asked for."""

    def __init__(self, demo: Demo, open_at: OpenPage) -> None:
        self._demo = demo
        self._open_at = open_at
        self._open: dict[str, Chat] = {}

    async def of(self, person: str, **context: object) -> Chat:
        """The window of a person ("ben"), opened when they come first; `context` are options of the browser."""
        if person not in self._open:
            user = f"U0{person.upper():X<8}"
            page: Page = await self._open_at(f"{self._demo.url}?user={user}", **context)
            self._open[person] = Chat(page)
        return self._open[person]


@asynccontextmanager
async def windows_on(chromium: Chromium, demo: Demo) -> AsyncGenerator[Windows]:
    """Windows until the block ends; leaving it fails if any page complained meanwhile."""
    async with watched_pages(chromium) as open_at:
        yield Windows(demo, open_at)
