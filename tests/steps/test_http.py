"""``http.request`` against a real server: answers, limits, redirects, reach, and what its errors say."""

import asyncio
import gzip
import socket
from typing import Any

import pytest
from aiohttp import web
from pydantic import JsonValue

from engine.core.failures import FailureClass, StepError
from engine.steps.context import StepContext
from engine.steps.http import http_request
from engine.steps.http_answer import LONGEST_WAIT, retry_after
from engine.steps.http_policy import HttpPolicy
from engine.steps.registry import StepFunction

from .conftest import Notebook, Site

HOME = http_request(HttpPolicy(["127.0.0.1"]))
"""The step as an operator allows it who runs something on this machine."""


async def get(ctx: StepContext, url: str, **args: Any) -> Any:
    return await HOME.invoke(ctx, {"url": url, **args})


async def refusal(ctx: StepContext, url: str, function: StepFunction = HOME, **args: Any) -> StepError:
    with pytest.raises(StepError) as caught:
        await function.invoke(ctx, {"url": url, **args})
    return caught.value


async def test_a_json_answer_comes_as_text_and_as_data(ctx: StepContext, site: Site) -> None:
    site.answers("/a", text='{"ok": [1]}', content_type="application/problem+json", headers={"X-One": "1"})
    answer = await get(ctx, site.url("/a?x=1"), headers={"Accept": "x/y"})
    assert (answer["status"], answer["body"], answer["json"]) == (200, '{"ok": [1]}', {"ok": [1]})
    assert answer["headers"]["x-one"] == "1"
    assert site.requests[0].query_string == "x=1"
    assert site.requests[0].headers["Accept"] == "x/y"
    assert "Idempotency-Key" not in site.requests[0].headers


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"{broken", "application/json", "{broken"),
        (b'{"n": NaN}', "application/json", '{"n": NaN}'),
        (b'"\\ud800"', "application/json", '"\\ud800"'),
        (b"[" * 100_000, "application/json", "[" * 100_000),
        (b'{"fine": 1}', "text/html", '{"fine": 1}'),
        (b"caf\xe9 \xff", "text/plain", "caf\ufffd \ufffd"),
        (b"caf\xe9", "text/plain; charset=latin-1", "café"),
        (b"x", "text/plain; charset=nonsense", "x"),
        (b"", "application/json", ""),
    ],
)
async def test_bodies_that_are_no_json_are_text(
    ctx: StepContext, site: Site, body: bytes, kind: str, text: str
) -> None:
    site.answers("/a", body=body, headers={"Content-Type": kind})
    answer = await get(ctx, site.url("/a"))
    assert (answer["body"], answer["json"]) == (text, None)


async def test_cookies_stay_out_of_the_log(ctx: StepContext, site: Site) -> None:
    site.answers("/a", headers={"Set-Cookie": "session=hunter2"})
    assert "hunter2" not in str(await get(ctx, site.url("/a")))


async def test_json_and_text_bodies_are_sent(ctx: StepContext, site: Site, notebook: Notebook) -> None:
    site.answers("/a")
    await get(ctx, site.url("/a"), method="POST", json={"ä": 1})
    await HOME.invoke(notebook.context(), {"url": site.url("/a"), "method": "GET", "body": "ä"})
    assert site.bodies == [b'{"\\u00e4": 1}', "ä".encode()]
    kinds = [request.headers["Content-Type"] for request in site.requests]
    assert kinds == ["application/json", "text/plain; charset=utf-8"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_an_unsafe_request_is_a_recorded_effect_with_its_key(site: Site, notebook: Notebook, method: str) -> None:
    site.answers("/pay", text="paid")
    first = await HOME.invoke(notebook.context(1), {"url": site.url("/pay"), "method": method})
    second = await HOME.invoke(notebook.context(2), {"url": site.url("/pay"), "method": method})
    assert first == second
    assert len(site.requests) == 1
    assert site.requests[0].headers["Idempotency-Key"] == "run_1/publish/request/1"
    assert notebook.events == [("started", "request"), ("recorded", "request")]


async def test_a_failed_request_goes_again_under_the_same_key(site: Site, notebook: Notebook) -> None:
    site.answers("/pay", status=503)
    with pytest.raises(StepError):
        await HOME.invoke(notebook.context(1), {"url": site.url("/pay"), "method": "POST"})
    site.answers("/pay", text="paid")
    await HOME.invoke(notebook.context(2), {"url": site.url("/pay"), "method": "POST"})
    keys = [request.headers["Idempotency-Key"] for request in site.requests]
    assert keys == ["run_1/publish/request/1"] * 2


async def test_a_key_that_the_definition_gives_is_kept(ctx: StepContext, site: Site) -> None:
    site.answers("/pay")
    await get(ctx, site.url("/pay"), method="POST", headers={"idempotency-key": "mine"})
    assert site.requests[0].headers.getall("Idempotency-Key") == ["mine"]


@pytest.mark.parametrize(
    ("status", "cls", "words"),
    [
        (400, FailureClass.PERMANENT, "400 Bad Request"),
        (401, FailureClass.PERMISSION, "401 Unauthorized"),
        (429, FailureClass.RATE_LIMITED, "429 Too Many Requests"),
        (503, FailureClass.TRANSIENT, "503 Service Unavailable"),
        (599, FailureClass.TRANSIENT, "599"),
    ],
)
async def test_a_status_decides_the_class(
    ctx: StepContext, site: Site, status: int, cls: FailureClass, words: str
) -> None:
    site.answers("/a", status=status, headers={"Retry-After": "7", "X-Secret": "hunter2"})
    error = await refusal(ctx, site.url("/a?token=hunter2"), headers={"Authorization": "hunter2"})
    assert str(error) == f"GET {site.url('/a')}?… answered {words}"
    assert error.cls is cls
    asked = 7_000 if cls in (FailureClass.RATE_LIMITED, FailureClass.TRANSIENT) else None
    assert error.retry_after == asked


@pytest.mark.parametrize(
    ("expected", "status", "fits"),
    [([404], 404, True), (["200-299", 404], 404, True), (["200"], 404, False), ([404], 200, False)],
)
async def test_the_definition_says_which_statuses_it_expects(
    ctx: StepContext, site: Site, expected: list[int | str], status: int, fits: bool
) -> None:
    site.answers("/a", status=status)
    if fits:
        assert (await get(ctx, site.url("/a"), expect_status=expected))["status"] == status
    else:
        assert (await refusal(ctx, site.url("/a"), expect_status=expected)).cls is FailureClass.PERMANENT


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (404, FailureClass.TRANSIENT),
        (409, FailureClass.INVALID_INPUT),
        (410, FailureClass.RATE_LIMITED),
        (503, FailureClass.TRANSIENT),
    ],
)
async def test_the_definition_says_what_a_status_stands_for(
    ctx: StepContext, site: Site, status: int, cls: FailureClass
) -> None:
    site.answers("/a", status=status, headers={"Retry-After": "7"})
    table = {"400-499": "rate_limited", "409": "invalid_input", "404": "transient"}
    error = await refusal(ctx, site.url("/a"), failures=table)
    assert (error.cls, error.retry_after) == (cls, None if cls is FailureClass.INVALID_INPUT else 7_000)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "120"}, 120_000),
        ({"retry-after": "9" * 400}, LONGEST_WAIT),
        ({"retry-after": "Tue, 01 Jul 2025 10:00:30 GMT", "date": "Tue, 01 Jul 2025 10:00:00 GMT"}, 30_000),
        ({"retry-after": "Tue, 01 Jul 2025 09:00:00 GMT", "date": "Tue, 01 Jul 2025 10:00:00 GMT"}, 0),
        ({"retry-after": "Tue, 01 Jul 2025 10:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "٣"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], wait: int | None) -> None:
    assert retry_after(headers) == wait


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"url": "ftp://example.com"}, "url: must begin with http:// or https://"),
        ({"url": "/path"}, "url: must begin with http:// or https://"),
        ({"url": "http://[::1"}, "url: is not a URL"),
        ({"method": "BREW"}, "method must be 'GET', 'HEAD'"),
        ({"headers": {"Host": "x"}}, "headers: 'Host' cannot be set"),
        ({"headers": {"A b": "x"}}, "headers: 'A b' cannot be set"),
        ({"headers": {"X": "hunter2\r\nY: 1"}}, "the value of X holds a line break"),
        ({"json": {}, "body": ""}, "give json or body, not both"),
        ({"timeout": 30}, "30 is not a duration"),
        ({"timeout": "0s"}, "timeout must be greater than 0"),
        ({"expect_status": [700]}, "must be a status such as 200"),
        ({"failures": {"4xx": "transient"}}, "must be a status such as 200"),
        ({"failures": {"404": "worker_lost"}}, "failures.404"),
        ({"max_bytes": 0}, "max_bytes must be greater than or equal to 1"),
        ({"verify": False}, "verify is not a known name"),
    ],
)
async def test_wrong_arguments_are_refused_in_words(ctx: StepContext, args: dict[str, Any], words: str) -> None:
    url = str(args.get("url", "http://127.0.0.1"))
    error = await refusal(ctx, url, **{name: value for name, value in args.items() if name != "url"})
    assert error.cls is FailureClass.INVALID_INPUT
    assert words in str(error)
    assert "hunter2" not in str(error)


async def test_an_answer_beyond_the_limit_is_refused(ctx: StepContext, site: Site) -> None:
    site.answers("/a", body=b"x" * 1_000)
    assert len((await get(ctx, site.url("/a"), max_bytes=1_000))["body"]) == 1_000
    assert "more than max_bytes (999 bytes)" in str(await refusal(ctx, site.url("/a"), max_bytes=999))


async def test_the_limit_holds_for_what_a_compressed_answer_becomes(ctx: StepContext, site: Site) -> None:
    bomb = gzip.compress(b"x" * 5_000_000)
    site.answers("/a", body=bomb, headers={"Content-Encoding": "gzip"})
    assert "more than max_bytes" in str(await refusal(ctx, site.url("/a")))


async def test_a_slow_answer_is_a_timeout(ctx: StepContext, site: Site) -> None:
    async def never(_: web.Request) -> web.Response:
        return await asyncio.get_running_loop().create_future()

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        return await never(request)

    site.handlers |= {"/never": never, "/trickle": trickle}
    for path in ("/never", "/trickle"):
        error = await refusal(ctx, site.url(path), timeout="100ms")
        assert str(error) == f"GET {site.url(path)} did not answer within 100 ms"
        assert error.cls is FailureClass.TIMEOUT


async def test_a_connection_that_breaks_is_transient(ctx: StepContext, site: Site) -> None:
    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"only this")
        return response

    site.handlers |= {"/gone": hang_up, "/half": break_off}
    gone, half = await refusal(ctx, site.url("/gone")), await refusal(ctx, site.url("/half"))
    assert gone.cls is half.cls is FailureClass.TRANSIENT
    assert "connection" in str(gone)
    assert "the answer broke off" in str(half)


async def test_a_closed_port_an_unknown_host_and_no_tls_are_said_in_words(ctx: StepContext, site: Site) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        refused = await refusal(ctx, closed)
    assert str(refused) == f"GET {closed}: connection refused"
    assert refused.cls is FailureClass.TRANSIENT
    assert "no address is known for the host nowhere.invalid" in str(await refusal(ctx, "http://nowhere.invalid/"))
    assert "no TLS connection" in str(await refusal(ctx, f"https://127.0.0.1:{site.port}/"))


async def test_a_password_in_the_url_is_used_but_never_said(ctx: StepContext, site: Site) -> None:
    site.answers("/a", status=500)
    error = await refusal(ctx, f"http://ana:hunter2@127.0.0.1:{site.port}/a#frag")
    assert site.requests[0].headers["Authorization"].startswith("Basic ")
    assert str(error) == f"GET {site.url('/a')} answered 500 Internal Server Error"


class TestRedirects:
    """Redirects: bounded, re-checked, and careful with what they carry along."""

    async def test_are_followed(self, ctx: StepContext, site: Site) -> None:
        site.answers("/a", status=302, headers={"Location": "b"})
        site.answers("/b", text="here")
        assert (await get(ctx, site.url("/a"), headers={"X-Key": "1"}))["body"] == "here"
        assert site.requests[1].headers["X-Key"] == "1"

    async def test_are_answers_if_not_to_be_followed(self, ctx: StepContext, site: Site) -> None:
        site.answers("/a", status=302, headers={"Location": "/b"})
        assert (await get(ctx, site.url("/a"), follow_redirects=False))["headers"]["location"] == "/b"

    async def test_end_after_five(self, ctx: StepContext, site: Site) -> None:
        site.answers("/a", status=307, headers={"Location": "/a"})
        assert "was redirected more than 5 times" in str(await refusal(ctx, site.url("/a")))
        assert len(site.requests) == 6

    @pytest.mark.parametrize(("status", "method"), [(303, "GET"), (302, "GET"), (307, "POST"), (308, "POST")])
    async def test_keep_method_and_body_or_become_get(
        self, ctx: StepContext, site: Site, status: int, method: str
    ) -> None:
        site.answers("/a", status=status, headers={"Location": "/b"})
        site.answers("/b")
        await get(ctx, site.url("/a"), method="POST", body="x")
        assert site.requests[1].method == method
        assert site.bodies[1] == (b"x" if method == "POST" else b"")

    async def test_take_no_secret_to_another_origin(self, ctx: StepContext, site: Site) -> None:
        both = http_request(HttpPolicy(["127.0.0.0/8"]))
        site.answers("/a", status=302, headers={"Location": site.url("/b", host="localhost")})
        site.answers("/b")
        secrets: dict[str, JsonValue] = {
            "Authorization": "hunter2",
            "X-Api-Key": "hunter2",
            "Cookie": "a=hunter2",
            "Accept": "x/y",
        }
        await both.invoke(ctx, {"url": site.url("/a"), "headers": secrets})
        assert "hunter2" in str(site.requests[0].headers)
        assert "hunter2" not in str(site.requests[1].headers)
        assert site.requests[1].headers["Accept"] == "x/y"

    async def test_open_no_door_that_the_first_url_would_not(self, ctx: StepContext, site: Site) -> None:
        by_name_only = http_request(HttpPolicy(["localhost"]))
        site.answers("/a", status=302, headers={"Location": site.url("/b")})
        site.answers("/b", text="the metadata service")
        error = await refusal(ctx, site.url("/a", host="localhost"), by_name_only)
        assert error.cls is FailureClass.PERMISSION
        assert "127.0.0.1 is not a public address" in str(error)
        assert [request.path for request in site.requests] == ["/a"]

    @pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[bad"])
    async def test_go_nowhere_but_to_http(self, ctx: StepContext, site: Site, location: str) -> None:
        site.answers("/a", status=302, headers={"Location": location})
        assert "was redirected to" in str(await refusal(ctx, site.url("/a")))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0"])
async def test_this_machine_is_out_of_reach_by_default_however_it_is_spelt(
    ctx: StepContext, site: Site, host: str
) -> None:
    site.answers("/a")
    closed = http_request(HttpPolicy())
    error = await refusal(ctx, site.url("/a", host=host), closed)
    assert error.cls in (FailureClass.PERMISSION, FailureClass.INVALID_INPUT)
    assert site.requests == []


async def test_a_name_that_leads_to_a_private_address_is_refused_with_the_address(ctx: StepContext, site: Site) -> None:
    error = await refusal(ctx, site.url("/a", host="localhost"), http_request(HttpPolicy(["10.0.0.0/8"])))
    assert error.cls is FailureClass.PERMISSION
    assert "is not a public address; the operator has to allow it first" in str(error)
    assert site.requests == []


async def test_the_environment_cannot_send_requests_elsewhere(
    ctx: StepContext, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    site.answers("/a", text="direct")
    assert (await get(ctx, site.url("/a")))["body"] == "direct"
