"""The ``xilinx_fpga`` driver: every Alveo card of a host as a device, once.

A card has a function that manages it and one that uses it, in one slot. A workload is given both: the one to load
images of its own with, the other to work with.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.pci_board import FIT, Condition
from accel.drivers.pci_card import NODES, UNREAD, Knowledge, card, card_name, device_nodes
from accel.drivers.pci_kinds import Kind, kind_of
from accel.drivers.pci_names import pci_names
from accel.drivers.xilinx_fpga.boards import Board, boards
from accel.drivers.xilinx_fpga.examination import examine
from accel.drivers.xilinx_fpga.programming import OPTIONS, Programmer
from accel.model.attribute import custom_trait, traits
from accel.model.device import (
    FUNCTIONS,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    Health,
    pci_handle,
)
from accel.model.health import Signal

_FPGA = Kind(DeviceType.FPGA)
_UNDRIVEN = "its shell and what is loaded: bind the drivers of Xilinx' runtime to its functions (xclmgmt, xocl)"
_NOTHING = "none"
"""What is told of a region that nothing is loaded in."""
_MANAGEMENT_SUFFIX = " management function"


class XilinxFpgaDriver(PciActs):
    """Reports the Alveo cards of a host, loads images into them and flashes them."""

    options: ClassVar[Sequence[cfg.Opt]] = OPTIONS

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._programmer = Programmer(host, options)

    def discover(self) -> tuple[Device, ...]:
        """The cards, by address."""
        found = list(boards(self._host))
        serials = Counter(map(_serial, found))
        names = pci_names(self._host, [board.first.function.ids for board in found])
        return tuple(
            _device(
                self._host,
                board,
                name=names.get(board.first.function.ids, ""),
                serial=_serial(board) if serials[_serial(board)] == 1 else "",
            )
            for board in found
        )

    def examine(self, device: Device) -> Iterator[Signal]:
        """What the card's firewall and the sensors of its functions tell."""
        now = datetime.now(UTC)
        for board in boards(self._host):
            if board.first.function.address == device.address:
                yield from examine(board, now)

    def program(self, device: Device, deployable: Deployable, image: Path, progress: Progress) -> None:
        """Load an image into the user's region, or flash a shell into the card, after checking that it fits."""
        self._programmer.program(device, deployable, image, progress)

    def blank(self, device: Device, deployable: Deployable, progress: Progress) -> None:
        """Take out what is loaded in the user's region, by resetting it."""
        self._programmer.blank(device, deployable, progress)


def _serial(board: Board) -> str:
    return board.said(lambda one: one.serial)


def _device(host: Host, board: Board, *, name: str, serial: str) -> Device:
    function = board.first.function
    known = Knowledge(
        model=_model(board),
        serial=serial,
        facts=_facts(board),
        traits=tuple(_traits(board)),
        parts=tuple(_regions(card_name(host, function), board)),
        handles=tuple(pci_handle(one.function.address) for one in board.functions),
        condition=_condition(board),
        is_cut=board.is_golden,
    )
    kind = kind_of(function) or _FPGA
    return card(host, function, kind=kind, known=known, name=name, virtual_functions=())


def _model(board: Board) -> str:
    named = (kind_of((board.user or board.first).function), kind_of(board.first.function))
    model = next((kind.model for kind in named if kind and kind.model), "")
    return model.removesuffix(_MANAGEMENT_SUFFIX)


def _facts(board: Board) -> dict[str, str]:
    functions = [str(one.function.address) for one in board.functions]
    nodes = (device_nodes(one.function, "xrt_mgmt", "drm") for one in board.functions)
    return {
        FUNCTIONS: ", ".join(functions) if len(functions) > 1 else "",
        NODES: ", ".join(filter(None, nodes)),
        UNREAD: "" if all(one.role for one in board.functions) else _UNDRIVEN,
        "vbnv": board.shell,
        "timestamp": board.shell_time,
        "fpga": board.said(lambda one: one.chip),
        "logic_uuid": board.said(lambda one: ", ".join(one.logic_ids)),
        "interface_uuid": ", ".join(board.interface_ids),
        "xclbin_uuid": board.image_id,
    }


def _traits(board: Board) -> Iterator[str]:
    if shell := board.shell:
        yield custom_trait("FPGA SHELL", shell)
    yield from _region_traits(board)


def _region_traits(board: Board) -> Iterator[str]:
    if image := board.image_id:
        yield custom_trait("FPGA FUNCTION ID XILINX", image)
    yield from (custom_trait("FPGA REGION XILINX", interface) for interface in board.interface_ids)


def _regions(whole: str, board: Board) -> Iterator[Deployable]:
    """The one region that users load images into."""
    if board.user is None:
        return
    facts = {
        "interface_id": ", ".join(board.interface_ids),
        "image_id": board.image_id or (_NOTHING if board.user.says_what_is_loaded else ""),
        "device_node": device_nodes(board.user.function, "drm").rpartition(", ")[2],
    }
    yield Deployable(
        name=f"{whole}_region0",
        kind=DeployableKind.REGION,
        parent=whole,
        num_accelerators=0,
        attributes=(
            *traits(_region_traits(board)),
            *(Attribute(key=key, value=value) for key, value in facts.items() if value),
        ),
    )


def _condition(board: Board) -> Condition:
    if board.is_golden:
        return _unfit("it runs the image of the factory: flash a shell into it, with xbmgmt program --base")
    if len(board.functions) == 1 and board.management:
        return _unfit("its user function is not on the bus: reset it, or flash a shell into it")
    unready = [one.role for one in board.functions if one.is_ready is False]
    return _unfit(f"it is not ready, says the function of {unready[0]}") if unready else FIT


def _unfit(reason: str) -> Condition:
    return Condition(health=Health.UNHEALTHY, reason=reason)
