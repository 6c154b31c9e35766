"""The arguments of one Web API call, whichever way the client sent them: query string, form, or JSON.

Slack takes JSON values as strings too (`blocks` in a form is JSON text); unknown arguments are ignored.
"""

import json
from typing import Any

from aiohttp import web

from bot.simulator.errors import SlackError, invalid
from bot.simulator.model import Json

FORM = "application/x-www-form-urlencoded"


async def read_arguments(request: web.Request) -> Json:
    """All arguments by name. Raises SlackError for a body that Slack would not read."""
    arguments: Json = dict(request.query)
    if request.method == "GET" or not request.can_read_body:
        return arguments
    kind = request.content_type
    if kind == "application/json":
        try:
            body: Any = await request.json()
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        return arguments | body
    if kind in (FORM, "multipart/form-data"):
        return arguments | {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    if kind == "application/octet-stream" and not await request.read():
        return arguments
    raise SlackError("invalid_post_type")


class Arguments:
    """Typed reading. What is required was checked before; a value of the wrong kind raises invalid_arguments."""

    def __init__(self, values: Json) -> None:
        self.values = {name: value for name, value in values.items() if value is not None}

    def has(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise invalid("invalid_arguments", [f"must be a string [json-pointer:/{name}]"])
        return str(value)

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        if isinstance(value, str):
            return value.lower() in ("1", "true")
        return bool(value)

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.values.get(name, default))
        except (TypeError, ValueError):
            raise invalid("invalid_arguments", [f"must be an integer [json-pointer:/{name}]"]) from None

    def parsed(self, name: str, error: str = "invalid_arguments") -> Any:
        """A JSON value, decoded when it came as text; None when absent. Undecodable text raises `error`."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise SlackError(error) from None

    def require(self, names: tuple[str, ...]) -> None:
        missing = [name for name in names if self.values.get(name) in (None, "")]
        if missing:
            raise invalid(
                "invalid_arguments", [f"missing required field: {name} [json-pointer:/{name}]" for name in missing]
            )
