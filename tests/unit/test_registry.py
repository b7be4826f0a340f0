"""What is right in an image of the registry."""

import base64
from collections.abc import Callable

import pytest

from accel.errors import InvalidValue
from accel.model import registry
from accel.model.image import ImageFormat, ImageHeader, ImagePurpose
from accel.model.registry import Facts, ImageKind, Visibility

ID, OTHER = "ce48969398f05f33946d560708be108a", "d8424dc4a4a3c413f89e433683f9040b"
UUID = "CE489693-98F0-5F33-946D-560708BE108A"
KEY = base64.b64encode(bytes(range(32))).decode()
SIGNATURE = base64.b64encode(bytes(64)).decode()
HEADER = ImageHeader(
    format=ImageFormat.GBS, purpose=ImagePurpose.REGION, vendor="8086", interface_ids=(ID,), function_ids=(ID, OTHER)
)


@pytest.mark.parametrize(
    ("read", "given", "found"),
    [
        (registry.read_digest, "sha256:" + "AB" * 32, "ab" * 32),
        (registry.read_digest, "ab" * 32, "ab" * 32),
        (registry.read_public_key, f" {KEY}\n", KEY),
        (registry.read_signature, f"{SIGNATURE}\n", SIGNATURE),
        (registry.check_name, "blur-2.0_a+b", "blur-2.0_a+b"),
        (registry.check_version, "", ""),
        (registry.check_version, "1.0", "1.0"),
    ],
)
def test_what_is_right_is_read(read: Callable[[str], str], given: str, found: str) -> None:
    assert read(given) == found


@pytest.mark.parametrize(
    ("read", "given"),
    [
        (registry.read_digest, "ab" * 31),
        (registry.read_digest, "sha512:" + "ab" * 32),
        (registry.read_digest, "ab" * 32 + "\n"),
        (registry.read_public_key, KEY[:-4]),
        (registry.read_public_key, "ssh-ed25519 AAAA"),
        (registry.read_public_key, f"-----BEGIN PUBLIC KEY-----\n{KEY}\n-----END PUBLIC KEY-----"),
        (registry.read_public_key, "-----BEGIN PUBLIC KEY-----"),
        (registry.read_signature, KEY),
        (registry.read_signature, "é" * 88),
        (registry.check_name, ""),
        (registry.check_name, "a b"),
        (registry.check_name, "-a"),
        (registry.check_name, "a\n"),
        (registry.check_name, "a" * 256),
        (registry.check_version, "1/2"),
    ],
)
def test_what_is_wrong_is_refused(read: Callable[[str], str], given: str) -> None:
    with pytest.raises(InvalidValue):
        read(given)


def test_ids_are_compared_without_dashes_and_in_lower_case() -> None:
    assert registry.read_ids([UUID, ID, OTHER], field="region_ids") == (ID, OTHER)
    for wrong in (["nosuch"], ["0" * 32], [ID] * 101):
        with pytest.raises(InvalidValue, match=r"^region_ids"):
            registry.read_ids(wrong, field="region_ids")


def test_what_is_shared_is_shared_with_somebody_and_nothing_else_is() -> None:
    assert registry.check_projects(Visibility.SHARED, ["b", "a", "b"]) == ("a", "b")
    assert registry.check_projects(Visibility.PUBLIC, []) == ()
    for visibility, projects in (
        (Visibility.SHARED, []),
        (Visibility.PUBLIC, ["a"]),
        (Visibility.SHARED, map(str, range(101))),
    ):
        with pytest.raises(InvalidValue, match=r"^projects"):
            registry.check_projects(visibility, projects)


def test_what_was_not_announced_is_taken_from_the_header() -> None:
    found = registry.agreed(Facts(function_ids=(OTHER,), platform="ours"), HEADER)
    assert found == Facts(
        kind=ImageKind.GBS,
        vendor="8086",
        platform="ours",
        purpose=ImagePurpose.REGION,
        region_ids=(ID,),
        function_ids=(ID, OTHER),
    )


@pytest.mark.parametrize(
    "announced",
    [
        Facts(kind=ImageKind.XCLBIN),
        Facts(vendor="10ee"),
        Facts(region_ids=(OTHER,)),
        Facts(function_ids=(ID, "1" * 32)),
    ],
)
def test_what_the_header_contradicts_is_refused(announced: Facts) -> None:
    with pytest.raises(InvalidValue, match="what the header of the image says"):
        registry.agreed(announced, HEADER)


def test_of_a_file_without_a_header_is_known_what_was_announced() -> None:
    announced = Facts(kind=ImageKind.RAW, vendor="19e5", region_ids=(ID,))
    assert registry.agreed(announced, ImageHeader(format=ImageFormat.UNKNOWN)) == announced
    with pytest.raises(InvalidValue, match=r"^kind"):
        registry.agreed(Facts(kind=ImageKind.GBS), ImageHeader(format=ImageFormat.UNKNOWN))
