"""Events of the node: what an API server, which is a small one of ours, is told of devices."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest
from support.offered import card

from accel.kubernetes.events import Access, NodeEvents
from accel.model.device import Health, Presence

_PATIENCE = 20


class Server(ThreadingHTTPServer):
    """Takes events of whoever has the token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: SimpleQueue[Any] = SimpleQueue()
        self.statuses: list[int] = []
        """What is answered first, in place of what is right."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_known = self.headers["Authorization"] == "Bearer secret"
        is_right = self.path == "/api/v1/namespaces/default/events" and is_known
        status = self.server.statuses.pop(0) if self.server.statuses else 201 if is_right else 403
        if status == 201:
            self.server.events.put(json.loads(body))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def events(server: Server, tmp_path: Path) -> Iterator[NodeEvents]:
    (tmp_path / "token").write_text("secret\n")
    made = NodeEvents(Access(host="127.0.0.1", port=server.server_port, account=tmp_path))
    made.start()
    yield made
    made.stop()


def test_a_device_that_is_not_fit_is_told_once_with_its_reason_and_again_when_it_is(
    server: Server, events: NodeEvents
) -> None:
    ill = replace(card(1), health=Health.UNHEALTHY, reason="an uncorrectable error")

    for devices in ((card(1), card(2)), (ill, card(2)), (ill, card(2)), (card(1), card(2))):
        events.look("node-1", devices)
    first, second = (server.events.get(timeout=_PATIENCE) for _ in range(2))

    assert (first["type"], first["reason"], first["involvedObject"]["name"]) == (
        "Warning",
        "AcceleratorUnhealthy",
        "node-1",
    )
    assert first["message"] == "NVIDIA H100 80GB HBM3 GPU-0001 is not fit: an uncorrectable error"
    assert (second["type"], second["message"]) == ("Normal", "NVIDIA H100 80GB HBM3 GPU-0001 is fit again")
    assert server.events.empty()


def test_a_device_that_is_lost_is_told_of(server: Server, events: NodeEvents) -> None:
    events.look("node-1", (replace(card(1), presence=Presence.LOST, reason="fallen off the bus"),))

    assert "fallen off the bus" in server.events.get(timeout=_PATIENCE)["message"]


def test_a_server_that_does_not_take_an_event_is_told_the_next(server: Server, events: NodeEvents) -> None:
    server.statuses = [403]
    events.look("node-1", (replace(card(1), health=Health.UNHEALTHY, reason="a"),))
    events.look("node-1", (card(1),))

    assert server.events.get(timeout=_PATIENCE)["reason"] == "AcceleratorHealthy"


def test_outside_of_a_cluster_there_is_no_way_to_an_api_server() -> None:
    assert Access.of_pod({}) is None
    assert Access.of_pod({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) == Access(host="10.0.0.1", port=443)
