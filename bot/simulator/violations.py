"""Counts what an app did that Slack's rules forbid: too fast, too much, too late, or malformed.

What an app cannot foresee (a message that was deleted, a channel that was archived, a stale hash) is no violation.
"""

from collections import Counter, deque

from bot.simulator.errors import SlackError

KEPT = 200

FORBIDDEN = frozenset(
    {
        "bad_client_secret",
        "cannot_reply_to_message",
        "alt_txt_too_large",
        "duplicate_external_id",
        "exchanged_trigger_id",
        "expired_trigger_id",
        "invalid_arguments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_client_id",
        "invalid_cursor",
        "invalid_form_data",
        "invalid_json",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "invalid_post_type",
        "invalid_trigger_id",
        "invalid_types",
        "json_not_object",
        "markdown_text_conflict",
        "metadata_too_large",
        "missing_scope",
        "msg_blocks_too_long",
        "missing_argument",
        "msg_too_long",
        "no_text",
        "not_allowed_token_type",
        "not_authed",
        "push_limit_reached",
        "snippet_too_large",
        "too_many_attachments",
        "too_many_users",
        "unknown_method",
        "unknown_snippet_type",
        "user_not_in_channel",
        "users_list_not_supplied",
        "view_too_large",
    }
)
"""Refusals that an app which knows Slack's rules never gets. "cannot_reply_to_message" is counted where the root is no
root; where it was deleted, the refusal is foreseen.
"""


class Violations:
    """By kind, with the latest ones in words."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.latest: deque[str] = deque(maxlen=KEPT)

    @property
    def total(self) -> int:
        return self.counts.total()

    def note(self, kind: str, detail: str) -> None:
        self.counts[kind] += 1
        self.latest.append(f"{kind}: {detail}")

    def refused(self, what: str, error: SlackError) -> None:
        """Count a refusal, if it is one for breaking a rule."""
        if error.name in FORBIDDEN and not error.foreseen:
            problems = "; ".join(error.extra.get("errors", []))
            self.note(error.name, f"{what} {problems}".strip())

    def __str__(self) -> str:
        return ", ".join(f"{kind} {count}" for kind, count in sorted(self.counts.items())) or "none"
