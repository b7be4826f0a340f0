"""Commands to NVMe controllers, by the ioctl of linux/nvme_ioctl.h."""

import ctypes
import errno
import fcntl
import os
import struct
from pathlib import Path

from accel.errors import ActTimedOut
from accel.privileged.allowed import check_admin
from accel.privileged.base import AdminAnswer, AdminCommand

_ADMIN_COMMAND = struct.Struct("=BBHIIIQQIIIIIIIIII")
"""``struct nvme_passthru_cmd``: opcode, flags, reserved, namespace, dwords 2 and 3, metadata and data addresses and
lengths, dwords 10 to 15, time limit in milliseconds, result."""
_IOCTL_ADMIN_CMD = 0xC0004E41 | _ADMIN_COMMAND.size << 16
_RESULT = -1


def send(dev: Path, node: Path, command: AdminCommand, *, timeout_seconds: float) -> AdminAnswer:
    """Send a command and wait for the controller's answer.

    :param dev: where ``/dev`` is
    :raises ActNotAllowed: the command is not on the list
    :raises ActTimedOut: the controller did not answer in time
    :raises OSError: it could not be sent
    """
    check_admin(dev, node, command.opcode)
    length = max(len(command.data), command.answer_bytes)
    buffer = ctypes.create_string_buffer(command.data, length) if length else None
    address = ctypes.addressof(buffer) if buffer else 0
    timeout_milliseconds = int(timeout_seconds * 1000)
    request = bytearray(
        _ADMIN_COMMAND.pack(
            *(command.opcode, 0, 0, command.namespace, 0, 0, 0, address, 0, length),
            *command.dwords,
            *(timeout_milliseconds, 0),
        )
    )
    status = _ioctl(node, request)
    answer = buffer.raw[: command.answer_bytes] if buffer else b""
    return AdminAnswer(status=status, result=_ADMIN_COMMAND.unpack(request)[_RESULT], data=answer)


def _ioctl(node: Path, request: bytearray) -> int:
    descriptor = os.open(node, os.O_RDWR | os.O_CLOEXEC)
    try:
        status: int = fcntl.ioctl(descriptor, _IOCTL_ADMIN_CMD, request, True)  # noqa: FBT003  # it takes no keywords
    except OSError as error:
        if error.errno in {errno.EINTR, errno.ETIMEDOUT}:
            raise ActTimedOut(f"{node} did not answer in time", "see dmesg") from error
        raise
    finally:
        os.close(descriptor)
    return status
