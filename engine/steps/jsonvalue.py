"""Values that leave a step, as JSON.

The one rule: what passes here can be written to the log as UTF-8 text and read back equal.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

LARGEST = 4_000_000
"""Bytes of one value's JSON text: every reader of a run has all its values in memory."""


def to_json_value(value: object) -> JsonValue:
    """``value`` as plain JSON data: models, dates, paths and enums become what JSON has for them.

    ``ValueError``, in words, for what JSON cannot say: NaN and infinities, half surrogate pairs, endless nesting,
    objects of unknown kinds; and for more of it than ``LARGEST``.
    """
    try:
        plain: Any = to_jsonable_python(value)
        size = len(json.dumps(plain, ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError:
        raise ValueError("holds text with half a surrogate pair, which is not valid Unicode") from None
    except PydanticSerializationError:
        raise ValueError("cannot be written as JSON: it holds an object of a kind that JSON does not know") from None
    except (RecursionError, ValueError):
        raise ValueError("cannot be written as JSON: it holds NaN or an infinity, or is nested too deeply") from None
    if size > LARGEST:
        raise ValueError(
            f"is {size / 1e6:.1f} MB of JSON, and {LARGEST / 1e6:g} MB are the most that a run's history takes; "
            "put it into a file or a store, and return where it is"
        )
    return plain
