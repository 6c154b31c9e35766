"""What tokens are good for: where the app is installed, by whom, and until when each token holds.

A token is kept as its digest alone, so that neither memory nor a log gives it away. Facts:
docs.slack.dev/authentication/installing-with-oauth and /using-token-rotation.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.simulator.errors import SlackError
from bot.simulator.workspace import Workspace

TOKEN_LIFETIME_MS = 43_200_000
CODE_LIFETIME_MS = 600_000
GRACE_MS = 60_000
"""How long a refresh token that was used still is; Slack calls it short, and no more."""

LIVE_TOKENS = 2


@dataclass(slots=True)
class Grant:
    """One bot token. `ended` is the error that it is answered with once it is not good any more."""

    team: str
    expires_ms: int | None = None
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """What an installation or a refresh hands over. Only rotating tokens have a refresh token and an end."""

    team: str
    installer: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None


@dataclass(slots=True)
class _Code:
    team: str
    installer: str
    redirect_uri: str
    scopes: tuple[str, ...]
    issued_ms: int


@dataclass(slots=True)
class _Refresh:
    team: str
    installer: str
    used_ms: int | None = None


class Grants:
    """`rotating`: tokens of new installations expire, and are renewed by a refresh token."""

    def __init__(self, now_ms: Callable[[], int], *, rotating: bool = False) -> None:
        self.client_id = f"{secrets.randbelow(10**12):012d}.{secrets.randbelow(10**12):012d}"
        self.client_secret = secrets.token_hex(16)
        self.rotating = rotating
        self.workspaces: dict[str, Workspace] = {}
        self._now_ms = now_ms
        self._tokens: dict[bytes, Grant] = {}
        self._codes: dict[bytes, _Code] = {}
        self._refreshes: dict[bytes, _Refresh] = {}

    def permit(self, team: str, token: str) -> None:
        """Accept a token that was made elsewhere; it does not expire."""
        self._tokens[_digest(token)] = Grant(team)

    def installed(self, team: str) -> bool:
        return any(grant.team == team and not grant.ended for grant in self._tokens.values())

    def check(self, token: str) -> Grant:
        """What the token is good for. Raises SlackError invalid_auth, token_expired, or what ended it."""
        grant = self._tokens.get(_digest(token))
        if grant is None:
            raise SlackError("invalid_auth")
        if grant.ended:
            raise SlackError(grant.ended)
        if grant.expires_ms is not None and self._now_ms() >= grant.expires_ms:
            raise SlackError("token_expired", foreseen=True)
        return grant

    # ── installing ───────────────────────────────────────────────────────────────────────────────────────────────

    def is_client(self, client_id: str, client_secret: str) -> None:
        """Raises SlackError invalid_client_id or bad_client_secret."""
        if client_id != self.client_id:
            raise SlackError("invalid_client_id")
        if not hmac.compare_digest(client_secret.encode(), self.client_secret.encode()):
            raise SlackError("bad_client_secret")

    def issue_code(self, team: str, installer: str, redirect_uri: str, scopes: tuple[str, ...]) -> str:
        """The code that the person brings back to the app, good once and for ten minutes."""
        code = f"{secrets.randbelow(10**12):012d}.{secrets.token_hex(32)}"
        self._codes[_digest(code)] = _Code(team, installer, redirect_uri, scopes, self._now_ms())
        return code

    def exchange(self, code: str, redirect_uri: str) -> Issued:
        """Install. Raises SlackError: invalid_code, code_already_used, bad_redirect_uri."""
        known = self._codes.pop(_digest(code), None)
        if known is None or self._now_ms() - known.issued_ms > CODE_LIFETIME_MS:
            raise SlackError("invalid_code")
        if redirect_uri != known.redirect_uri:
            raise SlackError("bad_redirect_uri")
        self.workspaces[known.team].app.scopes = known.scopes
        return self._issue(known.team, known.installer)

    def refresh(self, token: str) -> Issued:
        """Renew. A refresh token is good once, and for a short while after, as its answer may have been lost."""
        known = self._refreshes.get(_digest(token))
        now = self._now_ms()
        if known is None or (known.used_ms is not None and now - known.used_ms > GRACE_MS):
            raise SlackError("invalid_refresh_token")
        known.used_ms = now if known.used_ms is None else known.used_ms
        return self._issue(known.team, known.installer)

    def _issue(self, team: str, installer: str) -> Issued:
        if not self.rotating:
            token = f"xoxb-simulator-{secrets.token_hex(16)}"
            self.permit(team, token)
            return Issued(team, installer, token)
        token, refresh = f"xoxe.xoxb-1-{secrets.token_hex(24)}", f"xoxe-1-{secrets.token_hex(24)}"
        self._tokens[_digest(token)] = Grant(team, self._now_ms() + TOKEN_LIFETIME_MS)
        self._refreshes[_digest(refresh)] = _Refresh(team, installer)
        live = [grant for grant in self._tokens.values() if grant.team == team and grant.expires_ms and not grant.ended]
        for grant in live[:-LIVE_TOKENS]:
            grant.ended = "token_revoked"
        return Issued(team, installer, token, refresh, TOKEN_LIFETIME_MS // 1000)

    # ── ending ───────────────────────────────────────────────────────────────────────────────────────────────────

    def revoke(self, grant: Grant) -> None:
        grant.ended = "token_revoked"

    def uninstall(self, team: str) -> None:
        """All tokens and refresh tokens of this workspace end."""
        for grant in self._tokens.values():
            if grant.team == team and not grant.ended:
                grant.ended = "account_inactive"
        self._refreshes = {digest: each for digest, each in self._refreshes.items() if each.team != team}


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
