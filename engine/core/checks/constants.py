"""What an expression that depends on nothing always gives.

The one rule: one that does not compile, or has no value, says nothing here; that is reported where it is checked.
"""

from __future__ import annotations

from engine.core.expressions import ExpressionError, condition


def is_always_false(text: str) -> bool:
    """Whether the condition refers to nothing in a run, and does not hold."""
    try:
        compiled = condition(text)
        return not compiled.references and not compiled.holds({})
    except ExpressionError:
        return False
