"""Whether a workspace takes newer blocks: learned from its first refusal, and asked again a day later.

The one rule: nobody misses a message for it. Whoever is refused sends the same message without them, at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from bot.blocks.kit import Message
from bot.blocks.newer import degrade, is_newer

log = logging.getLogger(__name__)

REMEMBERED_S = 86_400.0


class NewerBlocks:
    """What is known of one workspace. ``monotonic`` gives seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._plain_until = 0.0

    def fitted(self, message: Message) -> Message:
        """The message as the workspace takes it, as far as is known."""
        return degrade(message) if self._monotonic() < self._plain_until else message

    def learn(self, error: str, message: Message) -> bool:
        """Take in that Slack refused ``message`` with ``error``; whether it may be taken once it is ``fitted``."""
        if error != "invalid_blocks" or not is_newer(message):
            return False
        log.info("The workspace does not take newer blocks; messages do without them for a day.")
        self._plain_until = self._monotonic() + REMEMBERED_S
        return True
