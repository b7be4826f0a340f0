"""Where an act stops that is called off: the next time that it says how far it is, once, unless it must go on."""

import threading

import pytest

from accel.agent.jobs.stopping import Stoppable
from accel.errors import ActCancelled

UNWANTED = threading.Event()
UNWANTED.set()


class Told:
    """What an act has said."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, message: str, fraction: float | None = None, *, must_go_on: str = "") -> None:
        self.words.append(f"{message} {fraction} {must_go_on}".strip())


def test_what_nobody_calls_off_says_what_it_wants() -> None:
    told = Told()
    progress = Stoppable(told, lambda: False)

    progress("cutting", 0.5, must_go_on="half")

    assert told.words == ["cutting 0.5 half"]


def test_what_is_called_off_stops_once_and_may_say_then_what_it_undoes() -> None:
    told = Told()
    progress = Stoppable(told, UNWANTED.is_set)

    with pytest.raises(ActCancelled, match="it was stopped before this: cutting"):
        progress("cutting")
    progress("undoing")

    assert told.words == ["undoing None"]


def test_what_must_not_be_stopped_halfway_is_not_begun() -> None:
    with pytest.raises(ActCancelled):
        Stoppable(Told(), UNWANTED.is_set)("flashing", must_go_on="half")


def test_what_must_go_on_does_so_and_what_comes_after_it_does_not() -> None:
    told, unwanted = Told(), threading.Event()
    progress = Stoppable(told, unwanted.is_set)
    progress("flashing", must_go_on="half")
    unwanted.set()
    progress("still flashing", must_go_on="half")

    with pytest.raises(ActCancelled, match="before this: more"):
        progress("more")
    assert told.words == ["flashing None half", "still flashing None half"]


def test_what_is_done_is_done() -> None:
    told = Told()

    Stoppable(told, UNWANTED.is_set)("done", 1.0)

    assert told.words == ["done 1.0"]


def test_a_tool_that_is_not_there_yet_is_ended_when_it_is() -> None:
    there = [False, False, True]

    Stoppable(Told(), UNWANTED.is_set).end_tool(lambda: there.pop(0))

    assert there == []


def test_no_tool_is_ended_of_an_act_that_is_stopping() -> None:
    progress = Stoppable(Told(), UNWANTED.is_set)
    with pytest.raises(ActCancelled):
        progress("cutting")

    progress.end_tool(pytest.fail)


def test_no_tool_is_ended_that_must_go_on() -> None:
    ended: list[str] = []
    progress = Stoppable(lambda message, *_, **__: ended.append(message), lambda: bool(ended))
    progress("flashing", must_go_on="half")

    def end() -> bool:
        ended.append("the tool")
        return True

    ending = threading.Thread(target=progress.end_tool, args=(end,))
    ending.start()
    with pytest.raises(ActCancelled):
        progress("more")
    ending.join()

    assert ended == ["flashing"]
