"""What a person is told where a file could not be shared.

The one rule: it says who can do what about it, and nothing of how Slack is asked.
"""

from __future__ import annotations

NOT_GRANTED = (
    "This workspace has not allowed me to share files yet. Whoever manages its apps can: install me once more, and "
    "Slack asks for it (`files:write`)."
)
NOT_A_MEMBER = (
    "I can share files only where I am a member, and I am not one here. Invite me with `/invite @Vectorbea`, and ask "
    "again."
)
ARCHIVED = "Nothing can be shared here any more, since the channel is archived."
NOT_ALLOWED = "This workspace takes no such file from me ({error}). Whoever manages it in Slack can change that."
NOT_SHARED = "Slack did not take the file ({error}). Ask again in a minute."

_WHY = {
    "missing_scope": NOT_GRANTED,
    "not_in_channel": NOT_A_MEMBER,
    "channel_not_found": NOT_A_MEMBER,
    "invalid_channel": NOT_A_MEMBER,
    "is_archived": ARCHIVED,
    **dict.fromkeys(
        (
            "file_uploads_disabled",
            "file_uploads_except_images_disabled",
            "file_upload_size_restricted",
            "posting_to_channel_denied",
            "storage_limit_reached",
        ),
        NOT_ALLOWED,
    ),
}


def not_shared(error: str) -> str:
    """Why a file is not there, from Slack's word for it."""
    return _WHY.get(error, NOT_SHARED).format(error=error.replace("_", " "))
