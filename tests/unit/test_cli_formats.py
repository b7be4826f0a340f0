"""The table: what fits, what is shortened, what is painted."""

import argparse
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli import Terminal

from accel.cli.formats import Table, fitted, shortened, width_of

NARROW = argparse.Namespace(max_width=30, fit_width=False)
FREE = argparse.Namespace(max_width=0, fit_width=False)


def table(rows: list[list[object]], *, out: StringIO, args: argparse.Namespace = FREE) -> list[str]:
    Table().emit_list(["Model", "Free", "State"], rows, out, args)
    return out.getvalue().splitlines()


def test_figures_stand_to_the_right_and_texts_to_the_left() -> None:
    lines = table([["A100", 12, "healthy"], ["B", 3, "lost"]], out=StringIO())
    assert lines == ["Model  Free  State", "A100     12  healthy", "B         3  lost"]


def test_a_table_in_a_pipe_is_whole() -> None:
    lines = table([["x" * 200, 1, "healthy"]], out=StringIO())
    assert "x" * 200 in lines[1]


def test_a_narrow_table_shortens_its_widest_column() -> None:
    lines = table([["NVIDIA A100-SXM4-80GB", 1, "healthy"]], out=StringIO(), args=NARROW)
    assert lines[1] == "NVIDIA A100-SX…     1  healthy"


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(1, 200))
def test_fitted_columns_fit_or_are_as_narrow_as_can_be_read(widths: list[int], available: int) -> None:
    found = fitted(widths, available)
    fits = sum(found) + 2 * (len(found) - 1) <= available
    assert fits or all(width <= max(8, 0) for width in found)
    assert all(after <= before for after, before in zip(found, widths, strict=True))
    assert all(after >= min(before, 8) for after, before in zip(found, widths, strict=True))


@given(st.text(max_size=30), st.integers(1, 30))
def test_a_shortened_text_never_is_wider_than_its_room(text: str, room: int) -> None:
    assert width_of(shortened(text, room)) <= room
    assert shortened(text, room) == text or shortened(text, room).endswith("…")


def test_east_asian_characters_take_two_columns() -> None:
    assert width_of("显卡 0") == 6


@pytest.mark.parametrize(
    ("variables", "painted"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_a_terminal_is_painted_unless_the_person_says_no(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, painted: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lines = table([["A100", 0, "lost"]], out=Terminal())
    assert ("\033[31mlost" in lines[1]) is painted


def test_a_pipe_is_never_painted() -> None:
    assert "\033" not in "".join(table([["A100", 0, "lost"]], out=StringIO()))


def test_one_thing_is_a_field_per_line_and_long_values_go_on_below_themselves() -> None:
    out = StringIO()
    Table().emit_one(["Model", "Reason"], ["A100", "fallen off the bus again\nand gone"], out, NARROW)
    assert out.getvalue().splitlines() == [
        "Model   A100",
        "Reason  fallen off the bus",
        "        again",
        "        and gone",
    ]
