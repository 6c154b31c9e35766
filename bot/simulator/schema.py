"""Small checks that are put together into Block Kit's rules; every problem is reported with a JSON pointer.

A check takes a value, its pointer and the report, and returns nothing: it adds what is wrong. Wordings are those that
Slack's servers use ("must be less than 3001 characters", "no more than 25 items allowed").
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

Json = dict[str, Any]


class Report:
    """Collects problems in the order in which they are met."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, rule: str, pointer: str) -> None:
        self.problems.append(f"{rule} [json-pointer:{pointer}]")


Check = Callable[[Any, str, Report], None]


def is_object(value: object) -> TypeGuard[Json]:
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def anything(_value: Any, _pointer: str, _report: Report) -> None:
    """For parts whose content Slack does not publish rules for."""


def string(maximum: int, minimum: int = 0) -> Check:
    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, str):
            report.add("must be a string", pointer)
        elif len(value) > maximum:
            report.add(f"must be less than {maximum + 1} characters", pointer)
        elif len(value) < minimum:
            report.add(f"must be more than {minimum - 1} characters", pointer)

    return check


def boolean(value: Any, pointer: str, report: Report) -> None:
    if not isinstance(value, bool):
        report.add("must be a boolean", pointer)


def integer(minimum: int, maximum: int) -> Check:
    def check(value: Any, pointer: str, report: Report) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            report.add("must be an integer", pointer)
        elif not minimum <= value <= maximum:
            report.add(f"must be between {minimum} and {maximum}", pointer)

    return check


def enum(*allowed: str) -> Check:
    def check(value: Any, pointer: str, report: Report) -> None:
        if value not in allowed:
            report.add(f"must be one of: {', '.join(allowed)}", pointer)

    return check


def pattern(matches: Callable[[str], object], rule: str) -> Check:
    """A string for which `matches` gives something true."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, str) or not matches(value):
            report.add(rule, pointer)

    return check


def array(item: Check, maximum: int, minimum: int = 1) -> Check:
    def check(value: Any, pointer: str, report: Report) -> None:
        if not is_array(value):
            report.add("must be an array", pointer)
            return
        if len(value) > maximum:
            report.add(f"no more than {maximum} items allowed", pointer)
        if len(value) < minimum:
            report.add(f"no fewer than {minimum} items allowed", pointer)
        for index, each in enumerate(value):
            item(each, f"{pointer}/{index}", report)

    return check


def record(fields: Mapping[str, Check], required: Sequence[str] = ()) -> Check:
    """An object with these fields and no other."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if not is_object(value):
            report.add("must be an object", pointer)
            return
        for name in required:
            if value.get(name) is None:
                report.add(f"missing required field: {name}", pointer)
        for name, part in value.items():
            if name not in fields:
                report.add(f"invalid additional property: {name}", pointer)
            elif part is not None:
                fields[name](part, f"{pointer}/{name}", report)

    return check


def by_type(checks: Mapping[str, Check]) -> Check:
    """An object whose `type` says which of the checks applies."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if not is_object(value):
            report.add("must be an object", pointer)
        elif value.get("type") is None:
            report.add("missing required field: type", pointer)
        elif value["type"] not in checks:
            report.add(f"unsupported type: {value['type']}", f"{pointer}/type")
        else:
            checks[value["type"]](value, pointer, report)

    return check


def typed(fields: Mapping[str, Check], required: Sequence[str] = ()) -> Check:
    """A record that also has the `type` by which it was chosen."""
    return record({"type": anything, **fields}, required)


def also(first: Check, *rest: Check) -> Check:
    """All of these."""

    def check(value: Any, pointer: str, report: Report) -> None:
        for each in (first, *rest):
            each(value, pointer, report)

    return check


def rule(broken: Callable[[Json], bool], text: str) -> Check:
    """A rule over a whole object, reported at the object when `broken` says so."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if is_object(value) and broken(value):
            report.add(text, pointer)

    return check
