"""Who types: the user of this machine, by the account that the process runs under.

The one rule: the operating system is asked, not the environment, in which everybody may write what they like.
"""

from __future__ import annotations

import os
import pwd

from engine.core.events import Actor


def me() -> Actor:
    """The machine's user, as one who came by way of the command line."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return Actor(via="cli", id=str(os.getuid()), name=name)
