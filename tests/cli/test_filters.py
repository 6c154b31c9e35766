"""The words that choose runs, and who may do what, as they are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app
from bot.config.masterkey import NoMasterKey, sealer
from bot.config.permissions import may
from bot.config.settings import Settings, WrongSetting
from bot.console.asked import Asked
from bot.console.filters import filter_of, instant
from bot.console.launch import Misuse
from bot.console.steering import json_of, label, settle
from engine.core.events import Actor
from engine.core.keys import KEYS
from engine.core.roles import Grant, Role
from engine.core.workspace import DEPLOY, DEPLOY_GATES, ROLES
from engine.store import RunFilter, new_master_key

NOW = 1_795_348_800_000  # 2026-11-22T12:00:00Z
DAY = 86_400_000
ANA = Actor(via="cli", id="1000", name="ana")
EVE = Actor(via="slack", id="UEVE", name="ana")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.variables():
        monkeypatch.delenv(name, raising=False)


def test_words_become_a_filter() -> None:
    asked = Asked(
        ("failed",), "wf", "ana", "3d", "2026-11-22T11:00:00+00:00", "x", ("team=web", "a=b=c"), "dead_letter"
    )
    assert filter_of(asked, NOW) == RunFilter(
        statuses=["failed"],
        workflow="wf",
        started_by="ana",
        created_after=NOW - 3 * DAY,
        created_before=NOW - DAY // 24,
        text="x",
        labels={"team": "web", "a": "b=c"},
        attention="dead_letter",
    )
    assert filter_of(Asked(attention="any"), NOW).attention == RunFilter.ANYTHING
    assert filter_of(Asked(attention="given_up"), NOW).attention == "given_up"
    assert filter_of(Asked(attention="held"), NOW).attention == "held"
    assert filter_of(Asked(), NOW) == RunFilter.EVERY


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(status=("faild",)), "There is no state 'faild'; did you mean failed?"),
        (Asked(attention="aproval"), "There is no thing that needs a person 'aproval'; did you mean approval?"),
        (Asked(labels=("team",)), "'team' is no label; write NAME=VALUE"),
        (Asked(labels=("a=1", "a=2")), "The label a is given twice"),
        (Asked(since="3"), "--since '3' is no age and no time; write it as 90d"),
    ],
)
def test_words_that_can_mean_nothing_are_refused_with_what_can(asked: Asked, said: str) -> None:
    with pytest.raises(Misuse) as refused:
        filter_of(asked, NOW)
    assert said in str(refused.value)


def test_an_age_is_before_now_and_a_day_is_itself() -> None:
    assert instant("90d", NOW, "--older-than") == NOW - 90 * DAY
    assert instant("2026-11-22T12:00:00Z", 0, "--older-than") == NOW


def test_answers_and_json_are_read_before_anything_is_asked() -> None:
    with pytest.raises(Misuse, match="did you mean happened"):
        settle("charge", "hapened", None, "")
    with pytest.raises(Misuse, match="--result goes with happened, retry, accept"):
        settle("charge", "fail", "1", "")
    with pytest.raises(Misuse, match="The payload is no JSON"):
        json_of("{", "The payload")
    with pytest.raises(Misuse, match="NaN"):
        json_of("[NaN]", "The payload")
    with pytest.raises(Misuse, match="no label to set"):
        label((), ())


def test_by_default_the_command_line_deploys_and_changes_gates_where_it_may_decide() -> None:
    assert may(Settings.read(), ANA) == {DEPLOY, DEPLOY_GATES, ROLES, KEYS}
    assert may(Settings.read(), EVE) == frozenset()
    assert may(Settings.read(VB_DATABASE_URL="postgresql://host/db"), ANA) == {DEPLOY}


def test_named_people_alone_may_deploy_and_change_gates() -> None:
    settings = Settings.read(VB_DEPLOYERS="ana, slack:UBEN", VB_GATE_OWNERS="slack:UEVE")
    assert may(settings, ANA) == {DEPLOY}
    assert may(settings, EVE) == {DEPLOY, DEPLOY_GATES, ROLES, KEYS}, (
        "a name on the command line is not that name in Slack"
    )
    assert may(settings, Actor(via="cli", id="1", name="eve")) == frozenset()
    assert may(Settings.read(VB_DEPLOYERS="*"), EVE) == {DEPLOY}


def test_an_account_may_what_the_person_in_slack_may_whose_it_is() -> None:
    settings = Settings.read(VB_DEPLOYERS="role:operator", VB_GATE_OWNERS="slack:UEVE")
    granted = (Grant(Role.ADMIN, "@UBEN", "@ben"), Grant(Role.OPERATOR, "@UDAN", "@dan", "release"))
    assert may(settings, ANA, EVE) == {DEPLOY, DEPLOY_GATES, ROLES, KEYS}
    assert may(settings, ANA, None, granted) == frozenset(), "nobody has said whose the account is"
    assert may(settings, ANA, Actor(via="slack", id="UBEN", name="ben"), granted) == {DEPLOY}, "an admin is an operator"
    assert may(settings, ANA, Actor(via="slack", id="UDAN", name="dan"), granted) == frozenset(), "of one workflow only"


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("VB_LEASE", "15", "VB_LEASE"),
        ("VB_LEASE", "100ms", "from 1s to 10m"),
        ("VB_DEPLOYERS", "@ana", "is nobody"),
        ("VB_LARGEST_RESULT_MIB", "0", "at least 1"),
    ],
)
def test_wrong_settings_are_named(setting: str, value: str, said: str) -> None:
    with pytest.raises(WrongSetting) as wrong:
        Settings.read(None, **{setting: value})
    assert said in str(wrong.value)


def test_master_keys_come_from_a_private_file_or_the_environment_and_are_never_shown(tmp_path: Path) -> None:
    first, second = new_master_key(), new_master_key()
    assert sealer(Settings.read()) is None
    by_text = sealer(Settings.read(VB_MASTER_KEY=f"{first} {second}"))
    file = tmp_path / "key"
    file.write_text(f"{first}\n{second}\n", encoding="ascii")
    file.chmod(0o600)
    by_file = sealer(Settings.read(VB_MASTER_KEY_FILE=str(file)))
    assert by_text is not None
    assert by_file is not None
    assert by_text.current == by_file.current
    file.chmod(0o644)
    for wrong, said in (
        ({"VB_MASTER_KEY_FILE": str(file)}, "chmod 600"),
        ({"VB_MASTER_KEY_FILE": str(tmp_path / "none")}, "no such file"),
        ({"VB_MASTER_KEY": f"{first}x"}, "VB_MASTER_KEY cannot be used"),
        ({"VB_MASTER_KEY": first, "VB_MASTER_KEY_FILE": str(file)}, "are set together; leave one"),
    ):
        settings = Settings.read(None, **wrong)
        with pytest.raises(NoMasterKey) as refused:
            sealer(settings)
        assert said in str(refused.value)
        assert first not in str(refused.value) + repr(settings)


@pytest.mark.parametrize(("word", "meant"), [("rnus", "runs"), ("verfy", "verify"), ("redrve", "redrive")])
def test_a_word_that_is_no_command_is_met_with_the_nearest_one(word: str, meant: str) -> None:
    said = CliRunner().invoke(app, [word])
    assert said.exit_code == 2
    assert re.search(rf"Did you mean .*'{meant}'", said.output)


def test_a_word_that_is_no_subcommand_is_met_with_the_nearest_one() -> None:
    said = CliRunner().invoke(app, ["schedule", "paus"])
    assert (said.exit_code, "Did you mean 'pause'?" in said.output) == (2, True)
