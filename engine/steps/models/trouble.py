"""What went wrong with a request to a model, as a failure of the step.

The one rule: a provider's words are for people only where they cannot hold a key. Of a refusal because of the key
nothing is quoted: providers echo what they were sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from engine.core.failures import FailureClass, NotYet, StepError
from engine.steps.context import Unsent

PAUSE_MS = 10_000
"""So long a provider is left alone that refused for its limit, and did not say for how long."""
LONGEST_PAUSE_MS = 3_600_000
LONGEST_QUOTE = 300

_AGAIN = frozenset({408, 409, 425})
"""Refusals that are about the moment alone."""
_SECRETS = re.compile(r"\b(sk|pk|key|Bearer)[-_ ][A-Za-z0-9_\-*.]{6,}")


class LimitReached(NotYet):
    """The provider's own limit: it has done nothing, and says when to come again."""

    sent = False

    def __init__(self, provider: str, wait: int) -> None:
        super().__init__(f"{provider}'s limit", wait)


def trouble(error: Exception, provider: str, model: str, key: str | None) -> Exception:
    """The failure that an error of the SDKs or of pydantic-ai stands for.

    One that comes within an answer is not ``Unsent``, whatever it says: the provider had begun.
    """
    found = _trouble(error, provider, model, key)
    if not getattr(error, "in_stream", False):
        return found
    if isinstance(found, LimitReached):
        found.sent = True
    return StepError(str(found), found.cls, retry_after=found.retry_after) if isinstance(found, Unsent) else found


def _trouble(error: Exception, provider: str, model: str, key: str | None) -> Exception:
    from pydantic_ai import exceptions as x

    match error:
        case x.ModelRateLimitError():
            return LimitReached(provider, _pause(error.retry_after))
        case x.ModelQuotaExceededError() | x.ModelRequestRejectedError():
            return _refused(error, provider, model, key)
        case x.ModelConnectionError() | x.ModelRequestTimeout():
            return _cut_off(error, provider)
        case x.ModelOverloadedError():
            return Unsent(f"{provider} is overloaded", FailureClass.TRANSIENT, retry_after=_ms(error.retry_after))
        case x.ModelHTTPError(status_code=status) if 400 <= status < 500 and status not in _AGAIN:
            return _refused(error, provider, model, key)
        case x.ModelAPIError():
            words = f"{provider} failed{_status(error)}: {_said(error, key)}"
            return StepError(words, FailureClass.TRANSIENT, retry_after=_ms(error.retry_after))
        case x.ContentFilterError():
            return StepError(f"{provider} refuses what is asked of {model} for its content", FailureClass.PERMANENT)
        case x.UnexpectedModelBehavior():
            return StepError(f"{model} answered in a form that is not its provider's", FailureClass.INVALID_OUTPUT)
        case _:
            return StepError(f"{model} could not be asked: {type(error).__name__}", FailureClass.PERMANENT)


def _refused(error: Exception, provider: str, model: str, key: str | None) -> StepError:
    """The provider has not begun: what is asked is not to be had, or not by whoever asks."""
    from pydantic_ai import exceptions as x

    name = model.partition(":")[2]
    match error:
        case x.ModelQuotaExceededError():
            words = (
                f"{provider} refuses {name}: the account's credit or quota is used up; top it up, or give another key"
            )
            return Unsent(words, FailureClass.PERMISSION)
        case x.ModelAuthenticationError():
            words = f"{provider} does not accept the key for {name}; check it, or give another one"
            return Unsent(words, FailureClass.PERMISSION)
        case x.ModelNotFoundError():
            return Unsent(f"{provider} has no model {name}", FailureClass.INVALID_INPUT)
        case x.ModelContextWindowExceededError():
            return Unsent(f"what is asked is longer than {name} takes", FailureClass.INVALID_INPUT)
        case _:
            words = f"{provider} refuses what is asked of {name}: {_said(error, key)}"
            return Unsent(words, FailureClass.INVALID_INPUT)


def _cut_off(error: Exception, provider: str) -> StepError:
    """No answer, or not the whole of it. Whether the provider has begun is unknown, unless nobody took the request."""
    from pydantic_ai import exceptions as x

    if isinstance(error, x.ModelConnectionError) and error.phase in ("pool", "connect"):
        return Unsent(f"{provider} cannot be reached", FailureClass.TRANSIENT)
    if isinstance(error, x.ModelTimeoutError | x.ModelRequestTimeout):
        return StepError(f"{provider} did not answer in time", FailureClass.TIMEOUT)
    return StepError(f"the connection to {provider} broke off", FailureClass.TRANSIENT)


def _pause(seconds: float | None) -> int:
    return PAUSE_MS if seconds is None else min(max(round(seconds * 1_000), 1_000), LONGEST_PAUSE_MS)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else min(round(seconds * 1_000), LONGEST_PAUSE_MS)


def _status(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    return f" ({status})" if isinstance(status, int) else ""


def _said(error: Any, key: str | None) -> str:
    """The provider's own sentence, with nothing in it that is a key or looks like one."""
    found = cast("object", error.body)
    for _ in range(2):
        if isinstance(found, Mapping):
            parts = cast("Mapping[str, object]", found)
            found = parts.get("error") or parts.get("message")
    words = " ".join(found.split()) if isinstance(found, str) else "it does not say why"
    if key:
        words = words.replace(key, "[key]")
    words = _SECRETS.sub("[key]", words)
    return words if len(words) <= LONGEST_QUOTE else f"{words[:LONGEST_QUOTE]}…"
