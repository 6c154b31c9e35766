"""Delivery to the app's request URL, signed as Slack signs; the alternative to Socket Mode.

Signatures use real time, because the app compares them with its own clock. Facts:
docs.slack.dev/authentication/verifying-requests-from-slack.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.simulator.courier import ACK_TIMEOUT_MS, LATE, Parcel, Retry
from bot.simulator.errors import DeliveryFailed
from bot.simulator.model import Json
from bot.simulator.schema import is_object
from bot.simulator.tickets import Handed
from bot.simulator.violations import Violations

_FORM = "application/x-www-form-urlencoded"
_MAX_REDIRECTS = 2


def signature(signing_secret: str, timestamp: int, body: bytes) -> str:
    """The value of X-Slack-Signature for this body."""
    base = b"v0:" + str(timestamp).encode() + b":" + body
    return "v0=" + hmac.new(signing_secret.encode(), base, hashlib.sha256).hexdigest()


class HttpDelivery:
    """Posts payloads to `url`. `time_shift_s` makes timestamps wrong, for tests of the app's refusal."""

    def __init__(
        self,
        url: str,
        signing_secret: str,
        *,
        ack_timeout_ms: int = ACK_TIMEOUT_MS,
        handed: Handed | None = None,
        violations: Violations | None = None,
    ) -> None:
        self.url = url
        self.time_shift_s = 0
        self._handed = handed or Handed()
        self._violations = violations or Violations()
        self._signing_secret = signing_secret
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ack_timeout_ms / 1000))

    @property
    def connected(self) -> bool:
        return not self._session.closed

    async def close(self) -> None:
        await self._session.close()

    async def verify_url(self, token: str) -> bool:
        """Slack's handshake when a request URL is entered: the app must echo the challenge."""
        challenge = secrets.token_urlsafe(24)
        body = {"token": token, "challenge": challenge, "type": "url_verification"}
        async with self._post(json.dumps(body).encode(), "application/json") as response:
            text = await response.text()
            return response.ok and challenge in text

    async def send(self, parcel: Parcel, retry: Retry | None = None) -> Json | None:
        body, content_type = _encode(parcel)
        self._handed.note(parcel.payload.get("trigger_id"))
        try:
            async with self._post(body, content_type, retry) as response:
                text = await response.text()
                if response.ok:
                    return _answer(text, response.content_type)
                again = response.headers.get("x-slack-no-retry") != "1"
                raise DeliveryFailed("dispatch_failed", "http_error", again=again)
        except TimeoutError:
            self._violations.note(LATE, f"{parcel.kind}, over HTTP")
            raise DeliveryFailed("operation_timeout", "http_timeout") from None
        except aiohttp.TooManyRedirects:
            raise DeliveryFailed("dispatch_failed", "too_many_redirects") from None
        except (aiohttp.ClientError, asyncio.IncompleteReadError):
            raise DeliveryFailed("dispatch_failed", "connection_failed") from None

    def _post(self, body: bytes, content_type: str, retry: Retry | None = None) -> Any:
        timestamp = int(time.time()) + self.time_shift_s
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": str(timestamp),
            "X-Slack-Signature": signature(self._signing_secret, timestamp, body),
        }
        if retry is not None:
            headers |= {"X-Slack-Retry-Num": str(retry.attempt), "X-Slack-Retry-Reason": retry.reason}
        return self._session.post(self.url, data=body, headers=headers, max_redirects=_MAX_REDIRECTS)


def _encode(parcel: Parcel) -> tuple[bytes, str]:
    if parcel.kind == "events_api":
        return json.dumps(parcel.payload).encode(), "application/json"
    fields = parcel.payload if parcel.kind == "slash_commands" else {"payload": json.dumps(parcel.payload)}
    return urlencode(fields).encode(), _FORM


def _answer(text: str, content_type: str) -> Json | None:
    if not text.strip():
        return None
    if content_type == "application/json":
        try:
            body: Any = json.loads(text)
        except ValueError:
            raise DeliveryFailed("dispatch_failed", "http_error") from None
        return body if is_object(body) and body else None
    return {"text": text}
