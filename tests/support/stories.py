"""Stories of requests and answers: data in ``tests/data/api-cases``, whose README says what it means."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import webob
import yaml
from support.api import Client, fault

Case = dict[str, Any]

_CASES = Path(__file__).parent.parent / "data" / "api-cases"
STORIES: dict[str, list[Case]] = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(_CASES.glob("*.yaml"))}


def check(case: Case, api: Client) -> None:
    """Send the request of a case; fail when the answer is another."""
    answer = _send(api, case)
    assert answer.status_int == case["status"], f"{case['name']}: {answer.text}"
    for name, value in case.get("answer_headers", {}).items():
        assert answer.headers.get(name) == value
    if case.get("empty"):
        assert answer.body == b""
    if answer.status_int >= 400 and answer.body:
        assert case.get("fault", "") in fault(answer)
    elif answer.body:
        _check_body(answer, case)


def _send(to: Client, case: Mapping[str, Any]) -> webob.Response:
    method, path = case["request"].split(" ", 1)
    headers = dict(case.get("headers", {}))
    if "version" in case:
        headers["OpenStack-API-Version"] = f"accelerator {case['version']}"
    if "body" in case:
        return to.send(method, path, case["body"], **headers)
    text = case["text"].encode() if "text" in case else None
    return to.request(method, path, headers=headers, body=text)


def _check_body(answer: webob.Response, case: Mapping[str, Any]) -> None:
    body = answer.json
    _check_holds(body, case.get("has", {}))
    rows = next(iter(body.values()))
    if "first_member" in case:
        assert next(iter(body)) == case["first_member"]
    if "count" in case:
        assert len(rows) == case["count"]
    if "uuids" in case:
        assert [row["uuid"] for row in rows] == case["uuids"]
    assert not set(case.get("lacks", ())) & set(body)


def _check_holds(found: Any, wanted: Any) -> None:
    """The body has what the case wants: objects may have more members, lists are as long."""
    if isinstance(wanted, dict):
        assert wanted.keys() <= found.keys(), json.dumps(found)
        for name, value in wanted.items():
            _check_holds(found[name], value)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), json.dumps(found)
        for one, other in zip(found, wanted, strict=True):
            _check_holds(one, other)
    else:
        assert found == wanted
