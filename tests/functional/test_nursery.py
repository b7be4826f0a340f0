"""Processes for drivers come from a server that is there while somebody needs it."""

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from support.waiting import until

from accel.agent.nursery import Life, Nursery


def echo(words: Connection) -> None:
    while True:
        words.send_bytes(words.recv_bytes())


def say_parent(words: Connection) -> None:
    words.send_bytes(str(os.getppid()).encode())


def leave(code: int, _: Connection) -> None:
    raise SystemExit(code)


def crash(_: Connection) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def open_files(words: Connection) -> None:
    words.send_bytes(str(len(list(Path("/proc/self/fd").iterdir()))).encode())


def parent_of_child(nursery: Nursery) -> int:
    child = nursery.start(say_parent)
    try:
        return int(child.words.recv_bytes())
    finally:
        child.forget()


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_processes_of_one_time_have_one_server_that_ends_when_nobody_needs_it() -> None:
    nursery = Nursery()
    with nursery.needed():
        server = parent_of_child(nursery)
        assert parent_of_child(nursery) == server

    until(lambda: not is_running(server))

    assert parent_of_child(nursery) != server


def test_a_process_goes_on_when_the_server_has_ended() -> None:
    nursery = Nursery()
    server = parent_of_child(nursery)
    child = nursery.start(echo)
    until(lambda: not is_running(server))

    child.words.send_bytes(b"still there?")

    assert child.words.recv_bytes() == b"still there?"
    child.kill()
    assert child.join(30)
    assert child.exit_code() is None
    child.forget()


def test_a_server_that_was_killed_is_replaced() -> None:
    nursery = Nursery()
    with nursery.needed():
        server = parent_of_child(nursery)
        os.kill(server, signal.SIGKILL)
        until(lambda: "State:\tZ" in Path(f"/proc/{server}/status").read_text())

        assert parent_of_child(nursery) != server


@pytest.mark.parametrize(("life", "arguments", "code"), [(leave, (3,), 3), (crash, (), -signal.SIGSEGV)])
def test_how_a_process_has_ended_is_known(life: Life, arguments: tuple[int, ...], code: int) -> None:
    nursery = Nursery()
    with nursery.needed():
        child = nursery.start(life, *arguments)
        with pytest.raises(EOFError):
            child.words.recv_bytes()

        assert child.exit_code() == code
        assert not child.is_alive
        child.forget()


def test_a_process_has_nothing_of_those_beside_it() -> None:
    nursery = Nursery()
    with nursery.needed():
        children = [nursery.start(life) for _ in range(3) for life in (open_files, echo)]
        counts = {int(child.words.recv_bytes()) for child in children[::2]}
        for child in children:
            child.kill()
            child.forget()

    assert len(counts) == 1
