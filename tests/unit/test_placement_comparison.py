"""Comparisons: how they are read, and when they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel.errors import InvalidValue
from accel.placement.comparison import UNITS, Operator, number, read_comparison

FACTS = {
    "memory_bytes": str(80 * 2**30),
    "model": "NVIDIA H100 80GB HBM3",
    "vendor": "10de",
    "cc": "9.0",
    "mode": "n/a",
}


@pytest.mark.parametrize(
    "text",
    [
        "memory >= 40GiB",
        "memory_bytes>=40GiB",
        "memory = 80 GiB",
        "memory <= 80GiB",
        "memory < 86GB",
        "memory > 85 GB",
        "memory != 40GiB",
        "model ~ h100",
        "vendor = 10de",
        "vendor != 1002",
        "cc >= 8.5",
        "mode = n/a",
        "mode != off",
    ],
)
def test_a_true_comparison_holds(text: str) -> None:
    assert read_comparison(text).holds(FACTS)


@pytest.mark.parametrize(
    "text",
    [
        "memory > 80GiB",
        "memory < 80GiB",
        "memory != 81920MiB",
        "model ~ a100",
        "vendor = 1002",
        "mode >= 1",
        "cc = 9.1",
    ],
)
def test_a_false_comparison_does_not(text: str) -> None:
    assert not read_comparison(text).holds(FACTS)


@pytest.mark.parametrize("operator", list(Operator))
def test_what_is_not_known_is_never_right(operator: Operator) -> None:
    assert not read_comparison(f"capacity {operator} 1").holds(FACTS)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("memory", "a comparison"),
        ("memory >= ", "a comparison"),
        ("memory ~  ", "a value"),
        ("memory >= big", "a number"),
        ("memory >= 4XB", "GiB"),
        ("memory => 4", "a comparison"),
        ("", "a comparison"),
    ],
)
def test_a_mistake_is_answered_with_field_value_and_what_would_be_right(text: str, word: str) -> None:
    with pytest.raises(InvalidValue, match=word) as caught:
        read_comparison(text, "groups[0].where[1]")
    assert (caught.value.field, caught.value.value) == ("groups[0].where[1]", text)


@given(st.integers(0, 10**15), st.sampled_from(sorted(UNITS)))
def test_a_number_with_a_unit_is_exact(amount: int, unit: str) -> None:
    assert number(f"{amount}{unit}") == amount * UNITS[unit]


@given(st.text(max_size=30))
def test_whatever_is_given_is_read_or_refused_and_reads_the_same_again(text: str) -> None:
    try:
        comparison = read_comparison(text)
    except InvalidValue:
        return
    assert read_comparison(str(comparison)) == comparison
