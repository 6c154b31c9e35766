"""`vb manifest`: the Slack app's manifest, to be pasted where Slack asks for one.

The one rule: it is printed alone, so that it can be written into a file.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from bot.console.launch import DONE, Misuse
from bot.console.output import say
from bot.manifest import written

EXAMPLE = "https://bot.example.com"


async def print_manifest(url: str | None, *, socket: bool, many: bool) -> int:
    """Print it. Raises ``Misuse`` for an address that Slack could not call."""
    if many and url is None:
        raise Misuse(f"People install the app at an address of yours; name it: vb manifest --many --url {EXAMPLE}")
    if url is not None:
        _check(url)
    header = "# api.slack.com/apps, Create New App, From a manifest; then docs/setup.md.\n"
    say(header + written(url, socket=socket, many=many).rstrip("\n"))
    return DONE


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
        parts = urlsplit("")
    if not good or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise Misuse(f"{url!r:.100} is no address that Slack can call; write it as {EXAMPLE}, without a path.")
