"""What the demo's examples work on: a git repository, a site that fails first or is slow, a folder with old files.

The one rule: all of it is real, and all of it lies in the demo's own folder or on loopback; nothing of the person's is
touched.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from engine.core.errors import EngineError

FAILURES_FIRST = 2
"""How often the site answers 503 before its first page, each time that it gives it."""

PAGE_S = 5.0
"""How long the site takes for any other page."""

LOOK_S = 1.0
"""How soon after a release somebody goes on writing."""

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_FIRST = ("Start the shop", "Show the basket", "Take payments by card")
_LATER = (
    ("Round prices to cents", "Answer in 50 ms with a cache of prices", "Send receipts by mail"),
    ("Let people change their address", "Say why a payment was refused"),
    ("Search by colour", "Keep the basket for a week", "Fix the total of an empty basket"),
)
_OLD_DAYS = 40
_DAY = 86_400


class PropsMissing(EngineError):
    """The demo cannot be prepared on this machine."""


class Repository:
    """The demo's git repository. Every method runs git itself, with its own settings alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make it, with a first release; and see to it that there is something new since the last one."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / ".git").exists():
            self._git("init", "--quiet", "--initial-branch=main", ".")
        tags = self._git("tag", "--list").split()
        if not tags:
            self._commit(_FIRST)
            self._git("tag", "v1.0.0")
        if self.commit_of("HEAD") in {self.commit_of(tag) for tag in tags} or not tags:
            self._commit(_LATER[len(tags) % len(_LATER)])

    async def develop(self, look_s: float = LOOK_S) -> None:
        """Whenever all is released, somebody writes something new: there is always something for the next release."""
        tags = self.path / ".git" / "refs" / "tags"
        seen = set(tags.iterdir())
        while True:
            await asyncio.sleep(look_s)
            if (there := set(tags.iterdir())) != seen:
                await asyncio.to_thread(self.prepare)
                seen = there

    def next_version(self) -> str:
        """The version after the highest that is tagged: ``v1.1.0`` after ``v1.0.4``."""
        found = [_VERSION.fullmatch(tag) for tag in self._git("tag", "--list").split()]
        major, minor, _ = max(tuple(map(int, match.groups())) for match in found if match)
        return f"v{major}.{minor + 1}.0"

    def commit_of(self, ref: str) -> str | None:
        """The commit that ``ref`` stands for, if git knows any."""
        done = self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        return done.stdout.strip() or None

    def _commit(self, subjects: Sequence[str]) -> None:
        for subject in subjects:
            self._git("commit", "--quiet", "--allow-empty", f"--message={subject}")

    def _git(self, *args: str) -> str:
        done = self._run(*args)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise PropsMissing(f"git {args[0]} in {self.path} failed: {said[-1] if said else 'it did not say why'}.")
        return done.stdout

    def _run(self, *args: str) -> subprocess.CompletedProcess[str]:
        program = shutil.which("git")
        if program is None:
            raise PropsMissing("The demo needs the program git, which is not installed here; install it first.")
        who = {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", "Ben Okafor"), ("EMAIL", "ben@acme.example"))
        }
        own = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", **who}
        # A repository around ours must not be taken for it, nor one that the caller's environment names.
        own["GIT_CEILING_DIRECTORIES"] = str(self.path.parent.resolve())
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | own
        return subprocess.run(
            [program, *args], cwd=self.path, env=environment, capture_output=True, text=True, check=False
        )


def prepare_downloads(folder: Path) -> None:
    """A folder with old temporary files, newer ones, and others, made complete again at each start."""
    long_ago = time.time() - _OLD_DAYS * _DAY
    for name in ("upload-1.tmp", "upload-2.tmp", "cache/thumbnails.tmp"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("Left behind by the demo.\n", encoding="utf-8")
        os.utime(file, (long_ago, long_ago))
    for name in ("upload-3.tmp", "report.txt"):
        (folder / name).write_text("Still in use.\n", encoding="utf-8")


@asynccontextmanager
async def flaky_site(usual_port: int) -> AsyncGenerator[str]:
    """A site on loopback that answers 503 twice before its first page, and takes long for all others; its address.

    It is at another port if the usual one is taken.
    """
    left = FAILURES_FIRST

    async def page(_request: web.Request) -> web.Response:
        nonlocal left
        if left > 0:
            left -= 1
            return web.Response(status=503, text="The shop is opening. Please come back in a moment.\n")
        left = FAILURES_FIRST
        return web.Response(text="Welcome to the shop. We are open.\n")

    async def slow_page(request: web.Request) -> web.Response:
        await asyncio.sleep(PAGE_S)
        return web.Response(text=f"All {request.match_info['page']} of the shop.\n")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/{page}", slow_page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await _listen(runner, usual_port)
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, usual_port: int) -> None:
    try:
        await web.TCPSite(runner, "127.0.0.1", usual_port).start()
    except OSError:  # to look first would not do: another demo may take it meanwhile
        await web.TCPSite(runner, "127.0.0.1", 0).start()
