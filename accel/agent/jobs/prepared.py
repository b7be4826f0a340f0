"""What is made ready for guests on this node, so that it can be made ready again when the host has been restarted.

A restart takes away mediated devices and which driver a function is bound to; whoever has the handle still has it. So
the order that made a handle ready is kept until it is released, with the boot in which that was.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

from accel.agent.files import write_whole
from accel.errors import InvalidValue
from accel.model.job import JobKind, JobOrder
from accel.rpc import wire

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    boot_id: str
    order: JobOrder


class Prepared:
    """The handles that are ready, a file for each.

    :param directory: made when it is not there
    :param boot_id: the kernel's id of this boot
    """

    def __init__(self, directory: Path, boot_id: str) -> None:
        self._directory = directory
        self._boot_id = boot_id

    def done(self, order: JobOrder) -> None:
        """Told of each job that was done: remembers what was made ready, forgets what was released."""
        if order.handle is None:
            return
        path = self._directory / f"{UUID(order.handle.uuid)}.json"
        try:
            if order.kind is JobKind.PREPARE:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_whole(path, wire.encode_bytes(_Kept(boot_id=self._boot_id, order=order)))
            elif order.kind is JobKind.RELEASE:
                path.unlink(missing_ok=True)
        except OSError as error:
            _LOG.error("After a restart of the host, handle %s will not be as it is: %s", order.handle.uuid, error)

    def lost(self) -> Iterator[JobOrder]:
        """Orders that make ready again what an earlier boot had, each a job of its own."""
        for path in sorted(self._directory.glob("*.json")):
            try:
                kept = wire.decode_bytes(_Kept, path.read_bytes())
            except (OSError, InvalidValue) as error:
                _LOG.error("%s cannot be read and is left out: %s", path, error)
                continue
            if kept.boot_id != self._boot_id:
                yield replace(kept.order, uuid=str(uuid4()), deadline=None)
