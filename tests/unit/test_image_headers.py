"""Images for FPGAs: what a file says of itself, and that a damaged one is refused with words."""

import json
import struct
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.images import (
    axlf,
    device_tree,
    gbs,
    gbs_metadata,
    gbs_of,
    partition_metadata,
    signed_by_intel,
    xclbin,
)

from accel.errors import InvalidImage
from accel.model.image import ImageFormat, ImageHeader, ImagePurpose, normal_id, read_header

INTERFACE, AFU = "f64e598bea11517fa28e7bc65d885104", "d8424dc4a4a3c413f89e433683f9040b"
IMAGE = "54754387411c4c168265245b0241d0a2"
PLATFORM_TIME = 1_561_465_320
WHOLE = (gbs(INTERFACE, AFU), gbs(INTERFACE, AFU, signed=True), xclbin(IMAGE, interfaces=[INTERFACE]))

KEYS = ("afu-image", "interface-uuid", "accelerator-clusters", "accelerator-type-uuid", "name", "version")
METADATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
)


def read(content: bytes) -> ImageHeader:
    return read_header(BytesIO(content))


def refused(content: bytes) -> str:
    with pytest.raises(InvalidImage) as caught:
        read(content)
    return str(caught.value)


def edited(content: bytes, at: int, layout: str, number: int) -> bytes:
    size = struct.calcsize(layout)
    return content[:at] + struct.pack(layout, number) + content[at + size :]


def test_a_green_bitstream_tells_its_region_and_its_functions() -> None:
    header = read(gbs(INTERFACE.upper(), AFU, "1" * 32))

    assert (header.format, header.purpose, header.vendor) == (ImageFormat.GBS, ImagePurpose.REGION, "8086")
    assert (header.interface_ids, header.function_ids) == ((INTERFACE,), (AFU, "1" * 32))
    assert (header.platform, header.name, header.version) == ("DCP", "afu_0, afu_1", "1")


def test_a_signed_green_bitstream_tells_the_same_and_that_it_is_signed() -> None:
    header = read(gbs(INTERFACE, AFU, signed=True))

    assert (header.interface_ids, header.function_ids, header.is_signed) == ((INTERFACE,), (AFU,), True)


def test_firmware_signed_for_the_board_is_no_image_for_a_region() -> None:
    assert read(signed_by_intel(b"firmware", kind=1)) == ImageHeader(format=ImageFormat.UNKNOWN)


def test_a_container_tells_its_id_its_shell_and_the_interface_it_was_built_for() -> None:
    header = read(xclbin(IMAGE, interfaces=[INTERFACE], platform_time=PLATFORM_TIME))

    assert (header.format, header.purpose, header.vendor) == (ImageFormat.XCLBIN, ImagePurpose.REGION, "10ee")
    assert (header.interface_ids, header.function_ids) == ((INTERFACE,), (IMAGE,))
    assert (header.platform, header.version) == ("xilinx:u250:gen3x16_xdma_shell:4.1", "2.16.7")
    assert header.platform_built_at == datetime.fromtimestamp(PLATFORM_TIME, UTC)


def test_the_id_of_what_a_partition_is_made_of_is_not_what_it_was_built_for() -> None:
    assert read(axlf(IMAGE, [(20, partition_metadata([], logic=INTERFACE))])).interface_ids == ()


def test_an_older_container_names_its_interface_in_the_header() -> None:
    assert read(axlf(IMAGE, [(0, b"bits")], interface=INTERFACE)).interface_ids == (INTERFACE,)


def test_a_container_for_the_flash_memory_is_a_shell() -> None:
    assert read(xclbin(IMAGE, is_shell=True)).purpose is ImagePurpose.SHELL


@pytest.mark.parametrize("content", [b"x", b"\x7fELF" + bytes(2000), b"XeonFPGA", b"xclbin9\0" + bytes(600)])
def test_a_file_of_another_format_is_unknown(content: bytes) -> None:
    assert read(content) == ImageHeader(format=ImageFormat.UNKNOWN)


@pytest.mark.parametrize("content", WHOLE)
def test_a_file_that_is_cut_short_is_refused_or_at_least_says_nothing_else(content: bytes) -> None:
    whole = read(content)
    for length in range(16, len(content)):
        with suppress(InvalidImage):
            assert read(content[:length]) == whole


def test_an_empty_file_is_refused() -> None:
    assert refused(b"") == "the file is empty"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "its metadata are not an object"),
        (b"{}", "afu-image in its metadata is not an object"),
        (b'{"afu-image": {}}', "afu-image.interface-uuid in its metadata is not an id"),
        (b'{"afu-image": {"interface-uuid": 7}}', "afu-image.interface-uuid in its metadata is not an id"),
        (json.dumps(gbs_metadata(INTERFACE)).encode(), "accelerator-clusters in its metadata is not a list"),
        (
            json.dumps(gbs_metadata(INTERFACE, AFU)).replace(AFU[:8], "zzzzzzzz").encode(),
            "accelerator-clusters[0].accelerator-type-uuid in its metadata is not an id",
        ),
    ],
)
def test_metadata_that_do_not_say_what_is_needed_are_refused_with_the_field(metadata: bytes, said: str) -> None:
    assert said in refused(gbs_of(metadata))


def test_lengths_that_cannot_be_are_refused() -> None:
    good = gbs(INTERFACE, AFU)
    assert "length of 0 bytes" in refused(edited(good, 16, "<I", 0))
    assert "length of 4294967295 bytes" in refused(edited(good, 16, "<I", 0xFFFFFFFF))
    assert "cut short" in refused(edited(good, 16, "<I", 100_000))
    assert "no bitstream in it" in refused(good[:-64])
    assert "are there: it is cut short" in refused(gbs(INTERFACE, AFU, signed=True)[:-1])
    assert "none follows the signature" in refused(signed_by_intel(b"x" * 100, kind=2))


def test_a_container_whose_numbers_cannot_be_is_refused() -> None:
    good = xclbin(IMAGE, interfaces=[INTERFACE])
    assert "are there: it is cut short" in refused(edited(good, 304, "<Q", 1 << 60))
    assert "header alone has" in refused(edited(good, 304, "<Q", 10))
    assert "it has 0 sections" in refused(edited(good, 448, "<I", 0))
    assert "it has 4294967295 sections" in refused(edited(good, 448, "<I", 0xFFFFFFFF))
    assert "the table of its sections would end at" in refused(edited(good, 448, "<I", 0x10000))
    assert "section 0 is at byte 18446744073709551615" in refused(edited(good, 456 + 24, "<Q", (1 << 64) - 1))
    assert "section 1 is at byte 16" in refused(edited(good, 456 + 40 + 24, "<Q", 16))
    assert "xclbin2" in refused(b"xclbin0\0" + bytes(600))


@pytest.mark.parametrize(
    "tree",
    [
        b"text",
        b"\0" * 64,
        device_tree({"interfaces": {}})[:-30],
        struct.pack(">4I", 0xD00DFEED, 64, 16, 40) + struct.pack(">I", 2),
        struct.pack(">4I", 0xD00DFEED, 64, 16, 40) + struct.pack(">I", 77),
        struct.pack(">4I", 0xD00DFEED, 64, 16, 40) + struct.pack(">III", 3, 0xFFFFFFFF, 0xFFFFFFFF),
    ],
)
def test_metadata_of_the_partition_that_are_no_device_tree_are_refused(tree: bytes) -> None:
    assert "no device tree" in refused(axlf(IMAGE, [(20, tree)]))


def test_metadata_of_the_partition_are_not_read_if_they_are_huge() -> None:
    assert "at most 1048576" in refused(axlf(IMAGE, [(20, bytes(1 << 21))]))


@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 1500), st.binary(min_size=1, max_size=8)), max_size=6))
def test_whatever_is_changed_in_a_file_it_is_read_or_refused_by_name(
    content: bytes, edits: list[tuple[int, bytes]]
) -> None:
    for at, bytes_there in edits:
        content = content[:at] + bytes_there + content[at + len(bytes_there) :]
    with suppress(InvalidImage):
        read(content)


@given(st.sampled_from((WHOLE[0][:16], WHOLE[1][:16], b"xclbin2\0")), st.binary(max_size=3000))
def test_whatever_follows_the_beginning_it_is_read_or_refused_by_name(start: bytes, rest: bytes) -> None:
    with suppress(InvalidImage):
        read(start + rest)


@given(METADATA)
def test_whatever_the_metadata_are_they_are_read_or_refused_by_name(metadata: object) -> None:
    with suppress(InvalidImage):
        read(gbs_of(json.dumps(metadata).encode()))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("F64E598B-EA11-517F-A28E-7BC65D885104\n", INTERFACE),
        (INTERFACE, INTERFACE),
        ("0" * 32, ""),
        ("", ""),
        ("f64e", ""),
        ("g" * 32, ""),
    ],
)
def test_ids_are_compared_in_one_form(text: str, normal: str) -> None:
    assert normal_id(text) == normal
