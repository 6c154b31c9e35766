"""What documents, help and messages say to type can be typed: each command and option that they name is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bot.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]
VB: Any = typer.main.get_command(app)

_SHELL = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(?:\.venv/bin/)?vb ([^`]+)`")
_COMMAND = re.compile(r"(?:^|[\s/])vb\s+(.*)$")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def examples() -> Iterator[str]:
    """All whole commands: the lines for a shell in documents, and the examples in help."""
    for document in DOCUMENTS:
        for block in _SHELL.findall(document.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"; |\||&&", line.split(" #")[0]):
                    if found := _COMMAND.search(part):
                        yield found[1]
    for command in all_of(VB):
        for said in re.findall(r"For example: (.*)", " ".join((command.help or "").split())):
            yield from (one.strip(" ,") for one in re.split(r"(?:, or |^)vb ", said) if one)


def all_of(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        yield command
        yield from all_of(command) if hasattr(command, "commands") else ()


def found_in(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words begin with, and what is given to it."""
    command, rest = VB, list(words)
    while hasattr(command, "commands") and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("example", sorted(set(examples())))
def test_an_example_is_understood(example: str) -> None:
    command, rest = found_in(shlex.split(re.split(r" [<>]", example)[0]))
    assert command is not VB, "there is no such command"
    if not hasattr(command, "commands") or rest:
        command.make_context("vb", rest)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_options_that_a_document_names_are_there(document: Path) -> None:
    for said in _INLINE.findall(document.read_text(encoding="utf-8")):
        command, _ = found_in(re.split(r"[\s|\\]+", said))
        assert command is not VB, said
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(_OPTION.findall(said)) <= known | {"--help"}, said
