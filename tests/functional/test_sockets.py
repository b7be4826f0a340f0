"""gRPC over Unix sockets: calls, watches, who may call, and whose the file of a socket is."""

import os
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest

from accel.errors import CallFailed, InvalidValue, SocketUnavailable
from accel.protos import accel_node_v1_pb2 as node
from accel.sockets.client import Client
from accel.sockets.peer import Peer
from accel.sockets.server import Call, Server, methods_of
from accel.sockets.status import Code

_SERVICE = node.DESCRIPTOR.services_by_name["Node"]
_PATIENCE = 20.0
_BIG = 3 * 2**20


class Handlers:
    """A service that shows what a server can do."""

    def __init__(self) -> None:
        self.peers: list[Peer | None] = []
        self.ended = Event()
        self.answers: SimpleQueue[node.Inventory] = SimpleQueue()

    def by_name(self) -> Mapping[str, Any]:
        return {"Watch": self.watch, "Prepare": self.prepare, "Release": self.release}

    def watch(self, request: node.WatchRequest, call: Call) -> Iterator[node.Inventory]:
        call.when_over(self.ended.set)
        yield node.Inventory(node=request.watcher)
        while not call.is_over:
            yield self.answers.get()

    def prepare(self, request: node.PrepareRequest, call: Call) -> node.PrepareResponse:
        self.peers.append(call.peer)
        return node.PrepareResponse(prepared=[node.Prepared(handle=handle) for handle in request.handles])

    def release(self, request: node.ReleaseRequest, _: Call) -> node.ReleaseResponse:
        if request.handles == ["wrong"]:
            raise InvalidValue("handles[0]", "wrong", "a handle – 100 % sure")
        raise RuntimeError("a mistake")


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture(params=["asks who calls", "does not ask"])
def server(request: pytest.FixtureRequest, handlers: Handlers, tmp_path: Path) -> Iterator[Server]:
    admits = (lambda _: True) if request.param == "asks who calls" else None
    made = Server(tmp_path / "node.sock", methods_of(_SERVICE, handlers.by_name()), admits=admits)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    made = Client(server.path, _SERVICE)
    yield made
    made.close()


def test_a_call_is_answered(client: Client) -> None:
    answer = client.call("Prepare", node.PrepareRequest(handles=["a", "b"]), timeout_seconds=_PATIENCE)

    assert [one.handle for one in answer.prepared] == ["a", "b"]


@pytest.mark.parametrize("server", ["asks who calls"], indirect=True)
def test_the_server_knows_who_calls(client: Client, handlers: Handlers) -> None:
    client.call("Prepare", node.PrepareRequest(), timeout_seconds=_PATIENCE)

    assert handlers.peers == [Peer(os.getpid(), os.getuid(), os.getgid())]


def test_who_is_not_admitted_is_not_heard(handlers: Handlers, tmp_path: Path) -> None:
    server = Server(
        tmp_path / "node.sock", methods_of(_SERVICE, handlers.by_name()), admits=lambda peer: peer.uid != os.getuid()
    )
    server.start()
    client = Client(server.path, _SERVICE)

    with pytest.raises(CallFailed) as caught:
        client.call("Prepare", node.PrepareRequest(), timeout_seconds=_PATIENCE)

    assert caught.value.status == Code.UNAVAILABLE
    assert not handlers.peers
    server.stop()
    client.close()


def test_a_mistake_of_the_caller_is_told_with_its_text(client: Client) -> None:
    with pytest.raises(CallFailed) as caught:
        client.call("Release", node.ReleaseRequest(handles=["wrong"]), timeout_seconds=_PATIENCE)

    assert caught.value.status == Code.INVALID_ARGUMENT
    assert caught.value.text == "handles[0]: 'wrong' is not a handle – 100 % sure"


def test_a_mistake_of_the_server_shows_no_more_than_that_it_is_one(client: Client) -> None:
    with pytest.raises(CallFailed) as caught:
        client.call("Release", node.ReleaseRequest(), timeout_seconds=_PATIENCE)

    assert caught.value.status == Code.INTERNAL
    assert "a mistake" not in caught.value.text


def test_a_method_that_there_is_not_is_unimplemented(client: Client) -> None:
    with pytest.raises(CallFailed) as caught:
        client.call("Hold", node.HoldRequest(), timeout_seconds=_PATIENCE)

    assert caught.value.status == Code.UNIMPLEMENTED


def test_answers_come_as_they_are_made(client: Client, handlers: Handlers) -> None:
    watch = client.watch("Watch", node.WatchRequest(watcher="me"))
    answers = iter(watch)

    first = next(answers)
    handlers.answers.put(node.Inventory(node="second"))

    assert [first.node, next(answers).node] == ["me", "second"]


def test_a_watch_that_is_given_up_ends_at_both_ends(client: Client, handlers: Handlers) -> None:
    watch = client.watch("Watch", node.WatchRequest(watcher="me"))
    answers = iter(watch)
    next(answers)

    watch.cancel()

    with pytest.raises(CallFailed):
        next(answers)
    assert handlers.ended.wait(_PATIENCE)


def test_a_call_without_an_answer_ends_in_time(tmp_path: Path) -> None:
    end = Event()
    silent = Server(tmp_path / "silent.sock", methods_of(_SERVICE, {"Prepare": lambda *_: end.wait()}))
    silent.start()
    client = Client(silent.path, _SERVICE)

    with pytest.raises(CallFailed) as caught:
        client.call("Prepare", node.PrepareRequest(), timeout_seconds=0.05)

    assert caught.value.status == Code.DEADLINE_EXCEEDED
    client.close()
    silent.stop()
    end.set()


def test_a_message_may_be_longer_than_any_window(client: Client) -> None:
    answer = client.call("Prepare", node.PrepareRequest(handles=["x" * _BIG]), timeout_seconds=_PATIENCE)

    assert len(answer.prepared[0].handle) == _BIG


def test_many_calls_at_once_on_one_connection_do_not_mix(client: Client) -> None:
    def call(number: int) -> list[str]:
        request = node.PrepareRequest(handles=[str(number)] * 100)
        return [one.handle for one in client.call("Prepare", request, timeout_seconds=_PATIENCE).prepared]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(call, range(200)))

    assert answers == [[str(number)] * 100 for number in range(200)]


def test_a_client_comes_back_when_its_server_does(server: Server, client: Client, handlers: Handlers) -> None:
    client.call("Prepare", node.PrepareRequest(), timeout_seconds=_PATIENCE)
    server.stop()
    with pytest.raises((SocketUnavailable, CallFailed)):  # by whether it has heard of the end yet
        client.call("Prepare", node.PrepareRequest(), timeout_seconds=_PATIENCE)

    again = Server(server.path, methods_of(_SERVICE, handlers.by_name()))
    again.start()

    client.call("Prepare", node.PrepareRequest(handles=["a"]), timeout_seconds=_PATIENCE)
    again.stop()


def test_when_a_server_has_stopped_its_file_is_gone_and_its_callers_know(
    server: Server, client: Client, handlers: Handlers
) -> None:
    answers = iter(client.watch("Watch", node.WatchRequest()))
    next(answers)

    server.stop()

    assert not server.path.exists()
    assert handlers.ended.wait(_PATIENCE)
    with pytest.raises(SocketUnavailable):
        next(answers)
    assert not list(server.path.parent.iterdir())


def test_a_server_leaves_alone_what_another_one_has_put_in_its_place(server: Server, tmp_path: Path) -> None:
    server.path.unlink()
    server.path.write_text("another one")
    assert not server.is_there

    server.stop()

    assert (tmp_path / "node.sock").read_text() == "another one"


def test_a_socket_that_a_dead_server_has_left_is_replaced_and_a_living_ones_is_not(
    tmp_path: Path, server: Server
) -> None:
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    replacement = Server(left, {})
    replacement.start()

    with pytest.raises(SocketUnavailable, match="another process serves it"):
        Server(server.path, {}).start()

    replacement.stop()


def test_a_path_that_is_too_long_for_a_socket_is_refused_with_the_limit(tmp_path: Path) -> None:
    with pytest.raises(SocketUnavailable, match="107 bytes"):
        Server(tmp_path / ("x" * 100), {}).start()


def test_only_the_owner_can_connect_unless_the_server_says_otherwise(server: Server, tmp_path: Path) -> None:
    assert server.path.stat().st_mode & 0o777 == 0o600

    shared = Server(tmp_path / "shared.sock", {}, mode=0o660)
    shared.start()

    assert shared.path.stat().st_mode & 0o777 == 0o660
    shared.stop()
