"""Files on their way into a workspace, and the addresses at which their bytes are taken and shown.

The one rule: an address takes the bytes of one file, whole and once; and a file that has them is completed once, or is
never seen. Facts: docs.slack.dev/reference/methods/files.getUploadURLExternal, files.completeUploadExternal ("this
method can only be called once").
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from bot.simulator.calls import Fault
from bot.simulator.model import File
from bot.simulator.violations import Violations

TICKET = "upload"
"""The name under which a test asks for faults of the address, which is no method."""

UPLOAD_LIMIT = 50_000_000
"""Bytes that are taken here; Slack takes more."""

_PICTURES: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


class WrongUpload(Exception):
    """The address does not take this; the text says why."""


@dataclass(slots=True)
class Uploads:
    """Those of one workspace. ``contents`` are the bytes by the files' ids."""

    contents: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _tickets: dict[str, File] = field(default_factory=dict[str, File])
    _pending: dict[str, File] = field(default_factory=dict[str, File])

    def begin(self, file: File) -> str:
        """The last part of the address that takes the file's bytes."""
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = self._pending[file.id] = file
        return ticket

    def knows(self, ticket: str) -> bool:
        return ticket in self._tickets

    def take(self, ticket: str, body: bytes) -> int:
        """Keep the bytes. Raises ``WrongUpload``."""
        file = self._tickets.get(ticket)
        if file is None:
            raise WrongUpload("unknown or used upload address")
        if len(body) != file.size:
            raise WrongUpload(f"{len(body)} bytes instead of the {file.size} that were announced")
        del self._tickets[ticket]
        self.contents[file.id] = body
        return len(body)

    def ready(self, file_id: str) -> File | None:
        """The file, if its bytes have come and it was not completed yet."""
        return self._pending.get(file_id) if file_id in self.contents else None

    def complete(self, file: File) -> None:
        """From now on it is a file of the workspace."""
        del self._pending[file.id]


class UploadAddresses:
    """The routes outside of the Web API: no token is asked for, who knows the address may use it."""

    def __init__(self, uploads: Iterable[Uploads], violations: Violations, next_fault: Callable[[str], Fault]) -> None:
        self._uploads = list(uploads)
        self._violations = violations
        self._next_fault = next_fault

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/upload/v1/{ticket}", self._take)
        app.router.add_get("/files/{user}/{file}/{name}", self._show)

    async def _take(self, request: web.Request) -> web.Response:
        fault = self._next_fault(TICKET)
        if fault.drop == "before":
            return _drop(request)
        if fault.status is not None:
            return web.Response(status=fault.status, text="internal_error")
        ticket, body = request.match_info["ticket"], await _sent(request)
        uploads = next((one for one in self._uploads if one.knows(ticket)), self._uploads[0])
        try:
            size = uploads.take(ticket, body)
        except WrongUpload as problem:
            self._violations.note("wrong_upload", str(problem))
            return web.Response(status=400, text=str(problem))
        return _drop(request) if fault.drop == "after" else web.Response(text=f"OK - {size}")

    async def _show(self, request: web.Request) -> web.Response:
        """The bytes as what they are; a text is never taken for a page."""
        file = request.match_info["file"]
        body = next((one.contents[file] for one in self._uploads if file in one.contents), None)
        if body is None:
            return web.Response(status=404, text="There is no such file.")
        kind = kind_of(body)
        charset = "utf-8" if kind.startswith("text/") else None
        return web.Response(body=body, content_type=kind, charset=charset)


def kind_of(body: bytes) -> str:
    """Told from the bytes alone, as Slack does; a name may say anything."""
    for magic, kind in _PICTURES.items():
        if body.startswith(magic):
            return kind
    try:
        body.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "text/plain"


async def _sent(request: web.Request) -> bytes:
    """Raw bytes, or the first file of a form."""
    if request.content_type != "multipart/form-data":
        return await request.read()
    for part in (await request.post()).values():
        if isinstance(part, web.FileField):
            return part.file.read()
    return b""


def _drop(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()
