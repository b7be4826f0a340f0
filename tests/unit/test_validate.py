"""A right answer of a driver has no problem; each broken rule is one, told with how to mend it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from accel.model.address import PciAddress
from accel.model.attribute import resource_class
from accel.model.device import (
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Health,
    Link,
    LinkKind,
    Presence,
    pci_handle,
)
from accel.model.validate import problems

_ADDRESS = PciAddress.parse("0000:3b:00.0")
_CARD = Deployable(
    name="node-1_0000:3b:00.0",
    kind=DeployableKind.CARD,
    num_accelerators=1,
    attributes=(resource_class("PGPU"), Attribute(key="memory_bytes", value="85899345920")),
    handles=(pci_handle(_ADDRESS),),
)
_DEVICE = Device(
    identity="GPU-1",
    type=DeviceType.GPU,
    vendor="10de",
    product="2330",
    model="NVIDIA H100",
    address=_ADDRESS,
    deployables=(_CARD,),
)


def _part(name: str, parent: str | None, **more: Any) -> Deployable:
    values = {"kind": DeployableKind.MIG, "num_accelerators": 0, **more}
    return Deployable(name=f"node-1_{name}", parent=parent and f"node-1_{parent}", **values)


def _with_card(**changes: Any) -> Device:
    return replace(_DEVICE, deployables=(replace(_CARD, **changes),))


def _with_attribute(key: str, value: str) -> Device:
    return _with_card(attributes=(*_CARD.attributes, Attribute(key=key, value=value)))


def _with_handle(kind: HandleType, **info: str) -> Device:
    return _with_card(handles=(AttachHandle(type=kind, info=info),))


def _with_parts(*parts: Deployable) -> Device:
    return replace(_DEVICE, deployables=parts)


def _with_link(peer: str, width: int) -> Device:
    return replace(_DEVICE, links=(Link(peer=peer, kind=LinkKind.NVLINK, width=width),))


def _link_without_width() -> Device:
    return _with_link("GPU-2", None)  # type: ignore[arg-type]  # the mistake under test


_OTHER = replace(
    _DEVICE,
    identity="GPU-2",
    address=PciAddress.parse("0000:5e:00.0"),
    deployables=(replace(_CARD, name="node-1_other", handles=(pci_handle(PciAddress.parse("0000:5e:00.0")),)),),
)

MISTAKES: dict[str, tuple[Any, str]] = {
    "nothing": (None, "discover() gave None: give an iterable of"),
    "a text": ("GPU-1", "discover() gave 'GPU-1': give an iterable of"),
    "a mapping": ({"GPU-1": _DEVICE}, "discover() gave {'GPU-1': Device("),
    "a number": (8, "discover() gave 8: give an iterable of"),
    "something that is no device": (
        [_DEVICE, {"identity": "x"}],
        "devices[1] is {'identity': 'x'}: give accel.model.device",
    ),
    "the class for a value": ([Device], "devices[0] is <class 'accel.model.device.Device'>: give"),
    "an address that is a text": (
        [replace(_DEVICE, address="0000:3b:00.0")],  # type: ignore[arg-type]  # the mistake under test
        "devices[0].address is '0000:3b:00.0': give PciAddress",
    ),
    "a type that is a text": (
        [replace(_DEVICE, type="GPU")],  # type: ignore[arg-type]  # the mistake under test
        "devices[0].type is 'GPU': give DeviceType",
    ),
    "a NUMA node that is a text": (
        [replace(_DEVICE, numa_node="0")],  # type: ignore[arg-type]  # the mistake under test
        "devices[0].numa_node is '0': give int",
    ),
    "a truth value for a number": ([_with_card(num_accelerators=True)], "num_accelerators is True: give int"),
    "a list for a tuple": (
        [replace(_DEVICE, deployables=[_CARD])],  # type: ignore[arg-type]  # the mistake under test
        "devices[0].deployables is [Deployable(",
    ),
    "a figure that is a number": (
        [_with_attribute("memory_bytes", 80)],  # type: ignore[arg-type]  # the mistake under test
        "devices[0].deployables[0].attributes[2].value is 80: give str",
    ),
    "a handle with numbers": (
        [_with_handle(HandleType.PCI, bus=3)],  # type: ignore[arg-type]  # the mistake under test
        "devices[0].deployables[0].handles[0].info is {'bus': 3}: give a mapping of str to str",
    ),
    "board facts that are a text": (
        [replace(_DEVICE, std_board_info="x")],  # type: ignore[arg-type]  # the mistake under test
        "devices[0].std_board_info is 'x': give a mapping of str to str",
    ),
    "a link without width": ([_link_without_width()], "devices[0].links[0].width is None: give int"),
    "no identity": ([replace(_DEVICE, identity="")], "identity is empty"),
    "no model": ([replace(_DEVICE, model="")], "model is empty"),
    "a vendor that does not fit": ([replace(_DEVICE, vendor="v" * 256)], "vendor has 256 characters: give at most 255"),
    "unhealthy without a reason": (
        [replace(_DEVICE, health=Health.UNHEALTHY)],
        "device 'GPU-1': reason is empty though it is present and unhealthy: say why",
    ),
    "lost without a reason": (
        [replace(_DEVICE, presence=Presence.LOST)],
        "reason is empty though it is lost and healthy",
    ),
    "healthy with a reason": ([replace(_DEVICE, reason="hot")], "reason is 'hot' though it is present and healthy"),
    "a NUMA node of -1": ([replace(_DEVICE, numa_node=-1)], "numa_node is -1: give None where the host does not say"),
    "an empty bridge": ([replace(_DEVICE, pci_path=("",))], "pci_path has an empty part"),
    "a link to itself": ([_with_link("GPU-1", 4)], "links: it is linked to itself"),
    "a link of no width": ([_with_link("GPU-2", 0)], "the link to GPU-2 has width 0: leave a link that is down out"),
    "two cards": ([_with_parts(_part("a", None), _part("b", None))], "2 of its deployables have no parent"),
    "a parent that is not there": (
        [_with_parts(_part("a", None), _part("b", "c"))],
        "deployable 'node-1_b': its parent 'node-1_c' is none of the device's deployables",
    ),
    "parents in a circle": (
        [_with_parts(_part("a", None), _part("b", "c"), _part("c", "b"))],
        "deployable 'node-1_b': its parents go in a circle",
    ),
    "a name of another node": (
        [_with_card(name="node-2_x")],
        "deployable 'node-2_x': its name does not start with the node's: name it f'{host.name}_…', here node-1_…",
    ),
    "a name that does not fit": ([_with_card(name="node-1" + "x" * 250)], "its name has 256 characters: give 1 to 255"),
    "more accelerators than handles": ([_with_card(num_accelerators=2)], "num_accelerators is 2 with 1 handles"),
    "handles that do not come out even": (
        [_with_card(num_accelerators=2, handles=tuple(pci_handle(replace(_ADDRESS, function=n)) for n in range(3)))],
        "num_accelerators is 2 with 3 handles",
    ),
    "fewer than none": ([_with_card(num_accelerators=-1, handles=())], "num_accelerators is -1 with 0 handles"),
    "an attribute twice": ([_with_attribute("rc", "FPGA")], "attribute 'rc' is there 2 times: give each key once"),
    "no resource class": (
        [_with_card(attributes=())],
        "it has no resource class: add accel.model.attribute.resource_class",
    ),
    "an unknown resource class": (
        [_with_card(attributes=(resource_class("GPU"),))],
        "attribute 'rc': 'GPU' is no resource class: give FPGA, PCI_DEVICE, PGPU, SRIOV_NET_VF, VGPU or CUSTOM_",
    ),
    "a resource class in lower case": (
        [_with_card(attributes=(resource_class("CUSTOM_x"),))],
        "'CUSTOM_x' is no resource",
    ),
    "a trait in lower case": ([_with_attribute("traits1", "Custom-X")], "attribute 'traits1': 'Custom-X' is no trait"),
    "a size with a unit": (
        [_with_attribute("memory_bytes2_bytes", "80GiB")],
        "'80GiB' is no figure: give a decimal integer",
    ),
    "a negative size": ([_with_attribute("x_bytes", "-1")], "attribute 'x_bytes': '-1' is no figure"),
    "an attribute without a key": ([_with_attribute("", "x")], "attribute '': 'x' does not fit"),
    "a handle that says nothing": ([_with_handle(HandleType.MIG)], "a MIG handle has no info: say what is handed"),
    "a PCI handle without a function": (
        [_with_handle(HandleType.PCI, domain="0000", bus="3b", device="00")],
        "a PCI handle has the keys ['bus', 'device', 'domain']: Nova reads ['bus', 'device', 'domain', 'function']",
    ),
    "a PCI handle with 0x": (
        [_with_handle(HandleType.PCI, domain="0000", bus="0x3b", device="00", function="0")],
        "a PCI handle has bus '0x3b': give lower-case hex without 0x",
    ),
    "an identity with a space at its end": (
        [replace(_DEVICE, identity="GPU-1 ")],
        "identity begins or ends with a space",
    ),
    "a name with a space at its end": ([_with_card(name="node-1_a ")], "its name begins or ends with a space"),
    "a serial that does not fit": ([replace(_DEVICE, serial="s" * 256)], "serial has 256 characters: give at most 255"),
    "a kernel driver that does not fit": (
        [replace(_DEVICE, kernel_driver="d" * 65)],
        "kernel_driver has 65 characters: give at most 64",
    ),
    "a reason without end": (
        [replace(_DEVICE, health=Health.UNHEALTHY, reason="r" * 16_001)],
        "reason has 16001 characters: give at most 16000",
    ),
    "facts without end": (
        [replace(_DEVICE, vendor_board_info="f" * 16_001)],
        "vendor_board_info has 16001 characters: give at most 16000",
    ),
    "a NUMA node beyond all numbers": ([replace(_DEVICE, numa_node=2**31)], "numa_node is 2147483648: give None"),
    "a link beyond all numbers": ([_with_link("GPU-2", 2**31)], "the link to GPU-2 has width 2147483648"),
    "a text with NUL": ([replace(_DEVICE, model="A\x00")], "devices[0].model is 'A\\x00': leave out NUL"),
    "half of a surrogate pair": ([_with_attribute("x", "\ud800")], "attributes[2].value is '\\ud800': leave out NUL"),
    "a board fact with NUL": (
        [replace(_DEVICE, std_board_info={"a": "\x00"})],
        "devices[0].std_board_info is '\\x00': leave out NUL",
    ),
    "a bridge with NUL": ([replace(_DEVICE, pci_path=("\x00",))], "devices[0].pci_path[0] is '\\x00': leave out NUL"),
    "a handle that does not fit": (
        [_with_handle(HandleType.MIG, uuid="u" * 600)],
        "a MIG handle has an info of 611 characters: give at most 512",
    ),
    "one identity twice": ([_DEVICE, replace(_OTHER, identity="GPU-1")], "identity 'GPU-1' is there 2 times"),
    "one address twice": ([_DEVICE, replace(_OTHER, address=_ADDRESS)], "address '0000:3b:00.0' is there 2 times"),
    "one name twice": (
        [_DEVICE, replace(_OTHER, deployables=(replace(_OTHER.deployables[0], name=_CARD.name),))],
        "deployable name 'node-1_0000:3b:00.0' is there 2 times",
    ),
    "one handle twice": (
        [_DEVICE, replace(_OTHER, deployables=(replace(_CARD, name="node-1_other"),))],
        "handle 'PCI bus=3b, device=00, domain=0000, function=0' is there 2 times: hand one thing out once only",
    ),
}


@pytest.mark.parametrize(("answer", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_broken_rule_is_told(answer: object, told: str) -> None:
    found = problems(answer, node="node-1")

    assert any(told in problem for problem in found), found


_RIGHT: dict[str, Callable[[], object]] = {
    "no devices": tuple,
    "a generator": lambda: (device for device in (_DEVICE, _OTHER)),
    "a device of which little is known": lambda: [
        Device(
            identity="pci:0000:3b:00.0",
            type=DeviceType.PCI,
            vendor="10ee",
            product="5004",
            model="10ee:5004",
            health=Health.UNKNOWN,
            reason="no driver is bound to it",
        )
    ],
    "a card cut into parts": lambda: [
        _with_parts(
            replace(_CARD, num_accelerators=0, handles=()),
            replace(_CARD, name="node-1_part", kind=DeployableKind.MIG, parent=_CARD.name),
        )
    ],
    "a board of which each workload takes both functions": lambda: [
        _with_card(handles=(pci_handle(_ADDRESS), pci_handle(replace(_ADDRESS, function=1))))
    ],
    "a part of a part": lambda: [_with_parts(_part("c", "b"), _part("b", "a"), _part("a", None))],
}


@pytest.mark.parametrize("answer", _RIGHT.values(), ids=_RIGHT)
def test_a_right_answer_has_no_problem(answer: Callable[[], object]) -> None:
    assert problems(answer(), node="node-1") == []
