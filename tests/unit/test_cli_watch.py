"""Watching: in place on a terminal, lines into a pipe."""

from io import StringIO

import pytest
from support.cli import Terminal, looks

from accel.cli.errors import NoServer, WrongUse
from accel.cli.watch import Frame, check_format, in_place, watch


class Pictures:
    """Draws one picture after the other; an error is raised instead."""

    def __init__(self, *pictures: str | Exception) -> None:
        self._left = iter(pictures)

    def __call__(self, frame: Frame) -> None:
        picture = next(self._left)
        if isinstance(picture, Exception):
            raise picture
        frame.write(picture)


def watched(pictures: Pictures, count: int, out: StringIO) -> tuple[int, str]:
    err = StringIO()
    code = watch(pictures, stdout=out, stderr=err, interval=2, wait=looks(count))
    return code, err.getvalue()


def test_an_interrupt_is_the_ordinary_end() -> None:
    assert watched(Pictures("one\n"), 1, StringIO())[0] == 0


def test_a_pipe_gets_the_pictures_and_nothing_else() -> None:
    out = StringIO()
    watched(Pictures("one\n", "two\n"), 2, out)
    assert out.getvalue() == "one\ntwo\n"


def test_a_terminal_gets_them_one_over_the_other() -> None:
    out = Terminal()
    watched(Pictures("one\n", "two\n"), 2, out)
    cleared, first, second = out.getvalue().split("\033[H")
    assert cleared == "\033[2J"
    assert "one\033[K\n" in first
    assert "two\033[K\n" in second


def test_what_draws_for_a_terminal_knows_it() -> None:
    assert Frame(Terminal()).isatty()
    assert not Frame(StringIO()).isatty()


def test_the_first_failure_ends_it() -> None:
    with pytest.raises(NoServer):
        watched(Pictures(NoServer("away")), 1, StringIO())


def test_a_later_failure_is_told_and_tried_again() -> None:
    out = StringIO()
    code, err = watched(Pictures("one\n", NoServer("away\nhint"), "two\n"), 3, out)
    assert (code, out.getvalue(), err) == (0, "one\ntwo\n", "away\nhint\n")


def test_a_terminal_keeps_the_old_picture_and_says_so_while_it_fails() -> None:
    out = Terminal()
    watched(Pictures("one\n", NoServer("away"), NoServer("away"), "two\n"), 4, out)
    *_, failing, recovered = out.getvalue().split("\033[H")
    assert failing.count("away; what follows is old") == 1
    assert "one" in failing
    assert "away" not in recovered


def test_what_is_higher_than_the_terminal_is_counted() -> None:
    drawn = in_place([f"line {number}" for number in range(30)], height=24)
    assert drawn.count("\n") == 23
    assert "… 8 more lines" in drawn


def test_a_picture_that_fits_is_whole() -> None:
    assert "more lines" not in in_place(["x"] * 23, height=24)


@pytest.mark.parametrize("name", ["csv", "yaml", "value"])
def test_a_pipe_takes_no_other_format_than_json(name: str) -> None:
    with pytest.raises(WrongUse, match=name):
        check_format(name)
