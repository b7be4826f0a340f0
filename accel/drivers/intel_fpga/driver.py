"""The ``intel_fpga`` driver: every Intel FPGA card of a host as a device, once.

A card may have several physical functions. What makes it a board is the management engine behind one of them; the
others are the board's too, and so are the virtual functions of all.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.intel_fpga.boards import Board, boards, is_virtual
from accel.drivers.intel_fpga.examination import examine
from accel.drivers.intel_fpga.programming import OPTIONS, Programmer
from accel.drivers.pci_card import NODES, UNREAD, Knowledge, card, card_name
from accel.drivers.pci_kinds import Kind, kind_of
from accel.drivers.pci_names import pci_names
from accel.model.attribute import custom_trait, traits
from accel.model.device import (
    FUNCTIONS,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
)
from accel.model.health import Signal

_FPGA = Kind(DeviceType.FPGA)
_UNMANAGED = "its regions and what is loaded: bind the kernel's FPGA driver to it (dfl-pci)"


class IntelFpgaDriver(PciActs):
    """Reports the Intel FPGA cards of a host, and loads images into their regions."""

    options: ClassVar[Sequence[cfg.Opt]] = OPTIONS

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._programmer = Programmer(host, options)

    def discover(self) -> tuple[Device, ...]:
        """The cards, by address."""
        found = sorted(boards(self._host), key=lambda board: board.function.address)
        names = pci_names(self._host, [board.function.ids for board in found])
        return tuple(_device(self._host, board, names.get(board.function.ids, "")) for board in found)

    def examine(self, device: Device) -> Iterator[Signal]:
        """What the management engine and the ports tell of errors, and the sensors of temperatures."""
        now = datetime.now(UTC)
        for board in boards(self._host):
            if board.function.address == device.address:
                yield from examine(board, now)

    def program(self, device: Device, deployable: Deployable, image: Path, progress: Progress) -> None:
        """Load a green bitstream into a region, after checking that it was built for it; verified by the port's id."""
        self._programmer.program(device, deployable, image, progress)

    def blank(self, device: Device, deployable: Deployable, progress: Progress) -> None:
        """Load an image that does nothing, of those that are configured, into a region."""
        self._programmer.blank(device, deployable, progress)


def _device(host: Host, board: Board, name: str) -> Device:
    return card(
        host,
        board.function,
        kind=kind_of(board.function) or _FPGA,
        known=Knowledge(
            model=f"Open FPGA Stack board {board.ofs_name}" if board.ofs_name else "",
            facts=_facts(board),
            traits=tuple(_traits(board)),
            parts=tuple(_regions(card_name(host, board.function), board)),
        ),
        name=name,
        virtual_functions=board.virtual_functions,
    )


def _facts(board: Board) -> dict[str, str]:
    functions = [str(one.address) for one in (board.function, *board.others)]
    nodes = [*([board.engine.name] if board.engine else []), *(port.name for port in board.ports)]
    return {
        **(board.engine.facts if board.engine else {}),
        FUNCTIONS: ", ".join(functions) if len(functions) > 1 else "",
        UNREAD: "" if board.engine or board.ports or is_virtual(board.function) else _UNMANAGED,
        NODES: ", ".join(f"/dev/{name}" for name in nodes),
    }


def _traits(board: Board) -> Iterator[str]:
    if board.words:
        yield custom_trait("FPGA INTEL", board.words)
    yield from (_function_trait(afu) for afu in board.afu_ids)
    yield from (_region_trait(interface) for interface in (board.engine.interface_ids if board.engine else ()))


def _function_trait(afu_id: str) -> str:
    return custom_trait("FPGA FUNCTION ID INTEL", afu_id)


def _region_trait(interface_id: str) -> str:
    return custom_trait("FPGA REGION INTEL", interface_id)


def _regions(whole: str, board: Board) -> Iterator[Deployable]:
    """What of the card can be programmed by itself."""
    for region in board.regions:
        port, interface = region.port, region.interface_id
        afu_id = port.afu_id if port else ""
        facts = {"interface_id": interface, "afu_id": afu_id, "device_node": f"/dev/{port.name}" if port else ""}
        yield Deployable(
            name=region.name(whole),
            kind=DeployableKind.REGION,
            parent=whole,
            num_accelerators=0,
            attributes=(
                *traits([_region_trait(interface), *([_function_trait(afu_id)] if afu_id else [])]),
                *(Attribute(key=key, value=value) for key, value in facts.items() if value),
            ),
        )
