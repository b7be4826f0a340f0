"""A controller that the kernel drives, and what it is asked and told: see ``commands`` for what crosses."""

from collections.abc import Callable
from typing import TypeVar

from accel.drivers.base import Host
from accel.drivers.nvme import commands
from accel.drivers.nvme.commands import Capabilities, Flexible, Method, Resource, SanitizeStatus, Secondary
from accel.errors import ActRefused, PermissionMissing
from accel.privileged.base import AdminAnswer, AdminCommand

_T = TypeVar("_T")
_FORMAT_SECONDS = 4 * 60 * 60
"""A format returns when it is done; the job that it is part of has a time limit of its own."""


class AdminController:
    """Sends commands to one controller.

    :param name: the kernel's name of it, ``nvme0``
    """

    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self._name = name

    def smart_log(self) -> bytes:
        """The SMART / health log page.

        :raises ActRefused: the controller does not give it
        :raises OSError: it cannot be asked
        """
        return self._ask(commands.smart_log()).data

    def capabilities(self) -> Capabilities:
        """What it can do. Raises as ``smart_log``."""
        return self._read(commands.identify_controller(), commands.capabilities)

    def namespaces(self) -> list[int]:
        """The namespaces of the drive, whoever they are attached to. Raises as ``smart_log``."""
        return self._read(commands.list_namespaces(), commands.numbers)

    def controllers(self) -> list[int]:
        """The controllers of the drive. Raises as ``smart_log``."""
        return self._read(commands.list_controllers(), commands.controller_ids)

    def secondaries(self, can: Capabilities) -> list[Secondary]:
        """The secondary controllers that it has; none of one that knows no such list. Raises as ``smart_log``."""
        try:
            return self._read(commands.list_secondaries(), commands.secondaries)
        except PermissionMissing:
            raise
        except ActRefused:
            if can.has_secondaries:
                raise
            return []

    def flexible_resources(self) -> dict[Resource, Flexible]:
        """What it has to give to them. Raises as ``smart_log``."""
        return self._read(commands.flexible_resources(), commands.flexible)

    def manage(self, command: AdminCommand) -> None:
        """Have a secondary controller given something, or brought online. Raises as ``sanitize``."""
        self._ask(command)

    def sanitize_status(self) -> SanitizeStatus:
        """How the newest sanitize went, or goes. Raises as ``smart_log``."""
        return self._read(commands.sanitize_log(), commands.sanitize_status)

    def sanitize(self, method: Method) -> None:
        """Begin a sanitize; the drive goes on with it whatever becomes of us. One that runs already goes on.

        :raises ActRefused: it does not begin
        :raises OSError: it cannot be told
        """
        self._ask(commands.sanitize(method), fine=commands.SANITIZE_RUNS)

    def format(self, method: Method, number: int) -> None:
        """Format a namespace with secure erase, as it is formatted now. Raises as ``sanitize``."""
        kept = self._read(commands.identify_namespace(number), commands.format_dword)
        self._ask(commands.format_namespace(method, number, kept), timeout_seconds=_FORMAT_SECONDS)

    def _read(self, command: AdminCommand, meaning: Callable[[bytes], _T]) -> _T:
        data = self._ask(command).data
        try:
            return meaning(data)
        except ValueError as error:
            raise ActRefused(f"the answers of {self._name} make no sense", str(error)) from error

    def _ask(self, command: AdminCommand, *, fine: int = commands.SUCCESS, timeout_seconds: float = 60) -> AdminAnswer:
        node = self._host.dev / self._name
        answer = self._host.privileged.nvme_admin(node, command, timeout_seconds=timeout_seconds)
        if answer.status & 0x7FF not in (commands.SUCCESS, fine):
            what = f"{self._name} refuses command {command.opcode:#04x}"
            raise ActRefused(f"{what}: {commands.refusal(answer.status)}")
        return answer
