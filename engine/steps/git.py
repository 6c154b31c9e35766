"""The steps ``git.log`` and ``git.tag``, by way of the program git on a repository that lies on this machine.

The one rule: git runs with our settings, not with those of the person who started the worker: no pager, no prompt, no
hooks, no network, no user's configuration. Names from outside never stand where git could take them for an option.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Annotated, NoReturn

from pydantic import Field, StringConstraints

from engine.core.failures import FailureClass, StepError
from engine.steps.arguments import no_secret
from engine.steps.process import Command, Finished, run
from engine.steps.registry import step

LOG_BYTES = 4 * 1_048_576

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
}
_SETTINGS = (
    "--no-pager",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "log.showSignature=false",
    "-c", "i18n.logOutputEncoding=utf-8",
    "-c", "tag.gpgSign=false",
    "-c", "tag.forceSignAnnotated=false",
)  # fmt: skip
_TAGGER = ("-c", "user.name=Vectorbea", "-c", "user.email=vectorbea@localhost")
"""Signs an annotated tag where the repository names nobody."""

_FIELDS = ("%H", "%h", "%s", "%an", "%ct")

Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1_000),
    no_secret("everybody on the worker's machine can see what git is given"),
]


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; ``at`` is the committer's instant in epoch milliseconds."""

    hash: str
    short: str
    subject: str
    author: str
    at: int


@dataclass(frozen=True, slots=True)
class GitLog:
    """The result of ``git.log``, the newest commit first; ``text`` has a line for each; ``since`` is a tag, if any."""

    commits: tuple[Commit, ...]
    text: str
    since: str | None


@dataclass(frozen=True, slots=True)
class GitTag:
    """The result of ``git.tag``: where ``tag`` now is, and whether this attempt put it there."""

    tag: str
    commit: str
    created: bool


@step("git.log")
async def git_log(
    repo: Text = ".", since_tag: Text | None = None, limit: Annotated[int, Field(ge=1, le=1_000)] = 100
) -> GitLog:
    """The commits up to HEAD since ``since_tag``; or else since the last tag up to HEAD; or else from the beginning."""
    if await _commit_at(repo, "HEAD") is None:
        raise StepError(f"{repo} has no commits yet")
    if since_tag is None:
        since = await _last_tag(repo)
    else:
        since = since_tag
        if await _commit_at(repo, await _tag_ref(repo, since)) is None:
            raise StepError(f"there is no tag {since!r} in {repo}")
    reach = "HEAD" if since is None else f"refs/tags/{since}..HEAD"
    done = await _git(
        repo, "log", "-z", f"--max-count={limit}", f"--format=tformat:{'%x00'.join(_FIELDS)}", reach, "--"
    )
    if done.stdout.cut:
        raise StepError(f"the log of {repo} is longer than {LOG_BYTES} bytes; lower limit, or give a later since_tag")
    commits = _commits(done.stdout.text)
    return GitLog(commits, "\n".join(f"- {commit.subject} ({commit.short})" for commit in commits), since)


@step("git.tag")
async def git_tag(repo: Text, name: Text, message: str | None = None, ref: Text = "HEAD") -> GitTag:
    """Tags the commit at ``ref``; annotated if there is a ``message``. A tag that is already there is left as it is.

    Making it twice is harmless by nature: the second time it is found at the same commit. At another commit it is an
    error, and nothing changes.
    """
    tag_ref = await _tag_ref(repo, name)
    commit = await _commit_at(repo, ref)
    if commit is None:
        raise StepError(f"there is no commit {ref!r} in {repo}")
    if await _is_tagged(repo, name, tag_ref, commit):
        return GitTag(name, commit, created=False)
    options = await _tag_options(repo) if message else ("tag",)
    done = await _git(repo, *options, "--", name, commit, stdin=message or "", check=False)
    if done.exit_code != 0:
        if await _is_tagged(repo, name, tag_ref, commit):  # somebody was quicker
            return GitTag(name, commit, created=False)
        _fail(repo, "tag", done)
    return GitTag(name, commit, created=True)


async def _tag_options(repo: str) -> tuple[str, ...]:
    """The beginning of the command for an annotated tag, whose message is on stdin: it may be long."""
    known = await _git(repo, "config", "--get", "user.email", check=False)
    who = () if known.exit_code == 0 else _TAGGER
    return (*who, "tag", "--annotate", "--cleanup=whitespace", "--file=-")


async def _is_tagged(repo: str, name: str, tag_ref: str, commit: str) -> bool:
    there = await _commit_at(repo, tag_ref)
    if there is not None and there != commit:
        raise StepError(
            f"the tag {name} is already at {there[:10]}, not at {commit[:10]}; choose another name, or remove that tag"
        )
    return there is not None


async def _tag_ref(repo: str, name: str) -> str:
    """The full name of the tag, by git's own rules for names (``git check-ref-format``)."""
    ref = f"refs/tags/{name}"
    if name.startswith("-") or (await _git(repo, "check-ref-format", ref, check=False)).exit_code != 0:
        raise StepError(f"{name!r} cannot be the name of a tag", FailureClass.INVALID_INPUT)
    return ref


async def _commit_at(repo: str, ref: str) -> str | None:
    if ref.startswith("-"):
        raise StepError(f"{ref!r} cannot be a commit", FailureClass.INVALID_INPUT)
    done = await _git(repo, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False)
    if done.exit_code not in (0, 1):
        _fail(repo, "rev-parse", done)
    return done.stdout.text.strip() or None


async def _last_tag(repo: str) -> str | None:
    done = await _git(repo, "describe", "--tags", "--abbrev=0", "HEAD", check=False)
    return done.stdout.text.strip() or None


def _commits(text: str) -> tuple[Commit, ...]:
    parts = text.split("\0")
    return tuple(
        Commit(hash_, short, subject, author, int(seconds) * 1_000)
        for hash_, short, subject, author, seconds in zip(*[iter(parts)] * len(_FIELDS), strict=False)
    )


async def _git(repo: str, *args: str, stdin: str = "", check: bool = True) -> Finished:
    program = shutil.which("git")
    if program is None:
        raise StepError("the program git is not installed where the step ran")
    done = await run(
        Command(
            "git",
            program,
            (*_SETTINGS, *args),
            cwd=repo,
            stdin=stdin,
            environment=_ENVIRONMENT,
            output_limit=LOG_BYTES,
        )
    )
    if check and done.exit_code != 0:
        _fail(repo, args[0], done)
    return done


def _fail(repo: str, verb: str, done: Finished) -> NoReturn:
    lines = done.stderr.text.splitlines()
    reason = next((line for line in lines if line.startswith(("fatal: ", "error: "))), done.last_words)
    reason = reason.removeprefix("fatal: ").removeprefix("error: ")[:300]
    if "not a git repository" in reason:
        raise StepError(f"{repo} is not a git repository")
    if "dubious ownership" in reason:
        raise StepError(
            f"{repo} belongs to another user, so git does not work in it; the operator can add it to safe.directory",
            FailureClass.PERMISSION,
        )
    locked = "cannot lock ref" in reason or ".lock': File exists" in reason
    raise StepError(
        f"git {verb} in {repo} {done.say_exit()}: {reason}",
        FailureClass.TRANSIENT if locked else FailureClass.PERMANENT,
    )
