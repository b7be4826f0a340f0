"""The ``intel_fpga`` driver: every Intel FPGA card of a host as a device, once.

A card may have several physical functions. What makes it a board is the management engine behind one of them; the
others are the board's too, and so are the virtual functions of all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.intel_fpga.management import Engine, Management, Port, managed
from accel.drivers.pci_board import FIT, Condition
from accel.drivers.pci_card import NODES, UNREAD, Knowledge, card, card_name, is_of
from accel.drivers.pci_kinds import Kind, kind_of
from accel.drivers.pci_names import pci_names
from accel.drivers.sysfs import PciFunction, pci_functions
from accel.model.address import PciAddress
from accel.model.attribute import custom_trait, traits
from accel.model.device import (
    FUNCTIONS,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    Health,
)

_VENDOR = "8086"
_FPGA = Kind(DeviceType.FPGA)

_BOARDS: Mapping[str, str] = {
    "09c4": "PAC Arria10",
    "09c5": "PAC Arria10",
    "0b2b": "PAC D5005",
    "0b2c": "PAC D5005",
    "0b30": "PAC N3000",
    "0b31": "PAC N3000",
    "bcc0": "Integrated",
    "bcc1": "Integrated",
    "bcce": "OFS",
    "bccf": "OFS",
}
"""The words for a board in its trait, by PCI device id."""

_OFS_PRODUCTS = frozenset({"bcce", "bccf"})
_OFS_BOARDS: Mapping[str, str] = {"1770": "N6000", "1771": "N6000", "17d4": "C6100"}
"""Boards of the Open FPGA Stack, which share a device id, by the id of the board."""

_VIRTUAL_PRODUCTS = frozenset({"09c5", "0b2c", "0b31", "bcc1", "bccf"})
"""Virtual functions, also where a guest cannot see that they are."""

_UNMANAGED = "its regions and what is loaded: bind the kernel's FPGA driver to it (dfl-pci)"


class IntelFpgaDriver:
    """Reports the Intel FPGA cards of a host."""

    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        del options  # there are none
        self._host = host

    def discover(self) -> tuple[Device, ...]:
        """The cards, by address."""
        boards = sorted(_boards(self._host), key=lambda board: board.function.address)
        names = pci_names(self._host, [board.function.ids for board in boards])
        return tuple(_device(self._host, board, names.get(board.function.ids, "")) for board in boards)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Board:
    """One card."""

    function: PciFunction
    """The one with the management engine; the first of a card without one."""
    engine: Engine | None
    ports: Sequence[Port]
    """Those of its functions; with virtual functions, these have them."""
    others: Sequence[PciFunction]
    """Its other physical functions."""

    @property
    def virtual_functions(self) -> tuple[PciAddress, ...]:
        """Those of all its physical functions."""
        return tuple(virtual for one in (self.function, *self.others) for virtual in one.virtual_functions)

    @property
    def ofs_name(self) -> str:
        """Which board of the Open FPGA Stack it is; empty for another board, and for one that we do not know."""
        is_ofs = self.function.product in _OFS_PRODUCTS
        return _OFS_BOARDS.get(self.function.subsystem_product, "") if is_ofs else ""

    @property
    def words(self) -> str:
        """What the board is called in traits; empty for one that we do not know."""
        return f"{_BOARDS.get(self.function.product, '')} {self.ofs_name}".strip()

    @property
    def afu_ids(self) -> tuple[str, ...]:
        """The functions that are loaded, each once."""
        return tuple(dict.fromkeys(port.afu_id for port in self.ports if port.afu_id))


def _boards(host: Host) -> Iterator[_Board]:
    """The cards. A virtual function whose physical function is not to be seen, as in a guest, is one."""
    is_fpga = is_of(DeviceType.FPGA, {_VENDOR})
    functions = [one for one in pci_functions(host) if is_fpga(one)]
    if not functions:
        return
    known = managed(host)
    present = {one.address for one in functions}
    own = [one for one in functions if one.physical_function not in present]
    for virtual in filter(_is_virtual, own):
        yield _board([virtual], known)
    for _, slot in groupby((one for one in own if not _is_virtual(one)), key=lambda one: one.address.slot):
        yield from _boards_of_slot(list(slot), known)


def _is_virtual(function: PciFunction) -> bool:
    return function.product in _VIRTUAL_PRODUCTS or function.physical_function is not None


def _boards_of_slot(slot: Sequence[PciFunction], known: Mapping[PciAddress, Management]) -> Iterator[_Board]:
    """The boards in a slot: one for each engine, the first with all functions that have none."""
    heads = [one for one in slot if (there := known.get(one.address)) and there.engine] or slot[:1]
    others = [one for one in slot if one not in heads]
    yield _board([heads[0], *others], known)
    yield from (_board([head], known) for head in heads[1:])


def _board(functions: Sequence[PciFunction], known: Mapping[PciAddress, Management]) -> _Board:
    """The board of some functions, of which the first is the one that it goes by."""
    addresses = [address for one in functions for address in (one.address, *one.virtual_functions)]
    there = known.get(functions[0].address)
    return _Board(
        function=functions[0],
        engine=there.engine if there else None,
        ports=[port for address in addresses if address in known for port in known[address].ports],
        others=functions[1:],
    )


def _device(host: Host, board: _Board, name: str) -> Device:
    return card(
        host,
        board.function,
        kind=kind_of(board.function) or _FPGA,
        known=Knowledge(
            model=f"Open FPGA Stack board {board.ofs_name}" if board.ofs_name else "",
            facts=_facts(board),
            traits=tuple(_traits(board)),
            parts=tuple(_regions(card_name(host, board.function), board)),
            condition=_condition(board),
        ),
        name=name,
        virtual_functions=board.virtual_functions,
    )


def _facts(board: _Board) -> dict[str, str]:
    functions = [str(one.address) for one in (board.function, *board.others)]
    nodes = [*([board.engine.name] if board.engine else []), *(port.name for port in board.ports)]
    return {
        **(board.engine.facts if board.engine else {}),
        FUNCTIONS: ", ".join(functions) if len(functions) > 1 else "",
        UNREAD: "" if board.engine or board.ports or _is_virtual(board.function) else _UNMANAGED,
        NODES: ", ".join(f"/dev/{name}" for name in nodes),
    }


def _traits(board: _Board) -> Iterator[str]:
    if board.words:
        yield custom_trait("FPGA INTEL", board.words)
    yield from (_function_trait(afu) for afu in board.afu_ids)
    yield from (_region_trait(interface) for interface in (board.engine.interface_ids if board.engine else ()))


def _function_trait(afu_id: str) -> str:
    return custom_trait("FPGA FUNCTION ID INTEL", afu_id)


def _region_trait(interface_id: str) -> str:
    return custom_trait("FPGA REGION INTEL", interface_id)


def _regions(whole: str, board: _Board) -> Iterator[Deployable]:
    """What of the card can be programmed by itself. A region and the port to it have the same number."""
    ports = {port.number: port for port in board.ports}
    for number, interface in enumerate(board.engine.interface_ids if board.engine else ()):
        port = ports.get(number)
        afu_id = port.afu_id if port else ""
        facts = {"interface_id": interface, "afu_id": afu_id, "device_node": f"/dev/{port.name}" if port else ""}
        yield Deployable(
            name=f"{whole}_region{number}",
            kind=DeployableKind.REGION,
            parent=whole,
            num_accelerators=0,
            attributes=(
                *traits([_region_trait(interface), *([_function_trait(afu_id)] if afu_id else [])]),
                *(Attribute(key=key, value=value) for key, value in facts.items() if value),
            ),
        )


def _condition(board: _Board) -> Condition:
    if board.engine and board.engine.fatal_errors:
        reason = f"its management engine tells of fatal errors: catfatal_errors is {board.engine.fatal_errors:#x}"
        return Condition(health=Health.UNHEALTHY, reason=reason)
    return FIT
