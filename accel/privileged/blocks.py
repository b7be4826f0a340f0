"""What is on an NVMe namespace: reading a piece of it, and writing zeros.

The kernel lets nobody else in while zeros are written: a namespace that is mounted, or that another block device
holds, is busy. On a host made of files a namespace is a file.
"""

import errno
import fcntl
import mmap
import os
import stat
import struct
from pathlib import Path

from accel.errors import ActNotAllowed
from accel.privileged.allowed import check_namespace

_IOCTL_ZERO_OUT = 0x127F
"""``BLKZEROOUT`` of linux/fs.h: start and length in bytes. It returns when the zeros can be read."""
_MOST_READ_BYTES = 1 << 20


def read(dev: Path, node: Path, offset: int, length: int) -> bytes:
    """Read a piece.

    :param dev: where ``/dev`` is
    :param offset: a multiple of the block size, as ``length``
    :raises ActNotAllowed: it is no namespace, or too much at once
    :raises OSError: it cannot be read
    """
    check_namespace(dev, node)
    if not 0 < length <= _MOST_READ_BYTES:
        raise ActNotAllowed(f"{length} bytes of {node}: at most {_MOST_READ_BYTES} can be read at once")
    past_the_cache = os.O_DIRECT if stat.S_ISBLK(node.stat().st_mode) else 0
    descriptor = os.open(node, os.O_RDONLY | os.O_CLOEXEC | past_the_cache)
    try:
        with mmap.mmap(-1, length) as buffer:  # aligned, as reading past the cache wants it
            return buffer[: os.preadv(descriptor, [buffer], offset)]
    finally:
        os.close(descriptor)


def zero(dev: Path, node: Path, offset: int, length: int) -> None:
    """Write zeros.

    :param dev: where ``/dev`` is
    :raises ActNotAllowed: it is no namespace
    :raises OSError: it cannot be written; EBUSY: somebody has it
    """
    check_namespace(dev, node)
    descriptor = os.open(node, os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC)
    try:
        if stat.S_ISBLK(os.fstat(descriptor).st_mode):
            fcntl.ioctl(descriptor, _IOCTL_ZERO_OUT, struct.pack("=QQ", offset, length))
        else:
            _write_zeros(descriptor, offset, length)
    finally:
        os.close(descriptor)


def _write_zeros(descriptor: int, offset: int, length: int) -> None:
    """Into a file, which has a size of its own to keep to."""
    if offset + length > os.fstat(descriptor).st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    piece = bytes(min(length, _MOST_READ_BYTES))
    for start in range(offset, offset + length, len(piece) or 1):
        os.pwrite(descriptor, piece[: offset + length - start], start)
