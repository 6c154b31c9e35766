"""``git.log`` and ``git.tag`` on real repositories, hostile names and hostile repositories among them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from engine.core.failures import FailureClass, StepError
from engine.steps.context import StepContext
from engine.steps.git import git_log, git_tag
from engine.steps.registry import StepFunction

AT = 1_750_000_000


class Repository:
    """A repository in a folder of its own, made by git itself under a fixed identity and clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        self._seconds = AT

    def git(self, *args: str) -> str:
        who = {"NAME": "Ana", "EMAIL": "ana@example.com", "DATE": f"{getattr(self, '_seconds', AT)} +0200"}
        identity = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), **identity}
        done = subprocess.run(
            ["git", *args], cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, subject: str) -> str:
        self._seconds += 60
        self.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def tags(self) -> list[str]:
        return self.git("tag").splitlines()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "repo"
    folder.mkdir()
    return Repository(folder)


async def call(function: StepFunction, ctx: StepContext, repository: Repository, **args: Any) -> Any:
    return await function.invoke(ctx, {"repo": str(repository.folder), **args})


async def refusal(function: StepFunction, ctx: StepContext, repository: Repository, **args: Any) -> StepError:
    with pytest.raises(StepError) as caught:
        await call(function, ctx, repository, **args)
    return caught.value


class TestLog:
    """``git.log``: which commits, and in what shape."""

    async def test_all_commits_while_there_is_no_tag(self, ctx: StepContext, repository: Repository) -> None:
        hashes = [repository.commit("First"), repository.commit("Add ümlaut & <b>\n\nA body.")]
        log = await call(git_log, ctx, repository)
        assert [commit["hash"] for commit in log["commits"]] == hashes[::-1]
        newest = log["commits"][0]
        assert newest["subject"] == "Add ümlaut & <b>"
        assert newest["author"] == "Ana"
        assert newest["at"] == (AT + 120) * 1_000
        assert hashes[1].startswith(newest["short"])
        assert log["text"].splitlines()[0] == f"- Add ümlaut & <b> ({newest['short']})"
        assert log["since"] is None

    async def test_commits_since_the_last_tag_or_the_one_given(self, ctx: StepContext, repository: Repository) -> None:
        for tag in ("v1", "v2"):
            repository.commit(f"Before {tag}")
            repository.git("tag", tag)
        repository.commit("After")
        recent, older = await call(git_log, ctx, repository), await call(git_log, ctx, repository, since_tag="v1")
        assert (recent["since"], [c["subject"] for c in recent["commits"]]) == ("v2", ["After"])
        assert (older["since"], [c["subject"] for c in older["commits"]]) == ("v1", ["After", "Before v2"])

    async def test_nothing_since_a_tag_at_the_head(self, ctx: StepContext, repository: Repository) -> None:
        repository.commit("Only")
        repository.git("tag", "v1")
        assert await call(git_log, ctx, repository) == {"commits": [], "text": "", "since": "v1"}

    async def test_at_most_limit_commits(self, ctx: StepContext, repository: Repository) -> None:
        for number in range(4):
            repository.commit(f"{number}")
        log = await call(git_log, ctx, repository, limit=2)
        assert [commit["subject"] for commit in log["commits"]] == ["3", "2"]

    async def test_a_commit_without_a_message(self, ctx: StepContext, repository: Repository) -> None:
        repository.commit("")
        repository.commit("Second")
        log = await call(git_log, ctx, repository)
        assert [commit["subject"] for commit in log["commits"]] == ["Second", ""]

    async def test_an_unknown_tag_and_no_commits_are_said(self, ctx: StepContext, repository: Repository) -> None:
        assert str(await refusal(git_log, ctx, repository)) == f"{repository.folder} has no commits yet"
        repository.commit("First")
        error = await refusal(git_log, ctx, repository, since_tag="v9")
        assert str(error) == f"there is no tag 'v9' in {repository.folder}"


class TestTag:
    """``git.tag``: made once, found afterwards, never moved."""

    async def test_a_tag_is_made_and_then_found(self, ctx: StepContext, repository: Repository) -> None:
        head = repository.commit("First")
        made = await call(git_tag, ctx, repository, name="v1.4.2")
        again = await call(git_tag, ctx, repository, name="v1.4.2")
        assert made == {"tag": "v1.4.2", "commit": head, "created": True}
        assert again == {"tag": "v1.4.2", "commit": head, "created": False}
        assert repository.git("cat-file", "-t", "v1.4.2") == "commit"

    async def test_an_annotated_tag_keeps_its_message_whole(self, ctx: StepContext, repository: Repository) -> None:
        head = repository.commit("First")
        message = "# v1\n\n- one $(id) `id`\n--delete"
        for created in (True, False):
            tagged = await call(git_tag, ctx, repository, name="v1", message=message)
            assert tagged == {"tag": "v1", "commit": head, "created": created}
        assert repository.git("tag", "--list", "--format=%(contents)", "v1") == message
        assert repository.git("tag", "--list", "--format=%(taggername)", "v1") == "Vectorbea"

    async def test_a_message_may_be_longer_than_an_argument(self, ctx: StepContext, repository: Repository) -> None:
        repository.commit("First")
        message = "\n".join(f"- line {number}" for number in range(20_000))
        await call(git_tag, ctx, repository, name="v1", message=message)
        assert repository.git("tag", "--list", "--format=%(contents)", "v1") == message

    async def test_the_repositorys_own_name_signs_if_there_is_one(
        self, ctx: StepContext, repository: Repository
    ) -> None:
        repository.commit("First")
        repository.git("config", "user.name", "Ben")
        repository.git("config", "user.email", "ben@example.com")
        await call(git_tag, ctx, repository, name="v1", message="One")
        assert repository.git("tag", "--list", "--format=%(taggername)", "v1") == "Ben"

    async def test_another_commit_can_be_tagged(self, ctx: StepContext, repository: Repository) -> None:
        first = repository.commit("First")
        repository.commit("Second")
        assert (await call(git_tag, ctx, repository, name="v1", ref="HEAD~1"))["commit"] == first

    async def test_a_tag_at_another_commit_stays_there(self, ctx: StepContext, repository: Repository) -> None:
        first = repository.commit("First")
        repository.git("tag", "v1")
        second = repository.commit("Second")
        error = await refusal(git_tag, ctx, repository, name="v1")
        assert error.cls is FailureClass.PERMANENT
        assert f"v1 is already at {first[:10]}, not at {second[:10]}" in str(error)
        assert repository.git("rev-parse", "v1") == first

    @pytest.mark.parametrize(
        "name", ["-d", "--delete", "a b", "a..b", "a.lock", "a~1", "a:b", "/a", "a\0b", ".", "a\nb"]
    )
    async def test_names_that_git_does_not_allow_are_refused(
        self, ctx: StepContext, repository: Repository, name: str
    ) -> None:
        repository.commit("First")
        error = await refusal(git_tag, ctx, repository, name=name)
        assert error.cls is FailureClass.INVALID_INPUT
        assert repository.tags() == []

    @pytest.mark.parametrize("ref", ["nowhere", "--all", "-q", "HEAD^{tree}", "@{u}"])
    async def test_what_is_no_commit_is_refused(self, ctx: StepContext, repository: Repository, ref: str) -> None:
        repository.commit("First")
        error = await refusal(git_tag, ctx, repository, name="v1", ref=ref)
        assert (error.cls is FailureClass.INVALID_INPUT) == ref.startswith("-")
        assert repository.tags() == []

    async def test_a_lock_that_another_git_holds_is_worth_another_attempt(
        self, ctx: StepContext, repository: Repository
    ) -> None:
        repository.commit("First")
        (repository.folder / ".git/refs/tags/v1.lock").touch()
        assert (await refusal(git_tag, ctx, repository, name="v1")).cls is FailureClass.TRANSIENT

    async def test_the_repositorys_hooks_and_helpers_do_not_run(
        self, ctx: StepContext, repository: Repository, tmp_path: Path
    ) -> None:
        repository.commit("First")
        trap = repository.folder / ".git/hooks/reference-transaction"
        trap.write_text(f"#!/bin/sh\necho ran >> {tmp_path}/ran\n")
        trap.chmod(0o755)
        for setting in ("core.fsmonitor", "core.pager", "gpg.program", "core.editor", "pager.log"):
            repository.git("config", setting, str(trap))
        repository.git("config", "tag.gpgSign", "true")
        repository.git("config", "tag.forceSignAnnotated", "true")
        repository.git("config", "log.showSignature", "true")
        (tmp_path / "ran").unlink(missing_ok=True)
        await call(git_tag, ctx, repository, name="v1", message="One")
        await call(git_log, ctx, repository, since_tag="v1")
        assert not (tmp_path / "ran").exists()
        assert repository.tags() == ["v1"]


@pytest.mark.parametrize("function", [git_log, git_tag])
async def test_a_folder_that_is_no_repository_is_said(ctx: StepContext, tmp_path: Path, function: StepFunction) -> None:
    name = {"name": "v1"} if function is git_tag else {}
    with pytest.raises(StepError, match="is not a git repository"):
        await function.invoke(ctx, {"repo": str(tmp_path), **name})
    with pytest.raises(StepError, match="there is no folder"):
        await function.invoke(ctx, {"repo": str(tmp_path / "none"), **name})
