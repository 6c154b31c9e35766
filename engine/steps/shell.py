"""The step ``shell.run``: one program that the operator has allowed, with an argument list.

The one rule: there is no shell. No string is ever parsed for commands, variables or wildcards.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from engine.core.failures import FailureClass, StepError
from engine.steps.arguments import Timeout, no_secret
from engine.steps.process import Command, run
from engine.steps.registry import StepFunction, step

_NAME = re.compile(r"[\w.+-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SEEN: Final = "everybody on the worker's machine can see a program's arguments; give it by env or stdin"


@dataclass(frozen=True, slots=True)
class ShellPolicy:
    """The programs that definitions may run: the name that they use, and the absolute path that it stands for.

    ``variables`` are those of the environment that definitions may set for them: some make a program run another one.
    """

    allowed: Mapping[str, str] = field(default_factory=dict[str, str])
    variables: frozenset[str] = frozenset()

    @classmethod
    def of(cls, programs: Iterable[str], variables: Iterable[str] = ()) -> ShellPolicy:
        """From what an operator writes: ``find`` (looked up on PATH, now) or ``name=/absolute/path``.

        ``ValueError`` for an entry that is neither, or that no executable file stands behind, and for a variable that
        cannot be one.
        """
        names = frozenset(variables)
        for name in sorted(names):
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name!r} is no variable; write its name, such as DEPLOY_TOKEN")
        return cls(dict(_allowed(entry) for entry in programs), names)


@dataclass(frozen=True, slots=True)
class ShellResult:
    """How the program ended. What goes beyond 64 KiB of a stream is cut off, and the text's last line says so."""

    exit_code: int
    stdout: str
    stderr: str


def shell_run(policy: ShellPolicy) -> StepFunction:
    """The step ``shell.run`` for the programs of ``policy``. Lost attempts are repeated: let programs be repeatable."""

    @step("shell.run")
    async def shell_run(
        program: Annotated[str, no_secret(_SEEN)],
        args: Annotated[tuple[str, ...], no_secret(_SEEN)] = (),
        cwd: Annotated[str, no_secret(_SEEN)] = ".",
        env: dict[str, str] | None = None,
        stdin: str = "",
        timeout: Annotated[Timeout, Field(json_schema_extra={"default": "5m"})] = 300_000,  # noqa: ASYNC109 - part of the step's interface
        ok_exit_codes: tuple[int, ...] = (0,),
    ) -> ShellResult:
        path = _permitted(policy, program)
        environment = _settable(policy, env or {})
        done = await run(Command(program, path, args, cwd=cwd, stdin=stdin, timeout=timeout, environment=environment))
        if done.exit_code not in ok_exit_codes:
            raise StepError(": ".join(part for part in (f"{program} {done.say_exit()}", done.last_words) if part))
        return ShellResult(done.exit_code, str(done.stdout), str(done.stderr))

    return shell_run


def _permitted(policy: ShellPolicy, program: str) -> str:
    path = policy.allowed.get(program)
    if path is not None:
        return path
    if not policy.allowed:
        raise StepError("shell.run is off here; the operator has to allow programs first", FailureClass.PERMISSION)
    names = ", ".join(sorted(policy.allowed))
    raise StepError(f"the program {program!r} is not allowed here; allowed: {names}", FailureClass.PERMISSION)


def _settable(policy: ShellPolicy, environment: Mapping[str, str]) -> Mapping[str, str]:
    for name in environment:
        if name not in policy.variables:
            allowed = ", ".join(sorted(policy.variables)) or "none; the operator has to allow variables first"
            raise StepError(f"the variable {name!r} may not be set here; allowed: {allowed}", FailureClass.PERMISSION)
    return environment


def _allowed(entry: str) -> tuple[str, str]:
    name, given, path = entry.strip().partition("=")
    if not _NAME.fullmatch(name) or (given and not Path(path).is_absolute()):
        raise ValueError(f"{entry!r} is not a program; write its name, such as find, or name=/absolute/path")
    found = shutil.which(path if given else name)
    if found is None:
        raise ValueError(f"there is no program {path if given else name!r} that can be run on this machine")
    return name, str(Path(found).absolute())
