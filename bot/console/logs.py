"""Where logs go: a file in the folder, and for processes that stay, what a person should know on standard error.

The one rule: a log line is for whoever runs the process. It never replaces an answer to whoever typed a command.
"""

from __future__ import annotations

import logging
import sys
import time
from logging.handlers import RotatingFileHandler

from bot.config.settings import Settings
from bot.text.plain import clean

_MOST_BYTES = 5_000_000
_OLD_FILES = 3


class _Clean(logging.Formatter):
    """The bare message for a terminal; its traceback, if it has one, is in the file."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(record.getMessage())


def to_file(settings: Settings) -> None:
    """Write logs to ``vb.log`` in the folder, once there is a folder; a command that leaves nothing makes none."""
    # A log that cannot be written must not disturb the command.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    for ours in ("bot", "engine"):
        logging.getLogger(ours).setLevel(logging.INFO)
    if not settings.folder.is_dir():
        root.addHandler(logging.NullHandler())
        return
    handler = RotatingFileHandler(
        settings.log_file, maxBytes=_MOST_BYTES, backupCount=_OLD_FILES, encoding="utf-8", delay=True
    )
    handler.setFormatter(_utc("%(asctime)s.%(msecs)03dZ %(levelname)s %(process)d %(name)s: %(message)s"))
    root.addHandler(handler)


def to_terminal() -> None:
    """Say warnings on standard error, too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_Clean())
    logging.getLogger().addHandler(handler)


def _utc(form: str) -> logging.Formatter:
    formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    return formatter
