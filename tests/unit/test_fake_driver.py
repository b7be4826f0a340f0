"""The fake device is the reference's, value by value."""

from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.fake import FakeDriver
from accel.model.device import DeployableKind, Device, DeviceType, HandleType
from accel.testing.driver_contract import options


def fake_device(name: str = "node-1") -> Device:
    (device,) = FakeDriver(Host(name=name, root=Path("/nowhere")), options(FakeDriver)).discover()
    return device


def test_the_board_is_the_references() -> None:
    device = fake_device()
    assert (device.vendor, device.type, device.model) == ("0xABCD", DeviceType.FPGA, "miss model info")
    assert str(device.address) == "0000:0c:00.0"
    assert list(device.std_board_info.items()) == [("device_id", "0xabcd"), ("class", "Fake class")]
    assert device.vendor_board_info == "fake_vendor_info"


def test_the_trait_comes_before_the_resource_class() -> None:
    (card,) = fake_device().deployables
    pairs = [(attribute.key, attribute.value) for attribute in card.attributes]
    assert pairs == [("traits1", "CUSTOM_FAKE_DEVICE"), ("rc", "FPGA")]


def test_sixteen_handles_have_decimal_numbers_without_padding() -> None:
    (card,) = fake_device().deployables
    assert (card.kind, card.num_accelerators) == (DeployableKind.CARD, 16)
    assert {handle.type for handle in card.handles} == {HandleType.TEST_PCI}
    assert [(handle.info["device"], handle.info["function"]) for handle in card.handles] == [
        *[("0", str(function)) for function in range(1, 8)],
        *[("1", str(function)) for function in range(8)],
        ("2", "0"),
    ]
    assert {(handle.info["domain"], handle.info["bus"]) for handle in card.handles} == {("0000", "0c")}


def test_characters_that_are_unsafe_in_a_name_become_underscores() -> None:
    assert fake_device("node-1.example").deployables[0].name == "node-1.example_FakeDevice"
    assert fake_device("a b/c:d").deployables[0].name == "a_b_c_d_FakeDevice"
