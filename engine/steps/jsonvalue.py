"""Values that leave a step, as JSON.

The one rule: what passes here can be written to the log as UTF-8 text and read back equal.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_jsonable_python


def to_json_value(value: object) -> JsonValue:
    """``value`` as plain JSON data: models, dates, paths and enums become what JSON has for them.

    ``ValueError``, in words, for what JSON cannot say: NaN and infinities, half surrogate pairs, endless nesting,
    objects of unknown kinds.
    """
    try:
        plain: Any = to_jsonable_python(value)
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise ValueError("holds text with half a surrogate pair, which is not valid Unicode") from None
    except PydanticSerializationError:
        raise ValueError("cannot be written as JSON: it holds an object of a kind that JSON does not know") from None
    except (RecursionError, ValueError):
        raise ValueError("cannot be written as JSON: it holds NaN or an infinity, or is nested too deeply") from None
    return plain
