"""Which PCI functions are one board, and what of it can be programmed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from accel.drivers.base import Host
from accel.drivers.intel_fpga.management import Engine, Management, Port, managed
from accel.drivers.pci_card import is_of
from accel.drivers.sysfs import PciFunction, pci_functions
from accel.model.address import PciAddress
from accel.model.device import DeviceType

_VENDOR = "8086"

_WORDS: Mapping[str, str] = {
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
_OFS_WORDS: Mapping[str, str] = {"1770": "N6000", "1771": "N6000", "17d4": "C6100"}
"""Boards of the Open FPGA Stack, which share a device id, by the id of the board."""

_VIRTUAL_PRODUCTS = frozenset({"09c5", "0b2c", "0b31", "bcc1", "bccf"})
"""Virtual functions, also where a guest cannot see that they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A part of a board that is programmed by itself."""

    number: int
    interface_id: str
    """What an image must have been built for to fit, in 32 hex digits of lower case."""
    port: Port | None
    """The way to it, which has its number; None where that is not to be seen."""

    def name(self, whole: str) -> str:
        """The name of its deployable.

        :param whole: that of the card's
        """
        return f"{whole}_region{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
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
        return _OFS_WORDS.get(self.function.subsystem_product, "") if is_ofs else ""

    @property
    def words(self) -> str:
        """What the board is called in traits; empty for one that we do not know."""
        return f"{_WORDS.get(self.function.product, '')} {self.ofs_name}".strip()

    @property
    def afu_ids(self) -> tuple[str, ...]:
        """The functions that are loaded, each once."""
        return tuple(dict.fromkeys(port.afu_id for port in self.ports if port.afu_id))

    @property
    def regions(self) -> tuple[Region, ...]:
        """What of it can be programmed by itself. A region and the port to it have the same number."""
        ports = {port.number: port for port in self.ports}
        interfaces = self.engine.interface_ids if self.engine else ()
        return tuple(
            Region(number=number, interface_id=interface, port=ports.get(number))
            for number, interface in enumerate(interfaces)
        )


def boards(host: Host) -> Iterator[Board]:
    """The cards. A virtual function whose physical function is not to be seen, as in a guest, is one."""
    is_fpga = is_of(DeviceType.FPGA, {_VENDOR})
    functions = [one for one in pci_functions(host) if is_fpga(one)]
    if not functions:
        return
    known = managed(host)
    present = {one.address for one in functions}
    own = [one for one in functions if one.physical_function not in present]
    for virtual in filter(is_virtual, own):
        yield _board([virtual], known)
    for _, slot in groupby((one for one in own if not is_virtual(one)), key=lambda one: one.address.slot):
        yield from _boards_of_slot(list(slot), known)


def is_virtual(function: PciFunction) -> bool:
    """Whether it is a virtual function, also where a guest cannot see of what."""
    return function.product in _VIRTUAL_PRODUCTS or function.physical_function is not None


def _boards_of_slot(slot: Sequence[PciFunction], known: Mapping[PciAddress, Management]) -> Iterator[Board]:
    """The boards in a slot: one for each engine, the first with all functions that have none."""
    heads = [one for one in slot if (there := known.get(one.address)) and there.engine] or slot[:1]
    others = [one for one in slot if one not in heads]
    yield _board([heads[0], *others], known)
    yield from (_board([head], known) for head in heads[1:])


def _board(functions: Sequence[PciFunction], known: Mapping[PciAddress, Management]) -> Board:
    """The board of some functions, of which the first is the one that it goes by."""
    addresses = [address for one in functions for address in (one.address, *one.virtual_functions)]
    there = known.get(functions[0].address)
    return Board(
        function=functions[0],
        engine=there.engine if there else None,
        ports=[port for address in addresses if address in known for port in known[address].ports],
        others=functions[1:],
    )
