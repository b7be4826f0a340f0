"""Stories of requests and answers: data in ``tests/data/api-cases``, whose README says what it means."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

import webob
import yaml
from support.api import Client, client, fault
from support.claimable import add_claimable
from support.populated import populate
from support.stand_in_keystone import asking_keystone

from accel.db.engine import Database

Case = dict[str, Any]

_CASES = Path(__file__).parent.parent / "data" / "api-cases"
STORIES: dict[str, list[Case]] = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(_CASES.glob("*.yaml"))}


class Teller:
    """Tells a story to an application, case by case."""

    def __init__(self, api: Client) -> None:
        self._api = api
        self._kept: dict[str, str] = {}

    def check(self, case: Case) -> None:
        """Send the request of a case; fail when the answer is another."""
        case = self._filled_in(case)
        answer = _send(self._api, case)
        _check(answer, case)
        for name, place in case.get("keep", {}).items():
            self._kept[name] = _at(answer.json, place)

    def _filled_in(self, value: Any) -> Any:
        if isinstance(value, str):
            return Template(value).safe_substitute(self._kept)
        if isinstance(value, list):
            return [self._filled_in(inner) for inner in value]
        if isinstance(value, dict):
            return {self._filled_in(key): self._filled_in(inner) for key, inner in value.items()}
        return value


@contextmanager
def telling(cases: Iterable[Case], database: Database, directory: Path) -> Iterator[Teller]:
    """Whoever tells this story, to an application over the fleet that it is about.

    :param database: empty
    :param directory: for files
    """
    if not any("as" in case for case in cases):
        populate(database)
        yield Teller(client(database))
        return
    add_claimable(database)
    with asking_keystone(directory) as config:
        yield Teller(client(database, "--config-file", str(config)))


def _check(answer: webob.Response, case: Case) -> None:
    assert answer.status_int == case["status"], f"{case['name']}: {answer.text}"
    for name, value in case.get("answer_headers", {}).items():
        assert answer.headers.get(name) == value
    if case.get("empty"):
        assert answer.body == b""
        assert "Content-Type" not in answer.headers
    if answer.status_int == 401:
        assert "error" in answer.json  # the middleware's own words
    elif answer.status_int >= 400 and answer.body:
        assert case.get("fault", "") in fault(answer)
        _check_error(answer, case)
    elif answer.body:
        _check_body(answer, case)


def _check_error(answer: webob.Response, case: Case) -> None:
    assert answer.content_type == "application/json"
    says_more = case.get("version", "2.0") >= "2.4"
    assert set(answer.json) - {"error_message"} == (_FROM_2_4 if says_more else set())
    if "error" in case:
        _check_holds(answer.json, case["error"])


_FROM_2_4 = {"type", "title", "status", "detail", "instance", "code"}


def _send(to: Client, case: Mapping[str, Any]) -> webob.Response:
    method, path = case["request"].split(" ", 1)
    headers = dict(case.get("headers", {}))
    if "version" in case:
        headers["OpenStack-API-Version"] = f"accelerator {case['version']}"
    for member, header in (("as", "X-Auth-Token"), ("with", "X-Service-Token")):
        if member in case:
            headers[header] = f"<{case[member]}>"
    if "body" in case:
        return to.send(method, path, case["body"], **headers)
    text = case["text"].encode() if "text" in case else None
    return to.request(method, path, headers=headers, body=text)


def _check_body(answer: webob.Response, case: Mapping[str, Any]) -> None:
    body = answer.json
    if "has" in case:
        _check_holds(body, case["has"])
    rows = next(iter(body.values()))
    if "first_member" in case:
        assert next(iter(body)) == case["first_member"]
    if "count" in case:
        assert len(rows) == case["count"]
    if "uuids" in case:
        assert [row["uuid"] for row in rows] == case["uuids"]
    for thing in (body, rows[0] if isinstance(rows, list) and rows else rows):
        assert not isinstance(thing, dict) or not set(case.get("lacks", ())) & set(thing)


def _check_holds(found: Any, wanted: Any) -> None:
    """The body has what the case wants: objects may have more members but for empty ones, lists are as long."""
    if isinstance(wanted, dict) and wanted:
        assert wanted.keys() <= found.keys(), json.dumps(found)
        for name, value in wanted.items():
            _check_holds(found[name], value)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), json.dumps(found)
        for one, other in zip(found, wanted, strict=True):
            _check_holds(one, other)
    else:
        assert found == wanted, f"{found!r} is not {wanted!r}"


def _at(body: Any, place: str) -> str:
    """What is at a place in a body: ``arqs.0.uuid``."""
    for step in place.split("."):
        body = body[int(step)] if isinstance(body, list) else body[step]
    return str(body)
