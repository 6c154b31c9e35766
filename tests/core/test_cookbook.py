"""Every workflow of the cookbook does what its first lines say: rehearsed as an author would rehearse it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import JsonValue

from engine.catalog import Catalog
from engine.core import events as e
from engine.core.failures import FailureClass, NotYet, StepError
from engine.steps.builtin import builtin_steps
from engine.steps.http_policy import HttpPolicy
from engine.steps.registry import Registry
from engine.steps.shell import ShellPolicy
from engine.testing import (
    Called,
    Rehearsal,
    Rehearsed,
    changes_by,
    delegated_by,
    denied_by,
    edited_by,
    granted_by,
    lost,
    settled_by,
    signal,
    together,
)
from tests.core.checking import STEPS

FOLDER = Path(__file__).parents[2] / "docs" / "cookbook"
REGISTRY = Registry(builtin_steps(HttpPolicy(), ShellPolicy()))
SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000


def answer(status: int = 200, body: str = "", json: JsonValue = None) -> dict[str, JsonValue]:
    return {"status": status, "headers": {}, "body": body, "json": json}


def git_tag(args: Mapping[str, JsonValue], called: Called) -> dict[str, JsonValue]:
    return {"tag": f"{args['repo']}:{args['name']}", "commit": args["ref"], "created": True}


COMMIT: JsonValue = {"hash": "abc", "short": "a", "subject": "s", "author": "n", "at": 1}
STUBS = {
    "http.request": answer(),
    "shell.run": {"exit_code": 0, "stdout": "", "stderr": ""},
    "slack.post": {"channel": "C1", "ts": "1.0"},
    "git.log": {"commits": [COMMIT, COMMIT], "text": "- s (a)", "since": None},
    "git.tag": git_tag,
}


def rehearse(name: str, stubs: Mapping[str, object] | None = None) -> Rehearsal:
    """The workflow of that name; everything outside answers as if all were well, where ``stubs`` say nothing else."""
    return Rehearsal(FOLDER / f"{name}.yaml", {**STUBS, **(stubs or {})}, registry=REGISTRY)


def steps(run: Rehearsed) -> list[str]:
    """The steps that were called, in order, once for each attempt."""
    return [called.step for called in run.calls]


def said(run: Rehearsed) -> str:
    """What the last call of all said."""
    return str(run.calls[-1].args["text"])


def asked(run: Rehearsed, call: int) -> str:
    return str(run.calls[call].args["url"])


def test_no_file_has_a_problem() -> None:
    assert Catalog(STEPS).load([FOLDER]) == ()


def test_every_file_is_in_the_readme_and_run_here() -> None:
    names = {file.stem for file in FOLDER.glob("*.yaml")}
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+)\.yaml\)", readme)) == names
    here = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in names if f'rehearse("{name}"' in here} == names


def test_fan_out() -> None:
    run = rehearse("fan_out").run()
    assert run.completed
    assert set(steps(run)[:3]) == {"lint", "test", "audit"}
    assert {called.at for called in run.calls[:3]} == {0}
    assert steps(run)[3:] == ["pack"]


@pytest.mark.parametrize(
    ("way", "taken", "left"), [("standby", "promote", "restore"), ("backup", "restore", "promote")]
)
def test_choose_path(way: str, taken: str, left: str) -> None:
    run = rehearse("choose_path").run({"service": "mail", "from": way})
    assert run.completed
    assert steps(run) == [taken, "tell"]
    assert run.steps[left] == "skipped"
    assert ("standby" in said(run)) == (way == "standby")


def test_check_sites() -> None:
    def ask(args: Mapping[str, JsonValue], called: Called) -> JsonValue:
        if "bad" in str(args["url"]):
            raise StepError(f"{args['url']} refused", FailureClass.TRANSIENT)
        return answer()

    sites = "\n".join(f"https://{'bad' if n in (3, 60) else 'good'}{n}.example.com" for n in range(70)) + "\n\n"
    run = rehearse("check_sites", {"http.request": ask}).run(sites=sites)
    assert run.completed
    assert run.children, "items above 50 are run by child runs"
    assert run.outputs["summary"] == {
        "asked": 70,
        "silent": ["https://bad3.example.com refused", "https://bad60.example.com refused"],
    }
    assert sum("bad3." in str(args["url"]) for args in run.called("http.request")) == 3
    assert said(run).startswith("2 of 70 sites do not answer:\nhttps://bad3")


def test_roll_out() -> None:
    decisions = [granted_by("Ana"), granted_by("Ben", after="2h"), denied_by("Ana")]
    run = rehearse("roll_out").run(version="v1.2.3", decide={"agree": decisions})
    assert run.failed
    assert steps(run) == ["regions[0]/deploy", "regions[0]/look", "regions[1]/deploy", "regions[1]/look"]
    assert asked(run, 2).endswith("us-east")
    assert run.steps["regions[2]/agree"] == "failed"


def test_ship_carefully() -> None:
    oncall = answer(json={"who": ["@dana", "@eli"]})
    stubs = {"oncall": oncall, "ship": answer()}
    team = (
        granted_by("Ben", "30m", "looks good", under="@web"),
        edited_by("Cat", {"percent": 10}, "1h", "not so many at first", under="@web"),
        granted_by("Cat", "2h", "ten is fine", under="@web"),
        granted_by("Ben", "3h", "ten is fine", under="@web"),
    )
    changes = changes_by("Fay", "Says nothing of the new login.", under="@web")
    security = delegated_by("Gus", "Dan", "4h", under="@dana"), granted_by("Dan", "8h", "ok", on_behalf_of="Gus")
    run = rehearse("ship_carefully", stubs).run(
        version="v1.2.3", decide={"agree": [changes, together(*team, *security)]}
    )
    assert run.completed
    assert [call["json"] for call in run.called("ship")] == [{"percent": 10}]
    asked = [event for event in run.events if isinstance(event, e.ApprovalRequested)]
    assert "new login" in str(asked[1].show["notes"])
    assert [rung.to for rung in asked[1].escalate] == ["@dana", "@eli"]
    outcome = run.outputs["agree"]
    assert isinstance(outcome, dict)
    assert outcome["approved_by"] == ["Cat", "Ben", "Gus"]


def test_book_trip() -> None:
    booked = {"flight": answer(json={"id": "flight-7"}), "hotel": answer(json={"id": "hotel-7"})}
    full = StepError("no cars left", FailureClass.PERMANENT)
    run = rehearse("book_trip", {**booked, "car": full}).run(trip="T1")
    assert run.failed
    assert steps(run) == ["flight", "hotel", "car", "hotel!undo", "flight!undo"]
    assert asked(run, 3).endswith("/bookings/hotel-7")
    assert asked(run, 4).endswith("/bookings/flight-7")


def test_release_train_and_tag_service() -> None:
    alone = rehearse("tag_service").run(repo="x", version="v1")
    assert alone.output == {"tag": "x:v1", "changes": 2}
    run = rehearse("release_train").run(version="v2")
    assert run.completed
    assert set(run.children) == {"services[0]", "services[1]", "services[2]"}
    assert said(run) == "v2 tagged: services/api:v2, services/web:v2, services/mail:v2."


def test_nightly_report() -> None:
    rehearsal = rehearse("nightly_report", {"http.request": answer(body="up 3 %")})
    schedule = rehearsal.workflow.schedule[1]
    assert (schedule.timezone, schedule.overlap.value) == ("America/New_York", "skip")
    run = rehearsal.run(schedule.input)
    assert run.completed
    assert said(run) == "new_york: up 3 %"


def test_await_payment() -> None:
    rehearsal = rehearse("await_payment")
    payment = signal("payment_received", {"amount": 12.5, "method": "card"}, correlation="A1", after="2d")
    paid = rehearsal.run(order="A1", signals=[payment])
    assert paid.completed
    assert steps(paid) == ["ship"]
    assert paid.calls[0].args["json"] == {"paid": 12.5, "by": "card"}
    late = rehearsal.run(order="B2", signals=[payment])
    assert late.completed
    assert [(called.step, called.at) for called in late.calls] == [("close", 3 * DAY)]


def test_await_healthy() -> None:
    looks = [answer(503), answer(503), answer()]
    run = rehearse("await_healthy", {"health": looks}).run(service="mail")
    assert run.completed
    assert steps(run) == ["restart", "watch#1/health", "watch#2/health", "watch#3/health", "tell"]
    assert run.calls[3].at - run.calls[1].at == 30 * SECOND
    assert "after 3 looks" in said(run)


def test_page_through() -> None:
    pages: dict[str, tuple[list[JsonValue], JsonValue]] = {
        "": ([1, 2], "b"),
        "b": ([3], "c"),
        "c": ([4, 5, 6], None),
    }

    def page(args: Mapping[str, JsonValue], called: Called) -> JsonValue:
        tickets, after = pages[str(args["url"]).partition("after=")[2]]
        return answer(json={"tickets": tickets, "next": after})

    run = rehearse("page_through", {"http.request": page}).run(project="VB")
    assert run.output == {"tickets": 6, "pages": 3}


@pytest.mark.parametrize(("told", "charges"), [("happened", 1), ("did_not_happen", 2)])
def test_charge_once(told: str, charges: int) -> None:
    rehearsal = rehearse("charge_once", {"charge": [lost(), answer()]})
    settled = settled_by("Ana", "happened" if told == "happened" else "did_not_happen", after="1h")
    run = rehearsal.run(customer="C7", cents=500, decide={"charge": settled})
    assert run.completed
    assert run.types.count("STEP_UNCERTAIN") == 1
    assert steps(run) == ["charge"] * charges + ["tell"]
    assert run.took > HOUR


def test_remind_later() -> None:
    # Rehearsals start on 5 January 2026 at 9:00 UTC.
    run = rehearse("remind_later").run(what="The audit", due="2026-02-04T11:00:00+02:00")
    assert run.completed
    assert [(called.step, called.at) for called in run.calls] == [("soon", 23 * DAY), ("now", 30 * DAY)]


def test_announce_window() -> None:
    # Rehearsals start on 5 January 2026 at 9:00 UTC.
    given = {"message": "The database moves.", "owner": "@ana", "day": "2026-01-07", "from": "21:00"}
    run = rehearse("announce_window").run(given)
    assert run.completed
    assert [(called.step, called.at) for called in run.calls] == [("announce", 0), ("begins", 2 * DAY + 12 * HOUR)]
    assert run.calls[0].args == {
        "channel": "#ops",
        "text": "On 2026-01-07 from 21:00 UTC: The database moves. Ask @ana.",
    }
    page = rehearse("announce_window").run({**given, "page": "https://status.example.com"})
    assert str(page.calls[0].args["text"]).endswith("Ask @ana. https://status.example.com")


def test_back_up() -> None:
    full = StepError("disk full", FailureClass.TRANSIENT)
    run = rehearse("back_up", {"dump": full}).run(database="main")
    assert run.failed
    assert steps(run) == ["dump", "dump", "on_failure/call", "on_failure/note"]
    assert run.calls[2].args["text"] == "The backup of main failed at dump (transient): disk full"
    fine = rehearse("back_up").run(database="main")
    assert fine.completed
    assert steps(fine) == ["dump", "verify"]


@pytest.mark.parametrize(
    ("scans", "note"),
    [([StepError("away", FailureClass.TRANSIENT)] * 2, "not scanned: away"), ([answer()], "scanned")],
)
def test_scan_image(scans: list[object], note: str) -> None:
    run = rehearse("scan_image", {"scan": scans}).run(image="base")
    assert run.completed
    assert run.calls[-1].args["json"] == {"note": note}
    assert steps(run) == ["scan"] * len(scans) + ["publish"]


def test_deploy_one_at_a_time() -> None:
    run = rehearse("deploy_one_at_a_time").run(service="mail", version="v2")
    wanted = run.state.started.concurrency
    assert wanted is not None
    assert (wanted.key, wanted.limit, wanted.on_limit, run.state.started.priority) == ("deploy-mail", 1, "queue", 2)
    assert run.types.index("RUN_ADMITTED") < run.types.index("STEP_STARTED")
    assert run.completed


def test_measure_page() -> None:
    run = rehearse("measure_page", {"http.request": answer(body="<html>text</html>")}).run(
        url="https://example.com", team="web"
    )
    assert run.output == {"url": "https://example.com", "bytes": 17, "is_html": True}
    assert run.labels == {"team": "web", "kind": "measurement"}


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
    run = rehearse("patient_call", {"http.request": StepError("busy", cls)}).run(question="why")
    assert run.failed
    assert len(run.calls) == attempts or (cls is FailureClass.RATE_LIMITED and run.took > HOUR - 5 * 60 * SECOND)


def sorted_as(team: str, urgent: bool) -> dict[str, JsonValue]:
    value: JsonValue = {"team": team, "urgent": urgent, "summary": "It burns"}
    usage: JsonValue = {"input_tokens": 10, "output_tokens": 5}
    return {"text": "", "value": value, "model": "local:echo", "usage": usage, "cost": 0.01, "finish": "stop"}


@pytest.mark.parametrize("urgent", [True, False])
def test_sort_ticket(urgent: bool) -> None:
    unfit = StepError("n is missing", FailureClass.INVALID_OUTPUT)
    answers = [NotYet("openai's limit", 12_000), unfit, sorted_as("billing", urgent)]
    run = rehearse("sort_ticket", {"llm": answers}).run(text="My invoice is on fire")
    assert run.completed
    assert run.output == {"team": "billing", "cost": 0.01}
    assert steps(run) == ["sort"] * 3 + ["tell"] * urgent
    assert [one.attempt for one in run.calls[:3]] == [1, 1, 2], "a limit costs no attempt"
    assert run.took >= 12_000
    assert not urgent or said(run) == "Urgent: It burns (sorted by local:echo)"


def test_sort_ticket_with_the_local_model() -> None:
    rehearsal = Rehearsal(
        FOLDER / "sort_ticket.yaml", {"slack.post": STUBS["slack.post"]}, registry=REGISTRY, real=["llm"]
    )
    run = rehearsal.run(text="My invoice is on fire")
    assert run.completed
    assert said(run) == "Urgent: (local model) My invoice is on fire (sorted by local:echo)"
