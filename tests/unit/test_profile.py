"""What is right in a device profile, before 2.4 and from it on."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel.errors import InvalidValue, ReferenceFault
from accel.model import old_profile, profile
from accel.model.profile import Vocabulary

STANDARD = Vocabulary(traits=frozenset({"HW_X"}), resource_classes=frozenset({"FPGA", "VCPU"}))

NAMES = st.from_regex(r"\A[a-zA-Z0-9_-]{1,40}\Z")
CUSTOM = st.from_regex(r"\ACUSTOM_[A-Z0-9_]{1,20}\Z")
BLANKS = st.text(" ", max_size=3)
ENTRIES = st.one_of(
    st.tuples(st.builds("resources:{}{}{}".format, BLANKS, CUSTOM, BLANKS), st.integers(1, 999_999_999)),
    st.tuples(st.builds("trait:{}{}{}".format, BLANKS, CUSTOM, BLANKS), st.sampled_from(["required", "forbidden"])),
    st.tuples(st.sampled_from(["accel:bitstream_id", "accel:function_id"]), st.text(max_size=10)),
)
GROUPS = st.lists(st.lists(ENTRIES, min_size=1, max_size=6).map(dict), min_size=1, max_size=4)
ANYTHING = st.lists(st.dictionaries(st.text(max_size=20), st.text(max_size=20) | st.integers(), max_size=4), max_size=3)


def wrong(groups: Any) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        profile.read_groups(groups, STANDARD)
    return caught.value


@given(NAMES, GROUPS)
def test_before_2_4_what_is_kept_is_taken_again_as_it_is(name: str, groups: Any) -> None:
    _, kept = old_profile.checked(name, groups)
    assert old_profile.checked(name, kept) == (name, kept)
    assert all(isinstance(value, str) for group in kept for value in group.values())
    assert not any(" " in key for group in kept for key in group)


@given(GROUPS)
def test_from_2_4_what_is_kept_is_taken_again_and_by_old_clients_too(groups: Any) -> None:
    asking = [{**group, "resources:FPGA": 1} for group in groups]
    if any(len(profile.stripped(group)) < len(group) for group in asking):
        assert "once only" in str(wrong(asking))
        return
    kept = profile.read_groups(asking, STANDARD)
    assert profile.read_groups(kept, STANDARD) == kept
    assert old_profile.checked("name", kept) == ("name", kept)


@given(st.none() | st.text(max_size=300), ANYTHING)
def test_whatever_is_given_is_taken_or_refused(name: str | None, groups: Any) -> None:
    for check in (
        lambda: old_profile.checked(name, groups),
        lambda: profile.check_name(name),
        lambda: profile.read_groups(groups, STANDARD),
    ):
        with suppress(InvalidValue):
            check()


def test_names_that_had_blanks_come_last_in_their_order() -> None:
    group = {"resources: FPGA ": 1, "trait:CUSTOM_B": "required", "trait: CUSTOM_A": "required"}
    assert list(profile.stripped(group)) == ["trait:CUSTOM_B", "resources:FPGA", "trait:CUSTOM_A"]


def test_blanks_within_the_value_of_a_property_are_kept() -> None:
    assert profile.stripped({"accel: x ": " y "}) == {"accel: x ": " y "}


@pytest.mark.parametrize("name", [None, "", "n" * 256])
def test_before_2_4_a_name_that_is_missing_or_too_long_counts_as_a_fault_of_the_server(name: str | None) -> None:
    with pytest.raises(ReferenceFault):
        old_profile.checked(name, [{"resources:FPGA": "1"}])


def test_before_2_4_groups_are_looked_at_before_the_length_of_the_name() -> None:
    with pytest.raises(InvalidValue, match=r"groups\[0\]"):
        old_profile.checked("n" * 256, [{"colour": "red"}])


@pytest.mark.parametrize("amount", [" 1 ", "+1", "-1", "0", "1_000"])
def test_before_2_4_an_amount_is_what_python_takes_for_an_integer(amount: str) -> None:
    assert old_profile.checked("n", [{"resources:FPGA": amount}]) == ("n", ({"resources:FPGA": amount},))


@pytest.mark.parametrize("amount", [" 1 ", "+1", "-1", "0", "1_000", "1.5", "", "1" * 10, "٣", 0])
def test_from_2_4_an_amount_is_a_number_from_1_in_digits(amount: str | int) -> None:
    assert wrong([{"resources:FPGA": amount}]).field == "groups[0].resources:FPGA"


@pytest.mark.parametrize("name", ["n" * 256, "a b", "a\n", "ä", "12345678123442348234123456789abc", "", None])
def test_from_2_4_a_name_that_cannot_be_is_refused(name: str | None) -> None:
    with pytest.raises(InvalidValue, match="no uuid") as caught:
        profile.check_name(name)
    assert not isinstance(caught.value, ReferenceFault)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ({"resources:FPGA": 1, "trait:HW_Y": "required"}, "os-traits"),
        ({"resources:FPGA": 1, "trait:HW_X": "maybe"}, "required or forbidden"),
        ({"resources:BOGUS": 1}, "os-resource-classes"),
        ({"resources:CUSTOM_lower": 1}, "CUSTOM_ with A-Z"),
        ({"resources:CUSTOM_": 1}, "CUSTOM_ with A-Z"),
        ({"resources1:FPGA": 1}, "begins with resources:, trait: or accel:"),
        ({"trait:HW_X": "required"}, "asks for something"),
        ({}, "asks for something"),
    ],
)
def test_from_2_4_what_is_wrong_in_a_group_is_named_with_what_is_right(group: dict[str, Any], words: str) -> None:
    assert words in str(wrong([{"resources:FPGA": 1}, group]))
    assert wrong([{"resources:FPGA": 1}, group]).field.startswith("groups[1]")


@pytest.mark.parametrize("groups", [None, []])
def test_there_is_a_group(groups: Any) -> None:
    assert wrong(groups).field == "groups"


def test_a_private_profile_has_a_project() -> None:
    with pytest.raises(InvalidValue, match="project_id"):
        profile.check_owner(None, is_public=False)
    profile.check_owner("red", is_public=False)
    profile.check_owner(None, is_public=True)


@pytest.mark.parametrize("group", [{f"resources:CUSTOM_{'X' * 9999}": "one"}, {f"trait:{'X' * 9999}": "required"}])
def test_an_error_shows_the_beginning_of_what_is_long(group: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue) as caught:
        old_profile.checked("n", [group])
    assert max(len(str(caught.value)), len(str(wrong([group])))) < 500
