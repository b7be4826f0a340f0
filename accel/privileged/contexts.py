"""The contexts of oslo.privsep, and the functions that each runs for us. Imported where something is done, not before.

eventlet counts as not installed: oslo.privsep imports it wherever it finds it, and we use threads only.
"""

import sys

sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type]  # None is how Python spells "not to be found"

from collections.abc import Sequence  # noqa: E402  # after eventlet is out of the way
from pathlib import Path  # noqa: E402  # with the others

from oslo_config import cfg  # noqa: E402  # with the others
from oslo_privsep.comm import PrivsepTimeout  # noqa: E402  # with the others
from oslo_privsep.daemon import FailedToDropPrivileges  # noqa: E402  # with the others
from oslo_privsep.priv_context import Method, PrivContext  # noqa: E402  # with the others

from accel.privileged import blocks, files, nvme, tools  # noqa: E402  # with the others
from accel.privileged.base import AdminCommand, Context, NodeAccess  # noqa: E402  # with the others
from accel.privileged.capabilities import NEEDED, pass_on  # noqa: E402  # with the others

__all__ = ["CONTEXTS", "FailedToDropPrivileges", "Method", "PrivsepTimeout", "set_helper"]

_SYSFS, _DEV = Path("/sys"), Path("/dev")


def _context(context: Context) -> PrivContext:
    return PrivContext(
        __package__,
        cfg_section=f"accel_privileged_{context}",
        pypath=f"{__name__}.{context.name}",
        capabilities=[int(one) for one in NEEDED[context]],
    )


SYSFS = _context(Context.SYSFS)
VFIO = _context(Context.VFIO)
TOOLS = _context(Context.TOOLS)
NVME = _context(Context.NVME)
NVML = _context(Context.NVML)

CONTEXTS = {Context.SYSFS: SYSFS, Context.VFIO: VFIO, Context.TOOLS: TOOLS, Context.NVME: NVME, Context.NVML: NVML}


def set_helper(context: PrivContext, command: str) -> None:
    """Say what starts a context where we have no capabilities. oslo.privsep reads the global configuration only."""
    verbatim = command.replace("$", "$$")
    cfg.CONF.set_override("helper_command", verbatim, group=context.cfg_section)


@SYSFS.entrypoint
def write_sysfs(path: str, text: str) -> None:
    """See ``base.Privileged.write``."""
    files.write(Context.SYSFS, _SYSFS, Path(path), text)


@VFIO.entrypoint
def write_vfio(path: str, text: str) -> None:
    """See ``base.Privileged.write``."""
    files.write(Context.VFIO, _SYSFS, Path(path), text)


@VFIO.entrypoint
def give(node: str, user: int, group: int, mode: int) -> None:
    """See ``base.Privileged.give``."""
    files.give(_DEV, Path(node), NodeAccess(user=user, group=group, mode=mode))


@VFIO.entrypoint
def is_open(node: str) -> bool:
    """See ``base.Privileged.is_open``."""
    return files.is_open(_DEV, Path(node))


@TOOLS.entrypoint
def run_tool(command: Sequence[str], timeout_seconds: float) -> tools.Finished:
    """See ``base.Privileged.run``."""
    pass_on(NEEDED[Context.TOOLS])
    return tools.run(command, timeout_seconds=timeout_seconds, must_be_root_s=True)


@TOOLS.entrypoint
def end_tool() -> bool:
    """See ``base.Privileged.end_tool``."""
    return tools.end_running()


@NVME.entrypoint
def nvme_admin(  # noqa: PLR0913, PLR0917  # what crosses to the other process is plain values
    node: str,
    opcode: int,
    namespace: int,
    dwords: tuple[int, int, int, int, int, int],
    data: bytes,
    answer_bytes: int,
    timeout_seconds: float,
) -> tuple[int, int, bytes]:
    """See ``base.Privileged.nvme_admin``; status, result and data."""
    command = AdminCommand(opcode=opcode, namespace=namespace, dwords=dwords, data=data, answer_bytes=answer_bytes)
    answer = nvme.send(_DEV, Path(node), command, timeout_seconds=timeout_seconds)
    return answer.status, answer.result, answer.data


@NVME.entrypoint
def read_blocks(node: str, offset: int, length: int) -> bytes:
    """See ``base.Privileged.read_blocks``."""
    return blocks.read(_DEV, Path(node), offset, length)


@NVME.entrypoint
def zero_blocks(node: str, offset: int, length: int) -> None:
    """See ``base.Privileged.zero_blocks``."""
    blocks.zero(_DEV, Path(node), offset, length)


@NVML.entrypoint
def nvml(call: str, arguments: Sequence[str | int]) -> str:
    """See ``base.Privileged.nvml``."""
    from accel.privileged.nvml import call as ask  # noqa: PLC0415  # the other contexts need no such library

    return ask(call, *arguments)
