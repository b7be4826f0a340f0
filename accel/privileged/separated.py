"""Acts on the machine we run on, each in its context: a process beside ours that oslo.privsep starts and talks to.

A context is forked where this process has the capabilities, awake or asleep; else it is started by the helper that the
operator has named, such as ``sudo``; else it is said what is missing.
"""

import os
import shlex
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accel.errors import ActTimedOut, PermissionMissing
from accel.privileged.allowed import check_admin, check_namespace, check_tool, check_vfio_node, context_of
from accel.privileged.base import AdminAnswer, AdminCommand, Context, NodeAccess
from accel.privileged.capabilities import missing
from accel.privileged.files import named_errors
from accel.privileged.tools import printed

if TYPE_CHECKING:
    from oslo_privsep.priv_context import PrivContext

_SYSFS, _DEV = Path("/sys"), Path("/dev")
_PATIENCE_SECONDS = 5.0
"""How much longer than the act itself we wait for the process that does it."""
_ONE_AT_A_TIME: dict[Context, threading.Lock] = defaultdict(threading.Lock)


@dataclass(frozen=True, slots=True)
class Separated:
    """Acts on this machine.

    :param helper: the command that starts a context with privilege, ``("sudo", "-n", "/usr/bin/privsep-helper")``;
        empty: there is none
    """

    helper: tuple[str, ...] = ()

    def write(self, path: Path, text: str, *, timeout_seconds: float = 30) -> None:
        """See ``base.Privileged.write``."""
        context = context_of(_SYSFS, path, text)
        function = "write_vfio" if context is Context.VFIO else "write_sysfs"
        with named_errors(path):
            self._call(context, function, str(path), text, timeout_seconds=timeout_seconds)

    def run(self, *command: str, timeout_seconds: float = 60) -> str:
        """See ``base.Privileged.run``."""
        check_tool(command)
        arguments = (list(command), timeout_seconds)
        return printed(command, self._call(Context.TOOLS, "run_tool", *arguments, timeout_seconds=timeout_seconds))

    def end_tool(self) -> bool:
        """See ``base.Privileged.end_tool``; it does not wait for its turn, which is the tool's."""
        from accel.privileged import contexts  # noqa: PLC0415  # see _call

        if contexts.TOOLS.channel is None or not contexts.TOOLS.channel.running:
            return False
        is_ended: bool = contexts.end_tool()
        return is_ended

    def nvme_admin(self, node: Path, command: AdminCommand, *, timeout_seconds: float = 60) -> AdminAnswer:
        """See ``base.Privileged.nvme_admin``."""
        check_admin(_DEV, node, command.opcode)
        values = (command.opcode, command.namespace, command.dwords, command.data, command.answer_bytes)
        arguments = (str(node), *values, timeout_seconds)
        with named_errors(node):
            answer = self._call(Context.NVME, "nvme_admin", *arguments, timeout_seconds=timeout_seconds)
        status, result, data = answer
        return AdminAnswer(status=status, result=result, data=data)

    def read_blocks(self, node: Path, offset: int, length: int, *, timeout_seconds: float = 60) -> bytes:
        """See ``base.Privileged.read_blocks``."""
        check_namespace(_DEV, node)
        with named_errors(node):
            values = (str(node), offset, length)
            content: bytes = self._call(Context.NVME, "read_blocks", *values, timeout_seconds=timeout_seconds)
        return content

    def zero_blocks(self, node: Path, offset: int, length: int, *, timeout_seconds: float = 600) -> None:
        """See ``base.Privileged.zero_blocks``."""
        check_namespace(_DEV, node)
        with named_errors(node):
            values = (str(node), offset, length)
            self._call(Context.NVME, "zero_blocks", *values, timeout_seconds=timeout_seconds)

    def nvml(self, call: str, *arguments: str | int, timeout_seconds: float = 60) -> str:
        """See ``base.Privileged.nvml``."""
        text: str = self._call(Context.NVML, "nvml", call, list(arguments), timeout_seconds=timeout_seconds)
        return text

    def give(self, node: Path, access: NodeAccess) -> None:
        """See ``base.Privileged.give``."""
        check_vfio_node(_DEV, node)
        with named_errors(node):
            values = (str(node), access.user, access.group, access.mode)
            self._call(Context.VFIO, "give", *values, timeout_seconds=_PATIENCE_SECONDS)

    def is_open(self, node: Path) -> bool:
        """See ``base.Privileged.is_open``."""
        check_vfio_node(_DEV, node)
        with named_errors(node):
            return bool(self._call(Context.VFIO, "is_open", str(node), timeout_seconds=_PATIENCE_SECONDS))

    def check(self, context: Context) -> str:
        """See ``base.Privileged.check``."""
        from accel.privileged import contexts  # noqa: PLC0415  # see _call

        self._start(context, contexts.CONTEXTS[context])
        return f"started by {shlex.join(self.helper)}" if missing(context) else "forked with our own capabilities"

    def _call(self, context: Context, function: str, *arguments: object, timeout_seconds: float) -> Any:
        """Have a function of ``contexts`` run where its privilege is."""
        from accel.privileged import contexts  # noqa: PLC0415  # whoever only looks does not pay for oslo.privsep

        entry: Callable[..., Any] = getattr(contexts, function)
        separated = contexts.CONTEXTS[context]
        with _ONE_AT_A_TIME[context]:
            self._start(context, separated)
            separated.timeout = timeout_seconds + _PATIENCE_SECONDS
            try:
                return entry(*arguments)
            except contexts.PrivsepTimeout as error:
                message = f"{function} of the context {context} did not come back within {timeout_seconds:g} s"
                raise ActTimedOut(message, "a device or its kernel driver hangs: see dmesg") from error

    def _start(self, context: Context, separated: "PrivContext") -> None:
        if separated.channel is not None and separated.channel.running:
            return
        separated.stop()
        lacking = missing(context)
        if not lacking:
            _fork(separated, context)
        elif self.helper:
            _start_by_helper(separated, self.helper, context)
        else:
            raise PermissionMissing(
                f"the context {context} needs {', '.join(lacking)}, which this process has not",
                "run the agent with these capabilities, as the drop-in of etc/systemd does, or set "
                "[privileged] helper_command",
            )


def _fork(separated: "PrivContext", context: Context) -> None:
    from accel.privileged.contexts import FailedToDropPrivileges, Method  # noqa: PLC0415  # see Separated._call

    ours = os.getpid()
    try:
        separated.start(Method.FORK)
    except FailedToDropPrivileges as error:
        raise PermissionMissing(f"the context {context} could not be forked: {error}", "see the agent's log") from error
    finally:
        if os.getpid() != ours:  # the child could not begin, and must not go on with what is ours to do
            os._exit(1)


def _start_by_helper(separated: "PrivContext", helper: tuple[str, ...], context: Context) -> None:
    from accel.privileged.contexts import FailedToDropPrivileges, Method, set_helper  # noqa: PLC0415  # see _call

    set_helper(separated, shlex.join(helper))
    mend = "run it by hand to see why; [privileged] helper_command says what is run"
    try:
        separated.start(Method.ROOTWRAP)
    except (FailedToDropPrivileges, OSError) as error:
        raise PermissionMissing(f"{shlex.join(helper)} did not start the context {context}: {error}", mend) from error
