"""Slack's page on which a person installs the app: the app sends them here, and they come back to it with a code.

The page is a list of links: one for each workspace in which the person may install it, and one to decline.
"""

import html
from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web

from bot.simulator.grants import Grants
from bot.simulator.model import User
from bot.simulator.workspace import Workspace

PATH = "/oauth/v2/authorize"


class AuthorizePage:
    """`GET /oauth/v2/authorize`, and the links that it offers."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(PATH, self._show)
        app.router.add_get(f"{PATH}/allow", self._allow)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if query.get("client_id") != self._grants.client_id:
            return _page("This app is not known", "<p>The client id is not that of an app here.</p>", status=400)
        if not query.get("scope") or not query.get("redirect_uri"):
            return _page("This link is not complete", "<p>It must name scopes and a redirect URI.</p>", status=400)
        wanted = query.get("team")
        items = [
            f'<li><a href="{_link(query, workspace)}">Allow in {html.escape(workspace.team_name)}</a></li>'
            for workspace in self._grants.workspaces.values()
            if wanted in (None, "", workspace.team_id)
        ]
        decline = html.escape(_back(query, {"error": "access_denied"}))
        scopes = html.escape(query["scope"].replace(",", ", "))
        items.append(f'<li><a href="{decline}">Cancel</a></li>')
        return _page("Install the app", f"<p>It asks for: {scopes}</p><ul>{''.join(items)}</ul>")

    async def _allow(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        workspace = self._grants.workspaces.get(query.get("team", ""))
        if workspace is None or query.get("client_id") != self._grants.client_id:
            return _page("This workspace is not known", "<p>Go back, and choose one.</p>", status=404)
        scopes = tuple(scope for scope in query.get("scope", "").split(",") if scope)
        installer = workspace.person(query["user"]) if "user" in query else _installer(workspace)
        code = self._grants.issue_code(workspace.team_id, installer.id, query.get("redirect_uri", ""), scopes)
        raise web.HTTPFound(_back(query, {"code": code}))


def _installer(workspace: Workspace) -> User:
    """The first admin, or whoever is first."""
    active = [user for user in workspace.users.values() if not (user.is_bot or user.deleted)]
    return next((user for user in active if user.is_admin), active[0])


def _link(query: Mapping[str, str], workspace: Workspace) -> str:
    return html.escape(f"{PATH}/allow?{urlencode({**query, 'team': workspace.team_id})}")


def _back(query: Mapping[str, str], answer: dict[str, str]) -> str:
    address = query.get("redirect_uri", "")
    separator = "&" if "?" in address else "?"
    return f"{address}{separator}{urlencode({**answer, 'state': query.get('state', '')})}"


def _page(title: str, body: str, *, status: int = 200) -> web.Response:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<link rel="stylesheet" href="/base.css"></head><body><main><h1>{title}</h1>{body}</main></body></html>'
    )
    return web.Response(text=text, content_type="text/html", status=status)
