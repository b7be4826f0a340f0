"""What lists and shows show: columns by name, order, and text without brackets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel.cli.columns import chosen, member, ordered, plain, short_uuid, within
from accel.cli.errors import WrongUse

COLUMNS = (short_uuid(), member("numa_node"), member("kernel_driver"), within("counts", "free"))


@pytest.mark.parametrize("name", ["numa_node", "NUMA node", "numa node", " NUMA_NODE "])
def test_a_column_is_chosen_by_its_key_or_its_heading(name: str) -> None:
    assert [column.key for column in chosen(COLUMNS, [name])] == ["numa_node"]


def test_columns_stand_in_the_order_asked_for() -> None:
    assert [column.key for column in chosen(COLUMNS, ["free", "uuid"])] == ["free", "uuid"]


def test_an_unknown_column_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WrongUse, match="no column nope; there are: uuid, numa_node, kernel_driver, free"):
        chosen(COLUMNS, ["uuid", "nope"])


def test_a_heading_is_made_of_the_key() -> None:
    assert [column.heading for column in COLUMNS] == ["UUID", "NUMA node", "Kernel driver", "Free"]


def test_what_has_no_value_is_a_dash_in_a_table_and_null_for_scripts() -> None:
    column = member("numa_node")
    assert (column.cell({"numa_node": None}), column.raw({"numa_node": None})) == ("-", None)


def test_zero_is_a_value() -> None:
    assert member("numa_node").cell({"numa_node": 0}) == 0


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.just("x"),
        lambda inner: st.lists(inner) | st.dictionaries(st.just("k"), inner),
    )
)
def test_nothing_is_shown_with_brackets_or_quotes(value: object) -> None:
    assert not set(plain(value)) & set("[]{}()'\"")


@given(values=st.lists(st.none() | st.integers(), max_size=12), descending=st.booleans())
def test_what_has_no_value_is_sorted_last_in_either_direction(values: list[int | None], *, descending: bool) -> None:
    column = member("n")
    found = [item["n"] for item in ordered([{"n": value} for value in values], [column], descending=descending)]
    valued = [value for value in values if value is not None]
    assert found == sorted(valued, reverse=descending) + [None] * (len(values) - len(valued))


def test_the_first_column_to_sort_by_weighs_most() -> None:
    items = [{"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1}]
    assert ordered(items, [member("a"), member("b")]) == [items[2], items[1], items[0]]
