"""PCI addresses: reading, writing and ordering them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel.errors import InvalidAddress
from accel.model.address import PciAddress

ADDRESSES = st.builds(
    PciAddress,
    domain=st.integers(0, 0xFFFFFFFF),
    bus=st.integers(0, 0xFF),
    device=st.integers(0, 0x1F),
    function=st.integers(0, 7),
)


@given(ADDRESSES)
def test_what_is_written_reads_as_the_same_address(address: PciAddress) -> None:
    assert PciAddress.parse(str(address)) == address


@given(ADDRESSES)
def test_upper_case_and_blanks_around_make_no_difference(address: PciAddress) -> None:
    assert PciAddress.parse(f" {str(address).upper()}\n") == address


@given(ADDRESSES)
def test_nvml_writes_the_domain_with_eight_digits(address: PciAddress) -> None:
    rest = str(address).partition(":")[2]
    assert PciAddress.parse(f"{address.domain:08X}:{rest.upper()}") == address


@given(st.lists(ADDRESSES))
def test_addresses_sort_as_numbers_do(addresses: list[PciAddress]) -> None:
    def number(address: PciAddress) -> int:
        return address.domain << 16 | address.bus << 8 | address.device << 3 | address.function

    assert sorted(addresses) == sorted(addresses, key=number)


@given(st.text())
def test_a_text_is_an_address_or_refused_by_name(text: str) -> None:
    with suppress(InvalidAddress):
        assert PciAddress.parse(str(PciAddress.parse(text))) == PciAddress.parse(text)


def test_a_domain_above_ffff_sorts_after_one_below() -> None:
    assert PciAddress.parse("10000:00:00.0") > PciAddress.parse("ffff:ff:1f.7")


def test_the_domain_may_be_left_out() -> None:
    assert str(PciAddress.parse("3b:00.0")) == "0000:3b:00.0"


@pytest.mark.parametrize("text", ["", "0000:3b:00", "0000:3b:00.8", "0000:3b:20.0", "0x0:3b:00.0", "000:3b:00.0"])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert PciAddress.read(text) is None
    with pytest.raises(InvalidAddress, match="address"):
        PciAddress.parse(text)


def test_functions_of_a_card_sit_in_one_slot() -> None:
    first, second, other = map(PciAddress.parse, ("0000:3b:00.0", "0000:3b:00.1", "0000:3b:01.0"))

    assert first.slot == second.slot != other.slot


@pytest.mark.parametrize("parts", [(-1, 0, 0, 0), (0, 256, 0, 0), (0, 0, 32, 0), (0, 0, 0, 8), (1 << 32, 0, 0, 0)])
def test_numbers_out_of_range_make_no_address(parts: tuple[int, int, int, int]) -> None:
    with pytest.raises(InvalidAddress):
        PciAddress(*parts)
