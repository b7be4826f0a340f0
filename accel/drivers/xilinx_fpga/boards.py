"""Which functions are one card, and what it says of itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from accel.drivers.base import Host
from accel.drivers.sysfs import pci_functions
from accel.drivers.xilinx_fpga.functions import AlveoFunction, Role, is_alveo, read_function


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
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

    @property
    def shell(self) -> str:
        """The platform that is flashed, by name; empty where no function says it."""
        return self.said(lambda one: one.shell)

    @property
    def shell_time(self) -> str:
        """When a platform of the first generation was built, in seconds since 1970; empty for others."""
        return self.said(lambda one: one.shell_time)

    @property
    def image_id(self) -> str:
        """What is loaded into the user's region; empty when nothing is, and where no function says it."""
        return self.said(lambda one: one.image_id)

    @property
    def interface_ids(self) -> tuple[str, ...]:
        """What an image for the user's region must have been built for; the management function has the shell's own."""
        return self.user.interface_ids if self.user else ()

    def said(self, what: Callable[[AlveoFunction], str]) -> str:
        """What its functions say; the user's is asked first."""
        asked = sorted(self.functions, key=lambda one: one.role is not Role.USER)
        return next(filter(None, map(what, asked)), "")


def boards(host: Host) -> Iterator[Board]:
    """The cards, by address."""
    functions = [read_function(one) for one in pci_functions(host) if is_alveo(one)]
    for _, members in groupby(functions, key=lambda one: one.function.address.slot):
        yield Board(functions=tuple(members))
