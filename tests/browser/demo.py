"""`vb demo` as a person has it: the real command in a process of its own, and its page in Chromium.

The one rule: the driver does what hands and eyes do. It types, clicks and presses keys, and reads what the page shows;
the page's address is the one that the command prints.
"""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Locator, Page, expect

VB = Path(sys.executable).with_name("vb")
DEMOS_OWN = Path(__file__).parents[2] / "workflows"
"""Its definitions."""
SHOTS = Path(os.environ.get("VB_SCREENSHOTS") or Path(__file__).parents[2] / "test-results")

WITHIN_S = 180
"""To be ready, and to stop; on a machine that is busy with other things it takes long, and only a failure takes all."""

_READY = "Ctrl-C stops it"


@dataclass(frozen=True)
class Demo:
    """A demo that is ready. `said` is all that it has printed, and `folder` what it was given as `--dir`."""

    folder: Path
    said: str
    pid: int

    @property
    def url(self) -> str:
        return _found(r"http://127\.0\.0\.1:\d+/", self.said)

    def suggested(self, workflow: str, word: str = "run") -> str:
        """The command that it suggests for trying `workflow`."""
        return _found(rf"/vb {word} (?:workflow:)?{workflow}\b.*", self.said).rstrip()

    def processes(self) -> dict[str, str]:
        """The command lines of all processes that descend from the demo's own, by pid and time of start."""
        table = _processes()
        family, size = {self.pid}, 0
        while size < len(family):
            size = len(family)
            family |= {one.pid for one in table if one.parent in family}
        return {one.key: one.command for one in table if one.pid in family}


@asynccontextmanager
async def running_demo(folder: Path, *workflows: Path) -> AsyncGenerator[Demo]:
    """Start it on a free port, and have it stop on SIGTERM: with exit code 0, and with no process left behind.

    `workflows` are folders of definitions in place of the demo's own.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("VB_", "SLACK_"))}
    ours |= {"VB_WORKFLOWS": os.pathsep.join(map(str, workflows))} if workflows else {}
    command = (str(VB), "demo", "--dir", str(folder), "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=STDOUT, env=ours | {"COLUMNS": "200", "NO_COLOR": "1"}
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            said = await _until_ready(process)
        demo = Demo(folder, said, process.pid)
        yield demo
        family = demo.processes()
        assert any("redis-server" in each for each in family.values()), family
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN_S):
            rest, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert (process.returncode, "Traceback" in rest.decode()) == (0, False), rest.decode()
    left = family.keys() & {one.key for one in _processes()}
    assert left == set(), [family[key] for key in left]


async def _until_ready(process: Process) -> str:
    assert process.stdout is not None
    said = ""
    while _READY not in said:
        line = await process.stdout.readline()
        assert line, f"the demo ended before it was ready:\n{said}"
        said += line.decode()
    return said


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    started: str
    command: str

    @property
    def key(self) -> str:
        """Another process may get the same pid later, though not at the same time of start."""
        return f"{self.pid}@{self.started}"


def _processes() -> list[_Process]:
    """All that run now; one that has ended and waits for its parent to notice does not."""
    found: list[_Process] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The second field is the program's name in parentheses, which may hold spaces (proc_pid_stat(5)).
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if fields[0] != "Z":
            found.append(_Process(int(folder.name), int(fields[1]), fields[19], command.strip()))
    return found


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, f"{pattern} is not in:\n{text}"
    return match[0]


TOO_WIDE = """() => [...document.querySelectorAll("[role=tabpanel], [role=tabpanel] *, dialog[open], dialog[open] *")]
    .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > innerWidth + 1)
    .map((node) => node.outerHTML.slice(0, 120))"""


class Chat:
    """The page, in the channel #releases, as whoever one is at the moment."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.messages = page.get_by_role("main").get_by_role("article")
        self.thread = page.get_by_role("complementary", name="Thread")
        self.replies = self.thread.get_by_role("article")

    async def type(self, line: str) -> None:
        """Type the line into the channel, key by key, and send it."""
        box = self.page.get_by_role("textbox", name="Message #releases")
        await box.focus()
        await self.page.keyboard.type(line)
        await self.page.keyboard.press("Enter")
        await expect(box).to_have_value("")

    async def become(self, name: str) -> None:
        """Be somebody else; the thread is closed then, as they have not opened it."""
        await self.page.get_by_role("button", name="You are").click()
        await self.page.get_by_role("menuitemradio", name=name).click()
        await expect(self.page.get_by_role("button", name=f"You are {name}")).to_be_visible()
        await expect(self.thread).to_be_hidden()

    def card(self, title: str) -> Locator:
        """The root message of the run with this title."""
        return self.messages.filter(has=self.page.get_by_role("heading", name=title, exact=True))

    async def open_thread(self, title: str) -> None:
        await self.card(title).get_by_role("button", name=re.compile("repl")).click()
        await expect(self.thread).to_be_visible()

    def question(self, text: str) -> Locator:
        """The messages of the thread that ask this, and can still be answered there."""
        return self.replies.filter(has_text=text).filter(has=self.page.get_by_role("button", name="Approve"))

    async def press(self, message: Locator, button: str) -> None:
        """Press a message's button from the keyboard."""
        await message.get_by_role("button", name=button, exact=True).press("Enter")

    def private(self, text: str) -> Locator:
        """What only the person at the page sees."""
        private = self.page.get_by_role("article").filter(has_text="Only visible to you")
        return private.filter(has_text=text)

    async def move_clock(self, by: str) -> None:
        async with self.page.expect_response("**/_sim/clock"):
            await self.page.get_by_role("button", name=f"Move forward {by}", exact=True).click()

    async def fits(self, width: int) -> None:
        """Nothing of the page, its tab or its form is wider than what is seen: nobody has to move it sideways."""
        assert await self.page.evaluate(TOO_WIDE) == [], f"wider than {width}"
        assert await self.page.evaluate("document.documentElement.scrollWidth") == width

    async def shoot(self, name: str) -> None:
        """Save what is seen, for people to look at, once notices that go by themselves have gone."""
        await expect(self.page.locator(".toast-notice")).to_have_count(0)
        await self.page.screenshot(path=SHOTS / f"{name}.png", animations="disabled")
