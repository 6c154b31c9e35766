"""Files are shared once, whatever breaks in between; and who may not share them says what to do about it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.files import not_shared
from bot.sending.files import File, Files, Key, SharedFile
from bot.sending.looking import Target
from bot.sending.outbox import Outbox, Priority, Refused
from bot.simulator.calls import Fault
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from bot.simulator.uploads import TICKET
from engine.store import Log
from tests.bot.conftest import Setup

BEGIN, COMPLETE = "files.getUploadURLExternal", "files.completeUploadExternal"
LOG = File("run.log", "The log of a run", b"one\ntwo\n", "What happened", "text")
HERE, KEY = Target("C0RELEASES"), Key("run_1", "log:7", 7)


@pytest.fixture
async def store(setup: Setup) -> AsyncIterator[Log]:
    async with setup.engine() as engine:
        yield engine.store


@pytest.fixture
def files(client: AsyncWebClient, store: Log) -> Files:
    return Files(Outbox(client, answer_within_s=60), store, settle_ms=10)


async def share(files: Files, target: Target = HERE) -> SharedFile:
    return await files.share(KEY, target, LOG, Priority.ANSWER)


def shown(simulator: Simulator) -> list[Message]:
    return [one for one in simulator.channel_messages("releases") if one.files]


def ids(simulator: Simulator) -> list[str]:
    return [file.id for message in shown(simulator) for file in message.files]


async def test_a_file_is_shared_once_and_its_link_is_kept(simulator: Simulator, files: Files) -> None:
    first, second = await share(files), await share(files)
    (message,) = shown(simulator)
    assert first == second
    assert (message.text, message.files[0].title) == (LOG.comment, LOG.title)
    assert first.link.endswith(message.files[0].path)
    assert len(simulator.calls(BEGIN)) == 1


@pytest.mark.parametrize("method", [TICKET, COMPLETE])
@pytest.mark.parametrize("drop", ["before", "after"])
async def test_an_answer_that_is_lost_neither_loses_nor_doubles_a_file(
    simulator: Simulator, files: Files, method: str, drop: str
) -> None:
    simulator.fail_next(method, Fault(drop="before" if drop == "before" else "after"))
    shared = await share(files)
    assert ids(simulator) == [shared.file]


async def test_a_process_that_ends_between_a_share_and_its_record_leaves_no_double(
    simulator: Simulator, files: Files, client: AsyncWebClient, store: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    async def die(*_: object, **__: object) -> bool:
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr("bot.sending.files.Deliveries.confirm", die)
        with pytest.raises(Died):
            await share(files)
    again = await share(Files(Outbox(client, answer_within_s=60), store, settle_ms=10))
    assert ids(simulator) == [again.file]
    assert again.link.endswith(shown(simulator)[0].files[0].path), "found in the conversation, by the file's id"


async def test_an_upload_that_slack_has_discarded_is_made_anew(simulator: Simulator, files: Files) -> None:
    simulator.fail_next(COMPLETE, Fault(error="file_not_found"))
    shared = await share(files)
    assert ids(simulator) == [shared.file]
    assert await share(files) == shared
    assert len(simulator.calls(BEGIN)) == 2


async def test_a_limit_of_slack_holds_up_that_method_alone_and_nothing_is_lost(
    simulator: Simulator, files: Files
) -> None:
    simulator.fail_next(COMPLETE, Fault(retry_after_s=1))
    await share(files)
    assert [call.status for call in simulator.calls(COMPLETE)] == [429, 200]
    assert len(shown(simulator)) == 1


async def test_where_the_bot_is_no_member_it_says_what_to_do_and_then_it_works(
    simulator: Simulator, files: Files
) -> None:
    workspace, bot = simulator.workspace, simulator.workspace.app.bot_user_id
    workspace.leave(workspace.place("releases"), bot)
    with pytest.raises(Refused) as refused:
        await share(files)
    assert "/invite" in not_shared(refused.value.error)
    workspace.join(workspace.place("releases"), bot)
    await share(files)
    assert len(shown(simulator)) == 1
    assert len(simulator.calls(BEGIN)) == 1, "what was uploaded is shared"
