"""Everything that the simulator refuses.

    SlackError        a Web API method answered `ok: false`
    PersonError       a person tried something that a Slack client would not let them do
    DeliveryFailed    a payload did not get its acknowledgement from the app

An error carries the code that Slack uses; a message for a person is a whole sentence.
"""

from typing import Any


class SlackError(Exception):
    """A method's refusal: `name` is Slack's error name, `extra` goes into the answer beside it.

    `foreseen`: an app may well run into it, and no rule is broken, although the name says so.
    """

    def __init__(self, name: str, *, foreseen: bool = False, **extra: Any) -> None:
        super().__init__(name)
        self.name = name
        self.foreseen = foreseen
        self.extra = extra


def invalid(name: str, problems: list[str], *, foreseen: bool = False) -> SlackError:
    """Slack's answer to a broken schema: the problems as `errors` and, with a severity, as `messages`."""
    messages = [f"[ERROR] {problem}" for problem in problems]
    return SlackError(name, foreseen=foreseen, errors=problems, response_metadata={"messages": messages})


class PersonError(Exception):
    """Refused in the client, before the app hears of it. `code` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class DeliveryFailed(Exception):
    """`reason` is the word that Slack shows: operation_timeout, dispatch_failed, or not_connected.

    `retry_reason` is told to the app when an event is delivered again; `again` is False when it asked not to be.
    """

    def __init__(self, reason: str, retry_reason: str, *, again: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_reason = retry_reason
        self.again = again
