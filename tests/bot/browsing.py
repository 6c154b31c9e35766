"""A browser in which somebody installs the app: the bot's own pages, and Slack's page between them.

The one rule: it follows no link by itself, so that a test can go astray at each step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import aiohttp

PUBLIC = "http://bot.test"
"""The address that the bot believes to have; requests go to where it really listens."""


@dataclass(frozen=True)
class Browser:
    """``bot`` is the address of the bot's server, ``slack`` that of the simulator, which ends in a slash."""

    bot: str
    slack: str
    public: str = PUBLIC

    async def begin(self) -> tuple[str, str]:
        """Open the install page; returns Slack's address that it leads to, and the browser's new cookie."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.bot}/slack/install") as page:
            found = re.search(r'href="([^"]+)">Add to Slack', await page.text())
            assert found is not None
            return found[1].replace("&amp;", "&"), page.headers["Set-Cookie"].split(";")[0]

    async def allow(self, address: str, team: str, who: str = "") -> dict[str, str]:
        """Choose a workspace on Slack's page, as ``who``; returns what Slack sends the browser back with."""
        async with aiohttp.ClientSession() as session:
            async with session.get(address) as page:
                links = re.findall(r'href="([^"]+)">Allow', (await page.text()).replace("&amp;", "&"))
            link = next(link for link in links if team in link)
            chosen = f"{self.slack}{link[1:]}{f'&user={who}' if who else ''}"
            async with session.get(chosen, allow_redirects=False) as answer:
                back = urlsplit(answer.headers["Location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == f"{self.public}/slack/oauth_redirect"
        return {name: value[0] for name, value in parse_qs(back.query).items()}

    async def come_back(self, query: dict[str, str], cookie: str = "") -> tuple[int, str]:
        """Open the page that Slack sends the browser to."""
        headers = {"Cookie": cookie} if cookie else {}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.bot}/slack/oauth_redirect", params=query, headers=headers) as page,
        ):
            return page.status, await page.text()

    async def install(self, team: str, who: str = "") -> str:
        """All of it; returns the last page."""
        address, cookie = await self.begin()
        status, page = await self.come_back(await self.allow(address, team, who), cookie)
        assert status == 200, page
        return page
