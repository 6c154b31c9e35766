"""What a person decides on, as one digest, so that the record of a decision says exactly what it was about.

The one rule: everything that could change somebody's mind is in it: the question, what was shown, the values that may
be edited, and the exact arguments of the steps that the gate covers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pydantic import JsonValue


def digest(
    title: str,
    show: Mapping[str, JsonValue],
    fields: Mapping[str, JsonValue],
    inputs: Mapping[str, Mapping[str, JsonValue]],
) -> str:
    """The sha256, in hex, of the canonical JSON of the four."""
    evidence = {"title": title, "show": dict(show), "fields": dict(fields), "inputs": dict(inputs)}
    text = json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
