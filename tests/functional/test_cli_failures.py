"""What goes wrong on the command line: one sentence on standard error, one exit code, never a traceback."""

import json
import socket
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from support.cli import Outcome, run
from support.served import served_application
from support.served_fleet import FLEET, ServedFleet, served_fleet

NO_SERVER = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    directory = tmp_path_factory.mktemp("fleet")
    with served_fleet(directory) as fleet:
        fleet.report_fleet(FLEET, directory)
        yield fleet


def answering(status: str, body: bytes, **headers: str) -> WSGIApplication:
    """Answers everything with the same."""

    def application(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [(name.replace("_", "-"), value) for name, value in headers.items()])
        return [body]

    return application


def error_2_4(detail: str, **more: str) -> bytes:
    return json.dumps({"error_message": "{}", "detail": detail, **more}).encode()


def error_2_0(text: str) -> bytes:
    return json.dumps({"error_message": json.dumps({"faultcode": "Server", "faultstring": text})}).encode()


def refused(outcome: Outcome, code: int) -> str:
    """What was said, after what every failure has in common."""
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    return outcome.err


@pytest.mark.parametrize(
    "line", ["", "device list", "node show x", "topology x", "event list --follow", "summary --watch"]
)
def test_without_a_server_every_command_says_how_to_start_or_name_one(line: str) -> None:
    said = refused(run(*line.split(), endpoint=NO_SERVER), 1)
    assert said == (
        f"accel: no accel server answers at {NO_SERVER}\n"
        "Start one with `accel up`, or say where it is: --endpoint URL or ACCEL_ENDPOINT=URL\n"
    )


@pytest.mark.parametrize("endpoint", ["nonsense", "http://", "http://[::1", "ftp://127.0.0.1"])
def test_an_endpoint_that_is_no_address_is_wrong_use(endpoint: str) -> None:
    assert endpoint in refused(run("node", "list", endpoint=endpoint), 2)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("device show ffff0000", 3, "there is no device ffff0000"),
        ("device enable nowhere/0000:01:00.0", 3, "there is no device nowhere/0000:01:00.0"),
        ("device disable ffff0000", 3, "there is no device ffff0000"),
        ("deployable show nothing", 3, "there is no deployable nothing"),
        ("deployable list --device nothing", 3, "there is no device nothing"),
        ("node show nowhere", 3, "there is no node nowhere"),
        ("node show ffff0000", 3, "there is no node ffff0000"),
        ("topology nowhere", 3, "there is no node nowhere"),
        ("event list --device nothing", 3, "there is no device nothing"),
        ("device list -c nope", 2, "no column nope; there are: uuid, node"),
        ("device show -c nope gpu-01/0000:13:00.0", 2, "no column nope"),
        ("device list --sort-column nope", 2, "no column nope"),
        ("device list --address zz", 2, "address: 'zz' is not a PCI address"),
        ("device list --watch -f csv", 2, "leave out -f csv"),
        ("node list --label zone", 2, "--label zone: write KEY=VALUE"),
        ("event list --since yesterday", 2, "'yesterday' is neither how long ago"),
        ("event list --follow --watch", 2, "--follow goes with neither"),
        ("event list --follow --until 1h", 2, "--follow goes with neither"),
        ("event list --follow -f csv", 2, "not -f csv"),
        ("nodes", 2, "there is no command 'nodes'"),
        ("devcie list", 2, "Did you mean:\n  accel device disable"),
        ("device", 2, "device … what? There are:\n  accel device disable"),
        ("device liszt", 2, "Did you mean:\n  accel device disable"),
        ("list", 2, "Did you mean:\n  accel claim list\n  accel deployable list\n  accel device list"),
        ("show gpu-01", 2, "Did you mean:\n  accel claim show"),
        ("xyzzy", 2, "there is no command 'xyzzy'; accel --help lists them\n"),
        ("help xyzzy", 2, "there is no command 'xyzzy"),
    ],
)
def test_what_cannot_be_done_ends_with_its_code_and_a_sentence(
    fleet: ServedFleet, line: str, code: int, said: str
) -> None:
    assert said in refused(run(*line.split(), endpoint=fleet.url), code)


@pytest.mark.parametrize(
    "line",
    [
        "device list --nope",
        "device show",
        "device list --health great",
        "device list --limit 0",
        "device list --limit x",
        "device list --limit 3 --all",
        "device list --watch 0",
        "device list --watch x",
        "device list -f xml",
        "summary -f csv",
        "--nope",
        "device list --timeout x",
        "device list --timeout 0",
    ],
)
def test_a_wrong_option_is_wrong_use_with_the_usage(
    fleet: ServedFleet, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(run(*line.split(), endpoint=fleet.url), 2)
    said = capsys.readouterr().err
    assert said.startswith("usage: accel")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        ("400 Bad Request", error_2_4("limit: 0 is not allowed"), 2, "limit: 0 is not allowed"),
        ("401 Unauthorized", b"", 4, "answered 401 Unauthorized"),
        ("403 Forbidden", error_2_4("device:enable is not allowed to you"), 4, "not allowed to you"),
        ("404 Not Found", error_2_0("Device not found: x"), 3, "Device not found: x"),
        ("409 Conflict", error_2_4("the device is being programmed"), 6, "being programmed"),
        ("409 Conflict", error_2_4("no node has 8", code="accel.no_placement"), 5, "no node has 8"),
        ("500 Internal Server Error", error_2_0("out of luck"), 1, "out of luck"),
        ("502 Bad Gateway", b"<html>proxy</html>", 1, "answered 502 Bad Gateway"),
        ("503 Service Unavailable", error_2_4("the database does not answer"), 1, "the database does not answer"),
        ("504 Gateway Timeout", b"", 7, "answered 504 Gateway Timeout"),
        ("500 Oh", json.dumps({"error_message": "plain words"}).encode(), 1, "plain words"),
        ("500 Oh", json.dumps({"error_message": {"message": "an object"}}).encode(), 1, "an object"),
        ("500 Oh", b"[1]", 1, "answered 500"),
    ],
)
def test_what_a_server_refuses_is_said_in_its_words(status: str, body: bytes, code: int, said: str) -> None:
    with served_application(answering(status, body, Content_Type="application/json")) as url:
        assert said in refused(run("device", "list", endpoint=url), code)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"{}"])
def test_what_is_no_accel_server_is_called_so(body: bytes) -> None:
    with served_application(answering("200 OK", body)) as url:
        assert "is not an accel server" in refused(run("device", "list", endpoint=url), 1)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"OpenStack_API_Maximum_Version": "accelerator 2.3"}, "speaks version 2.3 of the API at most"),
        ({}, "speaks an older version of the API"),
    ],
)
def test_an_older_server_is_told_to_be_upgraded(headers: dict[str, str], said: str) -> None:
    with served_application(answering("406 Not Acceptable", b"{}", **headers)) as url:
        message = refused(run("node", "list", endpoint=url), 1)
    assert said in message
    assert "needs 2.4: upgrade the server" in message


def test_a_server_that_does_not_answer_is_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        said = refused(run("--timeout", "0.2", "device", "list", endpoint=url), 7)
    assert said == f"accel: {url} did not answer within 0.2 s\n"


def test_following_goes_on_when_the_server_was_away() -> None:
    """The server fails once, and then answers what happened in between."""
    event = {"kind": "device.lost", "node": "n", "subject": "A100", "before": None, "after": None}
    moment = {"occurred_at": "2026-11-21T12:00:00+00:00"}
    answers: Iterator[tuple[str, dict[str, Any]]] = iter(
        [
            ("200 OK", {"events": [{**event, **moment, "uuid": "1"}]}),
            ("503 Service Unavailable", {"detail": "the database does not answer"}),
            ("503 Service Unavailable", {"detail": "the database does not answer"}),
            ("200 OK", {"events": [{**event, **moment, "uuid": uuid} for uuid in "12"]}),
        ]
    )

    def application(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, body = next(answers)
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    waits = iter(range(3))

    def wait(_seconds: float) -> None:
        if next(waits, None) is None:
            raise KeyboardInterrupt

    with served_application(application) as url:
        outcome = run("event", "list", "--follow", endpoint=url, wait=wait)
    assert outcome.code == 0
    assert len(outcome.lines) == 2
    assert outcome.err == "the database does not answer; trying again\n"


def test_debug_shows_where_an_error_comes_from(fleet: ServedFleet, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        outcome = run("--debug", "device", "show", "ffff0000", endpoint=fleet.url)
    assert outcome.code == 3
    assert any(record.exc_info for record in caplog.records)


def test_a_page_ends_where_the_server_says_so() -> None:
    """1,100 events need two pages; the client asks for the second and no third."""
    pages: list[str] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        pages.append(environ["QUERY_STRING"])
        is_first = "marker" not in environ["QUERY_STRING"]
        start_response("200 OK", [("Content-Type", "application/json")])
        row = {"name": "n", "counts": {}}
        rows = [{**row, "uuid": str(number)} for number in range(1000 if is_first else 100)]
        body: dict[str, Any] = {"nodes": rows}
        return [
            json.dumps(body | ({"nodes_links": [{"rel": "next", "href": "elsewhere"}]} if is_first else {})).encode()
        ]

    with served_application(application) as url:
        outcome = run("node", "list", "-f", "value", "-c", "uuid", endpoint=url)
    assert len(outcome.lines) == 1100
    assert pages == ["sort_key=name&limit=1000", "sort_key=name&limit=1000&marker=999"]


def test_an_answer_that_cannot_be_read_is_called_so() -> None:
    with served_application(answering("200 OK", b"no gzip", Content_Encoding="gzip")) as url:
        assert "the answer cannot be read" in refused(run("device", "list", endpoint=url), 1)


def test_a_lost_reader_ends_the_command_quietly(fleet: ServedFleet) -> None:
    class Closed(StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    assert run("device", "list", endpoint=fleet.url, stdout=Closed()).code == 141
