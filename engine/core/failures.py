"""Failures as data: their classes, how an exception becomes one, and which classes are worth another attempt.

The one rule: a class is decided here, in code, before anybody acts on a failure.

    StepError                  raised by step code that knows what happened
    └── class, retry_after     carried to the Failure
    NotYet                     no failure at all: the attempt is put off
    any other exception        mapped by the table in ``classify``
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, ValidationError

MESSAGE_LIMIT = 2_000


class FailureClass(StrEnum):
    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    INVALID_INPUT = "invalid_input"
    INVALID_OUTPUT = "invalid_output"
    PERMISSION = "permission"
    PERMANENT = "permanent"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"


RETRIED = frozenset({FailureClass.TRANSIENT, FailureClass.RATE_LIMITED, FailureClass.TIMEOUT, FailureClass.WORKER_LOST})
"""Classes for which the same attempt, made again later, can succeed."""


class Failure(BaseModel):
    """What went wrong in one attempt, in words for people.

    ``retry_after`` is the wait in milliseconds that the other side asked for. ``known`` tells whether the step itself
    said what happened: otherwise, such as after a lost connection, its effect may have happened all the same.
    """

    model_config = ConfigDict(frozen=True)

    cls: FailureClass
    message: str
    retry_after: int | None = None
    known: bool = False


class StepError(Exception):
    """Raised by a step to say exactly what went wrong.

    ``cls`` decides whether it is tried again; ``retry_after`` is in milliseconds.
    """

    def __init__(
        self, message: str, cls: FailureClass = FailureClass.PERMANENT, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.cls = cls
        self.retry_after = retry_after


class NotYet(Exception):
    """Raised by a step that may not go on before ``wait`` ms have passed, and has done nothing yet.

    Its attempt is put off, and costs nothing: the same one starts again then. ``words`` name what is waited for, such
    as ``openai's limit``.
    """

    def __init__(self, words: str, wait: int) -> None:
        super().__init__(f"waits for {words}")
        self.words = words
        self.wait = wait


_TABLE: tuple[tuple[type[BaseException], FailureClass], ...] = (
    (TimeoutError, FailureClass.TIMEOUT),
    (PermissionError, FailureClass.PERMISSION),
    (FileNotFoundError, FailureClass.PERMANENT),
    (ConnectionError, FailureClass.TRANSIENT),
    (OSError, FailureClass.TRANSIENT),
    (ValidationError, FailureClass.INVALID_INPUT),
)


def classify(error: BaseException) -> Failure:
    """The failure that ``error`` stands for.

    An exception that no row knows is permanent: code that fails by a bug fails again.
    """
    text = _said_by(error)
    if isinstance(error, StepError):
        return Failure(cls=error.cls, message=text, retry_after=error.retry_after, known=True)
    for kind, cls in _TABLE:
        if isinstance(error, kind):
            return Failure(cls=cls, message=text or _words(error))
    return Failure(cls=FailureClass.PERMANENT, message=f"{_words(error)}: {text}" if text else _words(error))


def http_failure_class(status: int) -> FailureClass | None:
    """The class of an HTTP answer by its status (RFC 9110, RFC 6585), or None if it is no failure."""
    if status < 400:
        return None
    if status == 429:
        return FailureClass.RATE_LIMITED
    if status in (401, 403, 407):
        return FailureClass.PERMISSION
    if status in (408, 425) or status >= 500:
        return FailureClass.TRANSIENT
    return FailureClass.PERMANENT


def _said_by(error: BaseException) -> str:
    """Its text as every database can hold it: valid Unicode, without NUL, of limited length."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot speak is classified all the same
        return ""
    return text.strip()[:MESSAGE_LIMIT].encode(errors="replace").decode().replace("\0", "\ufffd")


def _words(error: BaseException) -> str:
    """``ConnectionRefusedError`` as ``connection refused``."""
    name = type(error).__name__.removesuffix("Error").removesuffix("Exception") or "error"
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
