"""The node socket: what the board shows, served to programs on the node."""

import logging
import pwd
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import geteuid
from pathlib import Path
from typing import Any, Protocol

from accel.agent.board import Board
from accel.errors import ConfigurationError, NotFound
from accel.model.device import AttachHandle, Deployable, Device
from accel.model.offer import Holder, Offer, handles_of
from accel.protos import accel_node_v1_pb2 as wire
from accel.sockets.offers import NODE_SERVICE, to_message
from accel.sockets.peer import Peer
from accel.sockets.server import Call, Server, methods_of

_LOG = logging.getLogger(__name__)

ROOT = 0


class Preparer(Protocol):
    """Makes handles ready, and undoes it."""

    def prepare(self, device: Device, part: Deployable, handle: AttachHandle, *, key: str) -> None:
        """Make it ready for one user.

        :param key: the handle's id on the node
        :raises AccelError: it cannot be made ready; the text says why
        """
        ...

    def release(self, device: Device, part: Deployable, handle: AttachHandle, *, key: str) -> None:
        """Undo it.

        :raises AccelError: it cannot be undone
        """
        ...


class NothingToPrepare:
    """All handles are ready as they are."""

    def prepare(self, device: Device, part: Deployable, handle: AttachHandle, *, key: str) -> None:
        """See ``Preparer.prepare``."""

    def release(self, device: Device, part: Deployable, handle: AttachHandle, *, key: str) -> None:
        """See ``Preparer.release``."""


class NodeService:
    """Answers the calls."""

    def __init__(self, board: Board, preparer: Preparer) -> None:
        self._board = board
        self._preparer = preparer

    def methods(self) -> Mapping[str, Any]:
        """For a server."""
        handlers: Mapping[str, Any] = {
            "Watch": self.watch,
            "Prepare": self.prepare,
            "Release": self.release,
            "Hold": self.hold,
        }
        return methods_of(NODE_SERVICE, handlers)

    def watch(self, request: wire.WatchRequest, call: Call) -> Iterator[wire.Inventory]:
        """Everything, now that the drivers have looked, and whenever it changes."""
        _LOG.info("%s watches this node: %s", request.watcher or "somebody", call.peer)
        call.when_over(self._board.wake)
        revision = 0
        while (offer := self._board.next(revision, lambda: call.is_over)) is not None:
            revision = offer.revision
            yield to_message(offer)

    def prepare(self, request: wire.PrepareRequest, _: Call) -> wire.PrepareResponse:
        """Make handles ready, one after the other.

        :raises NotFound: there is no such handle
        """
        for device, part, handle, key in _found(self._board.offer, request.handles):
            self._preparer.prepare(device, part, handle, key=key)
        offer = self._board.offer
        return wire.PrepareResponse(
            prepared=[
                wire.Prepared(handle=known_as, device_nodes=offer.state(known_as).device_nodes)
                for known_as in request.handles
            ]
        )

    def release(self, request: wire.ReleaseRequest, _: Call) -> wire.ReleaseResponse:
        """Undo it.

        :raises NotFound: there is no such handle
        """
        for device, part, handle, key in _found(self._board.offer, request.handles):
            self._preparer.release(device, part, handle, key=key)
        return wire.ReleaseResponse()

    def hold(self, request: wire.HoldRequest, _: Call) -> wire.HoldResponse:
        """Note who has what."""
        holders = {
            held.handle: tuple(Holder(kind=holder.kind, name=holder.name) for holder in held.holders)
            for held in request.held
        }
        self._board.hold(request.source, holders)
        return wire.HoldResponse()


def node_server(path: Path, service: NodeService, users: Iterable[str]) -> Server:
    """A server for root, the agent's own user, and others that are named.

    :param users: by name or number
    :raises ConfigurationError: there is no such user
    """
    admitted = frozenset({ROOT, geteuid(), *map(_uid, users)})
    # Who may call is decided by the kernel's word about the caller, so the file need not keep anybody away.
    return Server(path, service.methods(), admits=_among(admitted), mode=0o666)


def _among(admitted: frozenset[int]) -> Callable[[Peer], bool]:
    return lambda peer: peer.uid in admitted


def _uid(user: str) -> int:
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ConfigurationError(f"[node_socket] users: there is no user {user} on this host") from None


def _found(offer: Offer, wanted: Iterable[str]) -> list[tuple[Device, Deployable, AttachHandle, str]]:
    known = {
        known_as: (device, part, handle, known_as)
        for device in offer.devices
        for known_as, part, handle in handles_of(device)
    }
    missing = [one for one in wanted if one not in known]
    if missing:
        raise NotFound("handle", ", ".join(missing))
    return [known[one] for one in wanted]
