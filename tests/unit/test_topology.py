"""The words between two devices, and the matrix of a node."""

import dataclasses

import pytest

from accel.model.address import PciAddress
from accel.model.device import Device, DeviceType, Link, LinkKind
from accel.model.topology import LEGEND, matrix, relation


def _device(
    identity: str,
    *,
    path: str = "",
    numa: int | None = None,
    address: str | None = None,
    links: tuple[Link, ...] = (),
) -> Device:
    return Device(
        identity=identity,
        type=DeviceType.GPU,
        vendor="10de",
        product="20b0",
        model="A100",
        address=None if address is None else PciAddress.parse(address),
        numa_node=numa,
        pci_path=tuple(path.split()),
        links=links,
    )


def _nvlink(peer: str, width: int) -> Link:
    return Link(peer=peer, kind=LinkKind.NVLINK, width=width)


def _xgmi(peer: str, width: int) -> Link:
    return Link(peer=peer, kind=LinkKind.XGMI, width=width)


_SWITCH = "pci0000:20 0000:20:00.0 0000:21:00.0"

RELATIONS = {
    "a device to itself": ("X", _device("a"), _device("a")),
    "two ports of one switch": ("PIX", _device("a", path=f"{_SWITCH} p1"), _device("b", path=f"{_SWITCH} p2")),
    "functions below one port": ("PIX", _device("a", path=f"{_SWITCH} p1"), _device("b", path=f"{_SWITCH} p1")),
    "functions of one slot on a root bus": (
        "PIX",
        _device("a", path="pci0000:00", address="00:02.0"),
        _device("b", path="pci0000:00", address="00:02.1"),
    ),
    "functions of one slot, no path known": ("PIX", _device("a", address="3b:00.0"), _device("b", address="3b:00.1")),
    "a switch below a switch": ("PXB", _device("a", path=f"{_SWITCH} p1"), _device("b", path=f"{_SWITCH} p2 up2 p3")),
    "two switches below a switch": (
        "PXB",
        _device("a", path=f"{_SWITCH} p1 up1 p3"),
        _device("b", path=f"{_SWITCH} p2 up2 p4"),
    ),
    "two root ports of one host bridge": (
        "PHB",
        _device("a", path="pci0000:20 0000:20:00.0"),
        _device("b", path="pci0000:20 0000:20:01.0"),
    ),
    "two slots of a root bus": (
        "PHB",
        _device("a", path="pci0000:00", address="00:02.0"),
        _device("b", path="pci0000:00", address="00:03.0"),
    ),
    "one host bridge, though the firmware names two NUMA nodes": (
        "PHB",
        _device("a", path="pci0000:20 0000:20:00.0", numa=0),
        _device("b", path="pci0000:20 0000:20:01.0", numa=1),
    ),
    "two root ports of a volume management domain": (
        "PHB",
        _device("a", path="pci0000:80 0000:80:05.5 pci10001:80 10001:80:02.0"),
        _device("b", path="pci0000:80 0000:80:05.5 pci10001:80 10001:80:03.0"),
    ),
    "two host bridges of one NUMA node": (
        "NODE",
        _device("a", path="pci0000:20 0000:20:00.0", numa=0),
        _device("b", path="pci0000:40 0000:40:00.0", numa=0),
    ),
    "one NUMA node, no path known": ("NODE", _device("a", numa=1), _device("b", numa=1)),
    "two NUMA nodes": (
        "SYS",
        _device("a", path="pci0000:20 0000:20:00.0", numa=0),
        _device("b", path="pci0000:80 0000:80:00.0", numa=1),
    ),
    "two NUMA nodes, no path known": ("SYS", _device("a", numa=0), _device("b", numa=1)),
    "two host bridges, NUMA not known": (
        "?",
        _device("a", path="pci0000:20 0000:20:00.0"),
        _device("b", path="pci0000:80 0000:80:00.0", numa=1),
    ),
    "nothing known": ("?", _device("a"), _device("b")),
    "bus numbers repeat across domains": (
        "?",
        _device("a", address="0000:3b:00.0"),
        _device("b", address="0001:3b:00.0"),
    ),
    "NVLink goes before PCI": (
        "NV12",
        _device("a", path=f"{_SWITCH} p1", links=(_nvlink("b", 12),)),
        _device("b", path=f"{_SWITCH} p2", links=(_nvlink("a", 12),)),
    ),
    "NVLink that one end does not tell": ("NV4", _device("a"), _device("b", links=(_nvlink("a", 4),))),
    "NVLink to somebody else": ("?", _device("a", links=(_nvlink("c", 4),)), _device("b")),
    "links reported one by one": ("NV2", _device("a", links=(_nvlink("b", 1), _nvlink("b", 1))), _device("b")),
    "XGMI": ("XG1", _device("a", links=(_xgmi("b", 1),)), _device("b", links=(_xgmi("a", 1),))),
}


@pytest.mark.parametrize(("word", "a", "b"), RELATIONS.values(), ids=RELATIONS.keys())
def test_relation_is_the_nearest_connection_and_the_same_from_both_ends(word: str, a: Device, b: Device) -> None:
    assert relation(a, b) == word
    assert relation(b, a) == word


def test_every_word_is_in_the_legend() -> None:
    words = {word.rstrip("0123456789") for word, _, _ in RELATIONS.values()}

    assert {word.removesuffix("#") for word in LEGEND} == words


def test_matrix_of_64_linked_devices_has_a_word_for_each_pair() -> None:
    names = [f"gpu{number}" for number in range(64)]
    cards = [_device(name, links=tuple(_nvlink(peer, 18) for peer in names if peer != name)) for name in names]

    table = matrix(cards)

    assert all(row[i] == "X" and set(row[:i] + row[i + 1 :]) == {"NV18"} for i, row in enumerate(table))


def test_matrix_of_no_devices_is_empty() -> None:
    assert matrix(()) == ()


def test_a_lost_device_is_as_near_as_what_is_known_of_it_says() -> None:
    here = _device("a", path=f"{_SWITCH} p1", numa=0)
    lost = dataclasses.replace(here, identity="b", pci_path=(), numa_node=None)

    assert relation(here, lost) == "?"
