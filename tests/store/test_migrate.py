"""Migrations: the tables they make are those of the schema, and openers do not collide."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import engine.store.migrations
from engine.store import Deliveries, Log, RunFilter, SchemaMismatch, to_text, verify
from engine.store.chain import event_hash, head_mac
from engine.store.connect import connect
from engine.store.migrate import NEWEST
from engine.store.schema import metadata
from tests.store.build import KEY, T0, append, appended, query, tamper

WITHOUT_STARTERS = "0007"
WITHOUT_NOTICES = "0009"


async def test_migrated_tables_are_those_of_the_schema(log: Log) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    assert await log.database.read(differences) == []


def test_the_newest_script_is_the_one_the_release_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(engine.store.migrations.__path__[0])))

    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST]


async def test_many_openers_of_a_fresh_database_do_not_collide(empty_database_url: str) -> None:
    logs = await asyncio.gather(*(Log.open(empty_database_url, KEY) for _ in range(6)))
    try:
        await appended(logs[0], append("run_a"))
        assert await query(logs[-1], "SELECT version_num FROM alembic_version") == [(NEWEST,)]
    finally:
        for log in logs:
            await log.close()


async def test_without_migrate_a_fresh_database_is_refused_in_one_sentence(empty_database_url: str) -> None:
    with pytest.raises(SchemaMismatch, match="run `vb migrate`"):
        await Log.open(empty_database_url, KEY, migrate=False)


async def test_tables_of_a_newer_release_are_refused(log: Log, database_url: str) -> None:
    await tamper(log, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaMismatch, match="version 9999, which this release does not know"):
        await Log.open(database_url, KEY)


def scripts(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(engine.store.migrations.__path__[0])))
    config.attributes["connection"] = connection
    return config


async def test_a_log_of_the_first_release_is_brought_up_to_date_and_goes_on(empty_database_url: str) -> None:
    database = await connect(empty_database_url)
    await database.write(lambda connection: command.upgrade(scripts(connection), "0001"))
    at = to_text(T0)
    digest = event_hash(KEY, "", ("run_a", 1, "RUN_STARTED", 1, at, "{}"))
    values = {"at": at, "hash": digest, "mac": head_mac(KEY, "run_a", 1, digest), "now": T0}

    def fill(connection: Connection) -> None:
        for statement in (
            "INSERT INTO events VALUES ('run_a', 1, 'RUN_STARTED', 1, :at, '{}', :hash)",
            "INSERT INTO open_work VALUES ('run_a', :now, 'ready')",
            "INSERT INTO runs VALUES ('run_a', 'ws_a', 'w', 'd', '', '', '', NULL, 1, 1, NULL, 1, :hash, :mac, false)",
        ):
            connection.execute(text(statement), values)

    await database.write(fill)
    await database.close()

    log = await Log.open(empty_database_url, KEY)
    [started], head = await log.load("run_a")
    assert (started.payload, (await verify(log)).findings) == ("{}", [])
    assert [run.run for run in await log.take_due(T0, 10)] == ["run_a"]
    await appended(log, append("run_a", head))
    assert (await verify(log)).findings == []
    await log.close()


async def test_whose_runs_were_started_before_is_read_from_what_is_on_record(empty_database_url: str) -> None:
    """From the first event, and of a run that is sealed from its key; of one whose data was erased nobody is left."""
    database = await connect(empty_database_url)
    await database.write(lambda connection: command.upgrade(scripts(connection), WITHOUT_STARTERS))
    columns = "id, workspace, workflow, definition, status, summary, started_by, created_at, updated_at, last_seq"
    by = '{"by": {"id": "U1", "name": "Ana", "via": "slack"}, "input": {}}'

    def fill(connection: Connection) -> None:
        for run, subject, payload in (("run_1", None, by), ("run_2", "cli:ana", "sealed"), ("run_3", None, "sealed")):
            key = None if payload == by else f"key_{run}"
            values = {"run": run, "payload": payload, "key": key, "subject": subject}
            row = "INSERT INTO events VALUES (:run, 1, 'RUN_STARTED', 1, '', :payload, '')"
            connection.execute(text(row), values)
            if key is not None:
                row = "INSERT INTO data_keys (id, subject, created_at) VALUES (:key, :subject, 1)"
                connection.execute(text(row), values)
            row = f"INSERT INTO runs ({columns}, head_hash, head_mac, data_key) VALUES "  # noqa: S608 - names of ours
            connection.execute(text(f"{row} (:run, 'ws_a', 'w', 'd', '', '', 'Ana', 1, 1, 1, '', '', :key)"), values)

    await database.write(fill)
    await database.close()

    log = await Log.open(empty_database_url, KEY)
    for starter, runs in (("slack:U1", ["run_1"]), ("cli:ana", ["run_2"]), ("", ["run_3"])):
        found = await log.runs(workspace="ws_a", where=RunFilter(starter=starter))
        assert [run.id for run in found] == runs, starter
    await log.close()


async def test_what_was_said_before_there_were_cursors_of_workspaces_is_not_read_again(empty_database_url: str) -> None:
    database = await connect(empty_database_url)
    await database.write(lambda connection: command.upgrade(scripts(connection), WITHOUT_NOTICES))
    row = "INSERT INTO workspaces VALUES ('ws_before', 7, '', '')"
    await database.write(lambda connection: connection.execute(text(row)) and None)
    await database.close()

    log = await Log.open(empty_database_url, KEY)
    await log.database.write(lambda connection: connection.execute(text(row.replace("before", "later"))) and None)
    deliveries = Deliveries(log)
    assert await deliveries.unread_said("notices", "wrk_a", "ws_home") == ["ws_later"]
    known = await deliveries.claim_cursor("notices", "ws_before", "wrk_a", 1_000)
    assert known is not None
    assert known.seq == 7
    await log.close()


async def test_the_scripts_can_be_taken_back(log: Log) -> None:
    await log.database.write(lambda connection: command.downgrade(scripts(connection), "base"))

    left = await log.database.read(lambda connection: inspect(connection).get_table_names())
    assert left == ["alembic_version"]
