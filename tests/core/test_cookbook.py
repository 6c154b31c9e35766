"""Every workflow of the cookbook does what its first lines say: run with stubs, on a clock that the test moves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from engine.catalog import Catalog
from engine.core.failures import FailureClass
from engine.core.state import RunStatus, StepStatus
from tests.core.checking import STEPS
from tests.core.play import START, Dies, Fails, Play, Stub

FOLDER = Path(__file__).parents[2] / "docs" / "cookbook"
CATALOG = Catalog(STEPS)
PROBLEMS = CATALOG.load([FOLDER])
HOUR, DAY = 3_600_000, 86_400_000


def answer(status: int = 200, body: str = "", json: JsonValue = None) -> JsonValue:
    return {"status": status, "headers": {}, "body": body, "json": json}


def says(body: str) -> Stub:
    return lambda _path, _arguments: answer(body=body)


def http(_path: str, _arguments: Mapping[str, Any]) -> JsonValue:
    return answer()


def shell(_path: str, _arguments: Mapping[str, Any]) -> JsonValue:
    return {"exit_code": 0, "stdout": "", "stderr": ""}


def post(_path: str, _arguments: Mapping[str, Any]) -> JsonValue:
    return {"channel": "C1", "ts": "1.0"}


def git_log(_path: str, _arguments: Mapping[str, Any]) -> JsonValue:
    commit: JsonValue = {"hash": "abc", "short": "a", "subject": "s", "author": "n", "at": 1}
    return {"commits": [commit, commit], "text": "- s (a)", "since": None}


def git_tag(_path: str, arguments: Mapping[str, Any]) -> JsonValue:
    return {"tag": f"{arguments['repo']}:{arguments['name']}", "commit": arguments["ref"], "created": True}


STUBS = {"http.request": http, "shell.run": shell, "slack.post": post, "git.log": git_log, "git.tag": git_tag}


def play(name: str, *, votes: Mapping[str, bool] | None = None, **more: Any) -> Play:
    """A run of that workflow to be; further stubs by the name of the step, with ``_`` for the dot."""
    words = {"signals", "answers"}
    stubs = {word.replace("_", ".", 1): stub for word, stub in more.items() if word not in words}
    told = {word: more[word] for word in words & more.keys()}
    return Play(CATALOG, CATALOG.get(name), {**STUBS, **stubs}, votes or {}, **told)


def test_no_file_has_a_problem() -> None:
    assert PROBLEMS == ()


def test_every_file_is_in_the_readme_and_run_here() -> None:
    names = {file.stem for file in FOLDER.glob("*.yaml")}
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+)\.yaml\)", readme)) == names
    here = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in names if f'play("{name}"' in here} == names


def test_fan_out() -> None:
    run = play("fan_out")
    assert run.run(repo=".").status is RunStatus.COMPLETED
    assert {call.path for call in run.calls[:3]} == {"lint", "test", "audit"}
    assert {call.at for call in run.calls[:3]} == {START}
    assert run.paths()[3] == "pack"


@pytest.mark.parametrize(
    ("way", "taken", "left"), [("standby", "promote", "restore"), ("backup", "restore", "promote")]
)
def test_choose_path(way: str, taken: str, left: str) -> None:
    run = play("choose_path")
    state = run.run(service="mail", **{"from": way})
    assert run.paths() == [taken, "tell"]
    assert state.step(left).status is StepStatus.SKIPPED
    assert ("standby" in run.calls[-1].arguments["text"]) == (way == "standby")


def test_check_sites() -> None:
    def ask(_path: str, arguments: Mapping[str, Any]) -> JsonValue:
        if "bad" in arguments["url"]:
            raise Fails(FailureClass.TRANSIENT, f"{arguments['url']} refused")
        return answer()

    sites = "\n".join(f"https://{'bad' if n in (3, 60) else 'good'}{n}.example.com" for n in range(70)) + "\n\n"
    run = play("check_sites", http_request=ask)
    assert run.run(sites=sites).status is RunStatus.COMPLETED
    assert len(run.runs) > 1, "items above 50 are run by child runs"
    assert run.output("summary") == {
        "asked": 70,
        "silent": ["https://bad3.example.com refused", "https://bad60.example.com refused"],
    }
    assert sum("bad3." in call.arguments["url"] for call in run.calls if call.uses == "http.request") == 3
    assert run.calls[-1].arguments["text"].startswith("2 of 70 sites do not answer:\nhttps://bad3")


def test_roll_out() -> None:
    votes = {"regions[0]/agree": True, "regions[1]/agree": True, "regions[2]/agree": False}
    run = play("roll_out", votes=votes)
    assert run.run(version="v1.2.3").status is RunStatus.FAILED
    assert run.paths() == ["regions[0]/deploy", "regions[0]/look", "regions[1]/deploy", "regions[1]/look"]
    assert run.calls[2].arguments["url"].endswith("us-east")


def test_book_trip() -> None:
    def book(path: str, arguments: Mapping[str, Any]) -> JsonValue:
        if path == "car":
            raise Fails(FailureClass.PERMANENT, "no cars left")
        return answer(json={"id": f"{path}-7"})

    run = play("book_trip", http_request=book)
    assert run.run(trip="T1").status is RunStatus.FAILED
    assert run.paths() == ["flight", "hotel", "car", "hotel!undo", "flight!undo"]
    assert run.calls[3].arguments["url"].endswith("/bookings/hotel-7")


def test_release_train_and_tag_service() -> None:
    alone = play("tag_service")
    assert alone.run(repo="x", version="v1").status is RunStatus.COMPLETED
    assert alone.output() == {"tag": "x:v1", "changes": 2}
    run = play("release_train")
    assert run.run(version="v2").status is RunStatus.COMPLETED
    assert len(run.runs) == 4
    assert run.calls[-1].arguments["text"] == "v2 tagged: services/api:v2, services/web:v2, services/mail:v2."


def test_nightly_report() -> None:
    run = play("nightly_report", http_request=says("up 3 %"))
    schedule = run.workflow.schedule[1]
    assert (schedule.timezone, schedule.overlap.value) == ("America/New_York", "skip")
    assert run.run(**schedule.input).status is RunStatus.COMPLETED
    assert run.calls[-1].arguments["text"] == "new_york: up 3 %"


def test_await_payment() -> None:
    paid = play("await_payment", signals={"payment_received": {"amount": 12.5, "method": "card"}})
    assert paid.run(order="A1").status is RunStatus.COMPLETED
    assert paid.paths() == ["ship"]
    assert paid.calls[0].arguments["json"] == {"paid": 12.5, "by": "card"}
    late = play("await_payment")
    assert late.run(order="A1").status is RunStatus.COMPLETED
    assert late.paths() == ["close"]
    assert late.now >= START + 3 * DAY


def test_await_healthy() -> None:
    looks = iter([503, 503, 200])

    def look(path: str, _arguments: Mapping[str, Any]) -> JsonValue:
        return answer() if path == "restart" else answer(next(looks))

    run = play("await_healthy", http_request=look)
    assert run.run(service="mail").status is RunStatus.COMPLETED
    assert run.paths() == ["restart", "watch#1/health", "watch#2/health", "watch#3/health", "tell"]
    assert run.calls[3].at - run.calls[1].at == 30_000
    assert "after 3 looks" in run.calls[-1].arguments["text"]


def test_page_through() -> None:
    pages = {"": ([1, 2], "b"), "b": ([3], "c"), "c": ([4, 5, 6], None)}

    def page(_path: str, arguments: Mapping[str, Any]) -> JsonValue:
        tickets, after = pages[arguments["url"].partition("after=")[2]]
        return answer(json={"tickets": [*tickets], "next": after})

    run = play("page_through", http_request=page)
    assert run.run(project="VB").status is RunStatus.COMPLETED
    assert run.output() == {"tickets": 6, "pages": 3}


@pytest.mark.parametrize(("told", "charges"), [("happened", 1), ("did_not_happen", 2)])
def test_charge_once(told: str, charges: int) -> None:
    deaths = iter([True, False])

    def charge(path: str, _arguments: Mapping[str, Any]) -> JsonValue:
        if next(deaths):
            raise Dies
        return answer()

    run = play("charge_once", http_request=charge, answers={"charge": told})
    assert run.run(customer="C7", cents=500).status is RunStatus.COMPLETED
    assert "STEP_UNCERTAIN" in run.types()
    assert run.paths() == ["charge"] * charges + ["tell"]


def test_remind_later() -> None:
    run = play("remind_later")
    assert run.run(what="The audit", due="2023-12-01T09:00:00+01:00").status is RunStatus.COMPLETED
    due = 1_701_417_600_000
    assert [(call.path, call.at) for call in run.calls] == [("soon", due - 7 * DAY), ("now", due)]


def test_back_up() -> None:
    def fail(_path: str, _arguments: Mapping[str, Any]) -> JsonValue:
        raise Fails(FailureClass.TRANSIENT, "disk full")

    run = play("back_up", shell_run=fail)
    assert run.run(database="main").status is RunStatus.FAILED
    assert run.paths() == ["dump", "dump", "on_failure/call", "on_failure/note"]
    assert run.calls[2].arguments["text"] == "The backup of main failed at dump (transient): disk full"
    fine = play("back_up")
    assert fine.run(database="main").status is RunStatus.COMPLETED
    assert fine.paths() == ["dump", "verify"]


@pytest.mark.parametrize(("away", "note"), [(True, "not scanned: away"), (False, "scanned")])
def test_scan_image(away: bool, note: str) -> None:
    def scan(path: str, _arguments: Mapping[str, Any]) -> JsonValue:
        if away and path == "scan":
            raise Fails(FailureClass.TRANSIENT, "away")
        return answer()

    run = play("scan_image", http_request=scan)
    assert run.run(image="base").status is RunStatus.COMPLETED
    assert run.calls[-1].arguments["json"] == {"note": note}
    assert run.paths().count("scan") == (2 if away else 1)


def test_deploy_one_at_a_time() -> None:
    run = play("deploy_one_at_a_time")
    state = run.run(service="mail", version="v2")
    wanted = state.started.concurrency
    assert wanted is not None
    assert (wanted.key, wanted.limit, wanted.on_limit, state.started.priority) == ("deploy-mail", 1, "queue", 2)
    assert "RUN_ADMITTED" in run.types()


def test_measure_page() -> None:
    run = play("measure_page", http_request=says("<html>text</html>"))
    state = run.run(url="https://example.com", team="web")
    assert run.output() == {"url": "https://example.com", "bytes": 17, "is_html": True}
    assert state.started.labels == {"team": "web", "kind": "measurement"}


@pytest.mark.parametrize(
    ("cls", "attempts"),
    [
        (FailureClass.RATE_LIMITED, 30),
        (FailureClass.TRANSIENT, 3),
        (FailureClass.TIMEOUT, 2),
        (FailureClass.PERMISSION, 1),
    ],
)
def test_patient_call(cls: FailureClass, attempts: int) -> None:
    def busy(_path: str, _arguments: Mapping[str, Any]) -> JsonValue:
        raise Fails(cls, "busy")

    run = play("patient_call", http_request=busy)
    assert run.run(question="why").status is RunStatus.FAILED
    assert len(run.calls) == attempts or (cls is FailureClass.RATE_LIMITED and run.now - START > HOUR - 300_000)
