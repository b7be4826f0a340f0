"""What the reference answered, we answer, exchange by exchange."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import webob
import yaml
from support.api import Client, client
from support.databases import migrated
from support.inventory import Inventory
from support.stand_in_keystone import ADMIN, PERSONAS, Persona, asking_keystone

RECORDED = Path(__file__).parent.parent / "data" / "reference-exchanges"
DIFFERENCES = yaml.safe_load((RECORDED / "differences.yaml").read_text())
MOUNTED = {"SCRIPT_NAME": "/accelerator", "HTTP_HOST": "127.0.0.1:6666", "REMOTE_ADDR": "127.0.0.1"}
OUR_NEWEST, THEIR_NEWEST = "2.4", "2.3"
JSON_IN_TEXT = {"std_board_info", "attributes_list", "error_message"}
TIMES = {"created_at", "updated_at"}
MADE, CHANGED = (datetime(2026, 11, 21, 3, *rest, tzinfo=UTC) for rest in ((45, 13), (51, 2)))
THEIR_PERSONAS = PERSONAS | {"admin": Persona(ADMIN, project="admin")}
INTERNALS = "(body left out: internals)"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the answer to it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    status: int
    answer_headers: Mapping[str, str]
    answer_body: str

    @classmethod
    def read(cls, text: str) -> "Exchange":
        request, answer = text.removeprefix("### request\n").split("### response\n")
        head, _, body = request.partition("\n\n")
        first, *headers = head.splitlines()
        method, path = first.split(" ", 1)
        answer_head, _, answer_body = answer.partition("\n\n")
        answer_first, *answer_headers = answer_head.splitlines()
        status = int(answer_first.split()[1])
        return cls(method, path, _headers(headers), body.strip(), status, _headers(answer_headers), answer_body.strip())


@dataclass(slots=True)
class Replay:
    """Plays exchanges in their order; what was made on the way has other UUIDs than in the record."""

    client: Client
    made: dict[str, str] = field(default_factory=dict)

    def play(self, exchange: Exchange) -> webob.Response:
        path, body = self._translated(exchange.path), self._translated(exchange.body).encode() or None
        answer = self.client.request(exchange.method, path, headers=exchange.headers, body=body, environ=MOUNTED)
        if answer.status_int == exchange.status == 201:
            self._remember([thing["uuid"] for thing in _things(json.loads(exchange.answer_body))], answer)
        return answer

    def send(self, method: str, path: str, body: object, made: Sequence[str] = (), persona: str = "<admin>") -> None:
        tokens = {"X-Auth-Token": persona, "X-Service-Token": "<nova>"}
        answer = self.client.send(method, self._translated(path), body, **tokens)
        assert answer.status_int < 300, answer.text
        self._remember(made, answer)

    def _remember(self, recorded: Sequence[str], answer: webob.Response) -> None:
        if recorded:
            ours = [thing["uuid"] for thing in _things(answer.json)]
            self.made |= dict(zip(recorded, ours, strict=True))

    def _translated(self, text: str) -> str:
        for recorded, ours in self.made.items():
            text = text.replace(recorded, ours)
        return text


def _things(body: dict[str, Any]) -> list[dict[str, Any]]:
    """What a POST has made: one thing, or accelerator requests."""
    things: list[dict[str, Any]] = body.get("arqs", [body])
    return things


def _headers(lines: list[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines)


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An application over the inventory that the reference had, which the exchanges change as they go."""
    directory = tmp_path_factory.mktemp("reference")
    with migrated("sqlite", directory) as database, asking_keystone(directory, THEIR_PERSONAS) as config:
        inventory = Inventory(database)
        node = inventory.node("peerhost")
        device = inventory.device(
            node, id=1, uuid="3a8c01ae-3918-4b1c-af50-ec5b295f2cb7", created_at=MADE, updated_at=CHANGED
        )
        deployable = inventory.deployable(
            device,
            "peerhost_FakeDevice",
            id=1,
            uuid="3056f5f8-48f4-42ed-85ff-5cff48dae89c",
            num_accelerators=16,
            rp_uuid="a51aff43-8b27-3efb-a909-82e2f0e7a067",
            created_at=MADE,
            updated_at=MADE,
        )
        for uuid, key, value in (
            ("bfb29afe-f903-4003-b53b-6d40670d637b", "traits1", "CUSTOM_FAKE_DEVICE"),
            ("078afff6-09ae-4b50-9c86-49e3bd8b89b8", "rc", "FPGA"),
        ):
            inventory.attribute(deployable, key, value, uuid=uuid, created_at=MADE)
        for number in range(1, 17):
            info = {"domain": "0000", "bus": "0c", "device": str(number // 8), "function": str(number % 8)}
            inventory.handle(deployable, info=info)
        yield Replay(client(database, "--config-file", str(config)))


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDED.glob("*.http")))
def test_the_answer_is_the_recorded_one(name: str, replay: Replay) -> None:
    if name in DIFFERENCES["skipped"]:
        pytest.skip(DIFFERENCES["skipped"][name])
    for request in DIFFERENCES["unrecorded"].get(name, ()):
        replay.send(*request)
    exchange = Exchange.read((RECORDED / f"{name}.http").read_text())
    answer = replay.play(exchange)
    if name in DIFFERENCES["other_status"]:
        assert answer.status_int == DIFFERENCES["other_status"][name]["status"]
        return
    assert answer.status_int == exchange.status, answer.text
    assert _comparable_headers(answer.headers) == _comparable_headers(exchange.answer_headers)
    if name in DIFFERENCES["other_body"]:
        assert _types(answer.json) == _types(json.loads(exchange.answer_body))
    elif exchange.answer_body != INTERNALS:
        assert _comparable_body(answer.text, replay.made) == _comparable_body(exchange.answer_body, replay.made)


def test_every_difference_is_about_an_exchange() -> None:
    lists = ("skipped", "unrecorded", "other_status", "other_body")
    named = {name for which in lists for name in DIFFERENCES[which]}

    assert named <= {path.stem for path in RECORDED.glob("*.http")}


def _comparable_headers(headers: Mapping[str, str]) -> dict[str, str]:
    ours_only = {name.lower() for name in DIFFERENCES["more_headers"]} | {"content-length"}
    kept = {name: value for name, value in headers.items() if name.lower() not in ours_only}
    if kept.get("OpenStack-API-Maximum-Version") == OUR_NEWEST:
        kept["OpenStack-API-Maximum-Version"] = THEIR_NEWEST
    return kept


def _comparable_body(text: str, made: Mapping[str, str]) -> Any:
    """The body with what cannot be the same made the same: our words, UUIDs made on the way, JSON within text."""
    if not text:
        return None
    if text == "(HTML page inside error_message)":
        return {"error_message": "text"}
    for recorded, ours in made.items():
        text = text.replace(ours, recorded)
    return _comparable(json.loads(text))


def _comparable(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {member: _comparable(inner, member) for member, inner in value.items()}
    if isinstance(value, list):
        return [_comparable(inner, name) for inner in value]
    if name in DIFFERENCES["other_text"]:
        return value if value is None else "text"
    if name in JSON_IN_TEXT:
        inner = json.loads(value)
        # A page of HTML in the record is one of these three members with us.
        return "text" if name == "error_message" and "code" in inner else _comparable(inner)
    if name in TIMES and value not in {None, MADE.isoformat(), CHANGED.isoformat()}:
        return _form(value)
    return value


def _types(value: Any) -> Any:
    """The members of a body, and of a list those of its elements."""
    if isinstance(value, list):
        return [_types(inner) for inner in value]
    return sorted(value) if "arqs" not in value else _types(value["arqs"])


def _form(time: str) -> str:
    """How a time is written, whatever time it is, with microseconds or without."""
    return re.sub(r"\d", "0", re.sub(r"\.\d+", "", time))
