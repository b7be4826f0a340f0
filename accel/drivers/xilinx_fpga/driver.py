"""The ``xilinx_fpga`` driver: every Alveo card of a host as a device, once.

A card has a function that manages it and one that uses it, in one slot. A workload is given both: the one to load
images of its own with, the other to work with.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.pci_board import FIT, Condition
from accel.drivers.pci_card import NODES, UNREAD, Knowledge, card, card_name, device_nodes
from accel.drivers.pci_kinds import Kind, kind_of
from accel.drivers.pci_names import pci_names
from accel.drivers.sysfs import pci_functions
from accel.drivers.xilinx_fpga.functions import AlveoFunction, Role, is_alveo, read_function
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

_FPGA = Kind(DeviceType.FPGA)
_UNDRIVEN = "its shell and what is loaded: bind the drivers of Xilinx' runtime to its functions (xclmgmt, xocl)"
_MANAGEMENT_SUFFIX = " management function"


class XilinxFpgaDriver:
    """Reports the Alveo cards of a host."""

    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        del options  # there are none
        self._host = host

    def discover(self) -> tuple[Device, ...]:
        """The cards, by address."""
        boards = list(_boards(self._host))
        serials = Counter(map(_serial, boards))
        names = pci_names(self._host, [board.first.function.ids for board in boards])
        return tuple(
            _device(
                self._host,
                board,
                name=names.get(board.first.function.ids, ""),
                serial=_serial(board) if serials[_serial(board)] == 1 else "",
            )
            for board in boards
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Board:
    """One card."""

    functions: Sequence[AlveoFunction]
    """By address."""

    @property
    def first(self) -> AlveoFunction:
        """The function that the card goes by."""
        return self.functions[0]

    @property
    def management(self) -> AlveoFunction | None:
        """The function that manages it; None where that is not seen, as in a guest."""
        return self._of(Role.MANAGEMENT)

    @property
    def user(self) -> AlveoFunction | None:
        """The function that uses it."""
        return self._of(Role.USER)

    def _of(self, role: Role) -> AlveoFunction | None:
        return next((one for one in self.functions if one.role is role), None)

    @property
    def is_golden(self) -> bool:
        """Whether it must be flashed before it is of use."""
        return any(one.is_golden for one in self.functions)

    def said(self, what: Callable[[AlveoFunction], str]) -> str:
        """What its functions say; the user's is asked first."""
        asked = sorted(self.functions, key=lambda one: one.role is not Role.USER)
        return next(filter(None, map(what, asked)), "")


def _boards(host: Host) -> Iterator[_Board]:
    functions = [read_function(one) for one in pci_functions(host) if is_alveo(one)]
    for _, members in groupby(functions, key=lambda one: one.function.address.slot):
        yield _Board(functions=tuple(members))


def _serial(board: _Board) -> str:
    return board.said(lambda one: one.serial)


def _shell(board: _Board) -> str:
    return board.said(lambda one: one.shell)


def _image(board: _Board) -> str:
    return board.said(lambda one: one.image_id)


def _interfaces(board: _Board) -> tuple[str, ...]:
    """What an image for the user's region must have been built for; the management function has the shell's own."""
    return board.user.interface_ids if board.user else ()


def _device(host: Host, board: _Board, *, name: str, serial: str) -> Device:
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


def _model(board: _Board) -> str:
    named = (kind_of((board.user or board.first).function), kind_of(board.first.function))
    model = next((kind.model for kind in named if kind and kind.model), "")
    return model.removesuffix(_MANAGEMENT_SUFFIX)


def _facts(board: _Board) -> dict[str, str]:
    functions = [str(one.function.address) for one in board.functions]
    nodes = (device_nodes(one.function, "xrt_mgmt", "drm") for one in board.functions)
    return {
        FUNCTIONS: ", ".join(functions) if len(functions) > 1 else "",
        NODES: ", ".join(filter(None, nodes)),
        UNREAD: "" if all(one.role for one in board.functions) else _UNDRIVEN,
        "vbnv": _shell(board),
        "timestamp": board.said(lambda one: one.shell_time),
        "fpga": board.said(lambda one: one.chip),
        "logic_uuid": board.said(lambda one: ", ".join(one.logic_ids)),
        "interface_uuid": ", ".join(_interfaces(board)),
        "xclbin_uuid": _image(board),
    }


def _traits(board: _Board) -> Iterator[str]:
    if shell := _shell(board):
        yield custom_trait("FPGA SHELL", shell)
    yield from _region_traits(board)


def _region_traits(board: _Board) -> Iterator[str]:
    if image := _image(board):
        yield custom_trait("FPGA FUNCTION ID XILINX", image)
    yield from (custom_trait("FPGA REGION XILINX", interface) for interface in _interfaces(board))


def _regions(whole: str, board: _Board) -> Iterator[Deployable]:
    """The one region that users load images into."""
    if board.user is None:
        return
    facts = {
        "interface_id": ", ".join(_interfaces(board)),
        "image_id": _image(board),
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


def _condition(board: _Board) -> Condition:
    if board.is_golden:
        return _unfit("it runs the image of the factory: flash a shell into it, with xbmgmt program --base")
    if len(board.functions) == 1 and board.management:
        return _unfit("its user function is not on the bus: reset it, or flash a shell into it")
    unready = [one.role for one in board.functions if one.is_ready is False]
    return _unfit(f"it is not ready, says the function of {unready[0]}") if unready else FIT


def _unfit(reason: str) -> Condition:
    return Condition(health=Health.UNHEALTHY, reason=reason)
