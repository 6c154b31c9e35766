"""Which methods of the Web API the bot's code calls: by their names, and by the names of slack_sdk's own functions."""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from slack_sdk.web.async_client import AsyncWebClient

BOT = Path(__file__).resolve().parents[2] / "bot"
_CALL = re.compile(r'self\.api_call\(\s*"([\w.]+)"')


@cache
def sdk_methods() -> dict[str, str]:
    """slack_sdk's functions → the methods that they call."""
    names: dict[str, str] = {}
    for name, function in inspect.getmembers(AsyncWebClient, inspect.isfunction):
        called = _CALL.search(inspect.getsource(function))
        if called is not None:
            names[name] = called.group(1)
    return names


def names_in(source: str) -> Iterator[str]:
    """The methods of the Web API that this Python source names."""
    by_function = sdk_methods()
    known = set(by_function.values())
    tree = ast.parse(source)
    tabled = {constant for table in ast.walk(tree) if isinstance(table, ast.Dict) for constant in _grouped(table)}
    for node in ast.walk(tree):
        if node in tabled:
            continue
        if isinstance(node, ast.Constant) and node.value in known:
            yield str(node.value)
        elif isinstance(node, ast.Attribute) and node.attr in by_function:
            yield by_function[node.attr]


def _grouped(table: ast.Dict) -> Iterator[ast.AST]:
    """What a table lists in groups, as that of the limits does: nothing is called there."""
    for value in table.values:
        if isinstance(value, ast.Tuple):
            yield from ast.walk(value)


def used_methods() -> dict[str, list[str]]:
    """Each method that the bot calls, with the files that do."""
    used: dict[str, list[str]] = {}
    for path in sorted(BOT.rglob("*.py")):
        if "simulator" in path.parts:
            continue
        for name in set(names_in(path.read_text(encoding="utf-8"))):
            used.setdefault(name, []).append(str(path.relative_to(BOT)))
    return used
