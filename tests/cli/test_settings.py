"""What operators set: read once, wrong settings named in one sentence, and nothing that may be secret shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.config.chainkey import BYTES, NoChainKey, chain_key
from bot.config.settings import Settings, WrongSetting

README = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.variables():
        monkeypatch.delenv(name, raising=False)


def test_defaults_are_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.read()
    assert settings.database_url == f"sqlite:///{tmp_path}/.vb/vb.db"
    assert settings.is_embedded_redis
    assert settings.cli_approvals
    assert not settings.shell_policy.allowed
    assert not settings.http_policy.allows("localhost", "127.0.0.1")
    examples = {file.stem for file in settings.workflow_folders[0].iterdir()}
    assert {"check_site", "cleanup", "draft_notes", "publish_release"} < examples
    (tmp_path / "workflows").mkdir()
    assert settings.workflow_folders == (Path("workflows"),)


def test_the_readme_lists_every_setting() -> None:
    table = README.split("\n| setting |", 1)[1].split("\n\n", 1)[0]
    listed = {name for row in table.splitlines()[2:] for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    assert listed == Settings.variables()


def test_the_folder_of_the_command_goes_before_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VB_DIR", "/there")
    assert Settings.read().folder == Path("/there")
    assert Settings.read(Path("/here")).folder == Path("/here")


def test_a_given_database_is_not_decided_on_from_the_command_line_unless_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VB_DATABASE_URL", "postgresql://host/db")
    assert not Settings.read().cli_approvals
    monkeypatch.setenv("VB_CLI_APPROVALS", "yes")
    assert Settings.read().cli_approvals


def test_policies_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VB_ALLOWED_PROGRAMS", "sh, tool=/bin/sh")
    monkeypatch.setenv("VB_ALLOW_PRIVATE_ADDRESSES", "127.0.0.1,10.0.0.0/8")
    settings = Settings.read()
    assert set(settings.shell_policy.allowed) == {"sh", "tool"}
    monkeypatch.setenv("VB_ALLOWED_VARIABLES", "DEPLOY_TOKEN, OTHER")
    assert Settings.read().shell_policy.variables == {"DEPLOY_TOKEN", "OTHER"}
    assert settings.http_policy.allows("x", "10.1.2.3")
    assert not settings.http_policy.allows("x", "192.168.0.1")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("VB_SLOTS", "many", "it must be a whole number"),
        ("VB_SLOTS", "0", "it must be at least 1"),
        ("VB_HTTP_PORT", "70000", "it must be at most 65535"),
        ("VB_CLI_APPROVALS", "perhaps", "it must be yes or no"),
        ("VB_ALLOWED_PROGRAMS", "no-such-program", "there is no program 'no-such-program'"),
        ("VB_ALLOWED_VARIABLES", "A=b", "'A=b' is no variable"),
        ("VB_ALLOW_PRIVATE_ADDRESSES", "10.0.0.0/99", "'10.0.0.0/99' is neither a network"),
        ("VB_DATABASE_URL", "mysql://vb:s3cret@host/vb", "write it as sqlite:///path"),
        ("VB_DATABASE_URL", "postgresql://vb:s3/cret@host/vb", "write it as sqlite:///path"),
        ("VB_REDIS_URL", "http://s3cret@host", "write it as redis://host"),
        ("VB_REDIS_URL", "s3cret", "write it as redis://host"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSetting, match=f"The setting {name} cannot be used: {problem}") as error:
        Settings.read()
    assert "s3cret" not in str(error.value)


def test_nothing_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("VB_DATABASE_URL", "postgresql://vb:s3cret@host/vb")
    monkeypatch.setenv("VB_REDIS_URL", "redis://vb:s3cret@host")
    assert "s3cret" not in repr(Settings.read())
    assert "s3cret" not in str(Settings.read())


def list_of(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def no_history() -> bool:
    return False


async def some_history() -> bool:
    return True


async def test_the_key_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "chain.key"
    key = await chain_key(file, no_history)
    assert len(key) == BYTES
    assert file.stat().st_mode & 0o777 == 0o600
    assert await chain_key(file, some_history) == key
    assert list_of(file.parent) == ["chain.key"]


async def test_no_second_key_is_made_for_a_history(tmp_path: Path) -> None:
    with pytest.raises(NoChainKey, match="key of this history is missing"):
        await chain_key(tmp_path / "chain.key", some_history)
    assert not list_of(tmp_path)


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [(b"x" * BYTES, 0o644, "can be read by others"), (b"short", 0o600, "too short")],
)
async def test_a_key_that_cannot_be_trusted_is_refused(tmp_path: Path, content: bytes, mode: int, problem: str) -> None:
    file = tmp_path / "chain.key"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(NoChainKey, match=problem):
        await chain_key(file, no_history)
