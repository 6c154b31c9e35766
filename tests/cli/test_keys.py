"""`vb keys` and `vb secrets`: given unseen or by a pipe, shown as little as serves, and gone when they are revoked."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.config.masterkey import NoMasterKey, sealer
from bot.config.settings import Settings
from engine.clock import SystemClock
from engine.core.events import Actor
from engine.core.keys import KEYS
from engine.keycheck import Endpoint, check_key
from engine.keyring import Keyring
from engine.store import Log, Sealer, new_master_key
from engine.workspace import Workspace
from tests.cli.conftest import VB, Vb
from tests.providers.echoing import provider

KEY, OTHER = "sk-canary-4711-first-ABCD", "sk-canary-4711-second-EFGH"
ANA = Actor(via="cli", id="1", name="Ana")


@pytest.fixture
def keeping(vb: Vb, tmp_path: Path) -> Vb:
    """The command line with a master key."""
    vb.environment["VB_MASTER_KEY"] = new_master_key()
    return vb


def test_a_key_is_added_listed_rotated_checked_and_revoked(keeping: Vb) -> None:
    added = keeping.fed(f"{KEY}\n", "keys", "add", "openai")
    assert (added.code, added.out) == (0, "The key default of openai is kept, and ends in ABCD.\n")
    again = keeping.fed(OTHER, "keys", "add", "openai")
    assert again.code == 1
    assert "is there already; vb keys rotate openai replaces it" in again.err
    rotated = keeping.fed(OTHER, "keys", "rotate", "openai")
    assert rotated.out == (
        "The key default of openai is replaced, and ends in EFGH; no worker can open the old one any more.\n"
    )
    (listed,) = json.loads(keeping("keys", "list", "--json").out)
    assert {name: listed[name] for name in ("provider", "name", "last_four", "used_at")} == {
        "provider": "openai", "name": "default", "last_four": "EFGH", "used_at": None,
    }  # fmt: skip
    assert keeping("keys", "revoke", "openai").code == 2, "it asks, and nobody is there to answer"
    assert keeping("keys", "revoke", "openai", "--yes").code == 0
    checked = json.loads(keeping("keys", "check", "--json").out)
    assert (checked["whole"], checked["there"]) == (True, 0)
    assert [one["there"] for one in checked["lapsed"]] == [False, False]
    everything = b"".join(file.read_bytes() for file in keeping.folder.rglob("*") if file.is_file())
    assert KEY.encode() not in everything
    assert OTHER.encode() not in everything


def test_secrets_have_names_of_their_own(keeping: Vb) -> None:
    kept = keeping.fed(KEY, "secrets", "set", "DEPLOY_TOKEN")
    assert kept.out == (
        "The secret DEPLOY_TOKEN is kept, and ends in ABCD: ${{ secrets.DEPLOY_TOKEN }} in the with of a step.\n"
    )
    assert json.loads(keeping("keys", "list", "--json").out) == []
    (listed,) = json.loads(keeping("secrets", "list", "--json").out)
    assert listed["name"] == "DEPLOY_TOKEN"
    assert keeping("secrets", "remove", "DEPLOY_TOKEN", "--yes").code == 0
    missing = keeping("secrets", "remove", "DEPLOY_TOKEN", "--yes")
    assert (missing.code, "vb secrets set DEPLOY_TOKEN makes one" in missing.err) == (1, True)


@pytest.mark.parametrize(
    ("given", "words", "said"),
    [
        (KEY[:5], ("keys", "add", "openai"), "it has fewer than 8 characters"),
        ("", ("keys", "add", "openai"), "it is empty; give it by a pipe, or type it at a terminal"),
        (KEY, ("keys", "add", "Open AI"), "cannot name a provider"),
        (KEY, ("keys", "add", "secrets"), "vb secrets set keeps secrets of steps"),
        (KEY, ("secrets", "set", "a-b"), "cannot name a secret"),
        (KEY, ("keys", "add", "openai", KEY), "unexpected extra argument"),
    ],
)
def test_what_cannot_be_kept_is_said_and_never_repeated(
    keeping: Vb, given: str, words: tuple[str, ...], said: str
) -> None:
    refused = keeping.fed(given, *words)
    assert refused.code == 2
    assert said in refused.err.lower() if said.islower() else said in refused.err
    assert KEY not in refused.said or KEY in words


def test_without_a_master_key_and_without_the_right_nothing_is_kept(vb: Vb) -> None:
    unsealed = vb.fed(KEY, "keys", "add", "openai")
    there_is_none = (
        "There is no master key to keep secrets by: vb keys new makes one, and VB_MASTER_KEY_FILE names it\n"
    )
    assert (unsealed.code, unsealed.err) == (1, there_is_none)
    refused = vb.fed(KEY, "keys", "add", "openai", VB_MASTER_KEY=new_master_key(), VB_GATE_OWNERS="slack:U1")
    assert "may not change keys and secrets; that takes the role admin" in refused.err


def test_at_a_terminal_a_key_is_typed_unseen(keeping: Vb) -> None:
    ours, theirs = os.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VB_", "SLACK_"))}
    command = [str(VB), "keys", "add", "openai", "--dir", str(keeping.folder)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | keeping.environment,
        cwd=keeping.folder.parent, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        while b"(not shown): " not in shown:
            shown += os.read(ours, 1_024)
        os.write(ours, f"{KEY}\n".encode())
        with contextlib.suppress(OSError):  # the terminal is gone with its last process
            while read := os.read(ours, 1_024):
                shown += read
        assert process.wait() == 0
    os.close(ours)
    assert b"is kept, and ends in ABCD" in shown
    assert KEY.encode() not in shown


@pytest.mark.parametrize(
    ("wire", "status", "accepted", "words"),
    [
        ("openai", 200, True, "takes it"),
        ("openai", 401, False, "does not take it (status 401)"),
        ("anthropic", 403, False, "does not take it (status 403)"),
        ("openai", 500, None, "answered with status 500, which says nothing of the key"),
    ],
)
async def test_a_provider_is_asked_once_and_its_words_are_not_kept(
    tmp_path: Path, wire: str, status: int, accepted: bool | None, words: str
) -> None:
    log = await Log.open(f"sqlite:///{tmp_path / 'vb.db'}", b"k" * 32, sealer=Sealer(b"m" * 32))
    workspace = Workspace(log, SystemClock(), "ws_t")
    try:
        await Keyring(log, workspace).add(wire, "", KEY, by=ANA, may=frozenset({KEYS}))
        async with provider(status) as url:
            said = await check_key(log, workspace, wire, "default", Endpoint.of(wire, url), by=ANA)
        assert (said.accepted, said.words) == (accepted, f"{wire} {words}")
        last, event = (await workspace.history())[-1]
        assert event == said
        assert KEY not in last.payload
    finally:
        await log.close()


def test_master_keys_come_from_a_function_whose_words_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_master_key()
    (tmp_path / "acme_kms.py").write_text(
        f"def keys():\n    return [{first!r}]\ndef broken():\n    raise OSError({first!r})\nnothing = None\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    made = sealer(Settings.read(None, VB_MASTER_KEY_FROM="acme_kms:keys"))
    assert made is not None
    assert made.current == Sealer.of(first).current
    for hook, words in (
        ("acme_kms:broken", "failed (OSError)"),
        ("acme_kms:nothing", "failed (TypeError)"),
        ("acme_kms:gone", "names no function"),
        ("no.such:thing", "names no function"),
    ):
        with pytest.raises(NoMasterKey) as refused:
            sealer(Settings.read(None, VB_MASTER_KEY_FROM=hook))
        assert words in str(refused.value)
        assert first not in str(refused.value)
