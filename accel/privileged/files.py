"""Attributes and nodes: what is written, and who may open it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accel.errors import ActDied, ActNotAllowed, PermissionMissing
from accel.privileged.allowed import check_vfio_node, context_of
from accel.privileged.base import Context, NodeAccess


def write(context: Context, sysfs: Path, path: Path, text: str) -> None:
    """Write an attribute in one go, as sysfs wants it.

    :raises ActNotAllowed: this context does not write it
    :raises OSError: the kernel refuses
    """
    if context_of(sysfs, path, text) is not context:
        raise ActNotAllowed(f"{path} is not written by the context {context}")
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def give(dev: Path, node: Path, access: NodeAccess) -> None:
    """Say who may open a node of a vfio group.

    :raises ActNotAllowed: it is no such node
    :raises OSError: it is not there, or we may not
    """
    check_vfio_node(dev, node)
    if (access.user, access.group) != (-1, -1):
        os.chown(node, access.user, access.group, follow_symlinks=False)
    node.chmod(access.mode)


def is_open(dev: Path, node: Path) -> bool:
    """Whether a process has a node of a vfio group open: the kernel lets one in only.

    :raises ActNotAllowed: it is no such node
    :raises OSError: it cannot be told
    """
    check_vfio_node(dev, node)
    try:
        os.close(os.open(node, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.EBUSY:
            return True
        raise
    return False


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Say of what the system refuses which file it was, whatever process the refusal comes from.

    :raises PermissionMissing: the system says that we may not
    :raises ActDied: it was no refusal: the process that was to do it is gone
    :raises OSError: any other refusal, with the file's name
    """
    try:
        yield
    except PermissionError as error:
        raise PermissionMissing(f"{path}: {error.strerror}", "accel-agent doctor says what is missing") from error
    except OSError as error:
        if error.errno is None:
            raise ActDied(f"the process that was to act on {path} is gone: {error}", "see the agent's log") from error
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
