"""Finding out whom the names that gates ask stand for, and who they are, before they are asked.

The one rule: what Slack does not say is asked for again, but not for ever: a request goes out in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from bot.blocks.words import Asked
from bot.people.directory import Directory
from bot.telling.story import Story

_ASK_AGAIN_S = (1, 2)
"""Pauses before a request goes out although Slack does not say whom it should notify."""


async def meet(directory: Directory, known: dict[str, Asked], names: Iterable[str]) -> None:
    """Add to ``known`` whom the names stand for."""
    for who in names:
        if who in known:
            continue
        for pause in (*_ASK_AGAIN_S, 0):
            known[who] = asked = await directory.asked(who)
            if asked.kind != "unread":
                break
            await asyncio.sleep(pause)


async def meet_members(directory: Directory, story: Story) -> None:
    """Tell the story the people of those names whose people are to be told apart."""
    for pause in (*_ASK_AGAIN_S, 0):
        for target in await directory.targets(list(dict.fromkeys(story.strangers()))):
            if target.asked.kind != "unread" or not pause:
                story.members[target.asked.who] = tuple(sorted(target.members))
        if not any(story.strangers()):
            break
        await asyncio.sleep(pause)
