"""Any accelerator on the PCI bus that no driver of its own looks after, and whatever else the operator admits.

A device is a physical function; its virtual functions are parts of it. A virtual function whose physical function
is not to be seen, as in a virtual machine, is a device.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.host_use import HostUse
from accel.drivers.pci import beside
from accel.drivers.pci.whitelist import Entry, EntryText, parse_entries
from accel.drivers.pci_card import Knowledge, card, console_use, memory_figures
from accel.drivers.pci_kinds import UNKNOWN, kind_of
from accel.drivers.pci_names import pci_names
from accel.drivers.sysfs import PciFunction, pci_functions
from accel.model.address import PciAddress
from accel.model.device import Device

_MASS_STORAGE = 0x01
"""The upper byte of the class code of everything that has disks behind it."""


class PciDriver(PciActs):
    """Reports the accelerators that their ids or class tell; with a whitelist, exactly what it admits."""

    options: ClassVar[Sequence[cfg.Opt]] = (
        cfg.MultiOpt(
            "passthrough_whitelist",
            item_type=EntryText(),
            help="Which PCI functions are offered; may be given several times. Each is a JSON object, or a list of "
            "them, with any of vendor_id, product_id (hex digits without 0x), address (a text such as *:0a:00.*, or "
            "an object of regular expressions for domain, bus, slot, function) and devname (a network interface, "
            'instead of address): {"vendor_id": "8086", "product_id": "0b25"}. A physical function that is admitted '
            "is offered with all its virtual functions; if only virtual functions are admitted, those are offered. "
            "Without any entry, what is known as an accelerator by its ids or class is offered, except for the display "
            "of the console and for functions that manage a board. Controllers of disks that are in use are never "
            "offered.",
        ),
    )

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._whitelist = [entry for text in options.passthrough_whitelist or () for entry in parse_entries(text)]

    def discover(self) -> tuple[Device, ...]:
        """The accelerators, by address."""
        candidates = list(_candidates(self._host, pci_functions(self._host), self._whitelist))
        names = pci_names(self._host, [candidate.function.ids for candidate in candidates])
        return tuple(candidate.device(names.get(candidate.function.ids, "")) for candidate in candidates)


def _candidates(host: Host, functions: Sequence[PciFunction], whitelist: Sequence[Entry]) -> Iterator["_Candidate"]:
    """What is admitted, virtual functions with their physical function."""
    by_address = {function.address: function for function in functions}
    parts: dict[PciAddress, list[PciFunction]] = {}
    for function in functions:
        if _is_admitted(host, function, whitelist):
            physical = function.physical_function
            owner = physical if physical in by_address else function.address
            parts.setdefault(owner, []).append(function)
    for address in sorted(parts):
        yield _Candidate(host, by_address[address], admitted=parts[address], is_chosen=bool(whitelist))


def _is_admitted(host: Host, function: PciFunction, whitelist: Sequence[Entry]) -> bool:
    if whitelist:
        return any(entry.admits(host, function) for entry in whitelist)
    return kind_of(function) is not None


class _Candidate:
    """One physical function and what of it is admitted: itself, or some of its virtual functions."""

    def __init__(self, host: Host, function: PciFunction, *, admitted: Sequence[PciFunction], is_chosen: bool) -> None:
        self.function = function
        self._host = host
        self._admitted = admitted
        self._is_chosen = is_chosen

    def device(self, name: str) -> Device:
        """The device as it is reported.

        :param name: what the host's list of ids calls it; empty when it does not
        """
        return card(
            self._host,
            self.function,
            kind=next(filter(None, map(kind_of, (self.function, *self._admitted))), UNKNOWN),
            known=Knowledge(
                facts=beside.facts(self._host, self.function),
                figures=memory_figures(self.function),
                host_uses=self._host_uses(),
            ),
            name=name,
            virtual_functions=self._virtual_functions(),
        )

    def _virtual_functions(self) -> Sequence[PciAddress]:
        if self.function in self._admitted:
            return self.function.virtual_functions
        return [function.address for function in self._admitted]

    def _host_uses(self) -> tuple[str, ...]:
        """What the host needs the function for.

        An operator's entry overrules that it draws the console or manages the board, never that a disk or a queue is in
        use.
        """
        code = self.function.class_code
        if code is not None and code >> 16 == _MASS_STORAGE:
            return HostUse(self._host).of_controller(self.function.address)
        if uses := beside.host_uses(self.function):
            return uses
        if self._is_chosen:
            return ()
        if (self.function.path / "mgmt_pf").exists():
            return ("board management",)
        return console_use(self.function)
