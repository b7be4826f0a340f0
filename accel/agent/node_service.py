"""The node socket: what the board shows, served to programs on the node."""

import logging
import pwd
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import geteuid
from pathlib import Path
from typing import Any, Protocol

from accel.agent.board import Board
from accel.errors import ConfigurationError, Conflict, InvalidValue, NotFound
from accel.model.device import AttachHandle, Deployable, Device
from accel.model.job import ImageOrder, JobKind
from accel.model.offer import Holder, Offer, handles_of
from accel.protos import accel_node_v1_pb2 as wire
from accel.sockets.offers import NODE_SERVICE, to_message
from accel.sockets.peer import Peer
from accel.sockets.server import Call, Server, methods_of

_LOG = logging.getLogger(__name__)

ROOT = 0

_PREPARE_SECONDS = 10.0
_ACTS = tuple(map(str, (JobKind.PREPARE, JobKind.RESET, JobKind.SCRUB, JobKind.PROGRAM)))
_Found = tuple[Device, Deployable, AttachHandle, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be done to a handle, or to what it is of."""

    kind: JobKind
    device: Device
    part: Deployable
    handle: AttachHandle
    key: str
    """The handle's id on the node."""
    method: str = ""
    """How to scrub."""
    image: ImageOrder | None = None
    timeout_seconds: float


class Preparer(Protocol):
    """Makes things ready."""

    def act(self, wish: Wish) -> None:
        """Do it, or find it done.

        :raises AccelError: it cannot be done, or not in time; the text says why
        """
        ...


class NothingToPrepare:
    """All handles are ready as they are."""

    def act(self, wish: Wish) -> None:
        """See ``Preparer.act``."""


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
        :raises InvalidValue: there is no such act
        :raises Conflict: somebody else has something of the device
        """
        kind = _act(request.act or JobKind.PREPARE)
        found = _found(self._board.offer, request.handles)
        if kind is not JobKind.PREPARE:
            _check_others(self._board.offer, found)
            found = list(
                {(device.identity, part.name): each for each in found for device, part, *_ in (each,)}.values()
            )
        for device, part, handle, key in found:
            self._preparer.act(
                Wish(
                    kind=kind,
                    device=device,
                    part=part,
                    handle=handle,
                    key=key,
                    method=request.method,
                    image=_image(request.image) if request.HasField("image") else None,
                    timeout_seconds=request.timeout_seconds or _PREPARE_SECONDS,
                )
            )
        offer = self._board.offer
        nodes = {known_as: offer.state(known_as).device_nodes for known_as in request.handles}
        prepared = [wire.Prepared(handle=known_as, device_nodes=paths) for known_as, paths in nodes.items()]
        return wire.PrepareResponse(prepared=prepared, revision=offer.revision)

    def release(self, request: wire.ReleaseRequest, _: Call) -> wire.ReleaseResponse:
        """Undo it.

        :raises NotFound: there is no such handle
        """
        for device, part, handle, key in _found(self._board.offer, request.handles):
            self._preparer.act(
                Wish(
                    kind=JobKind.RELEASE,
                    device=device,
                    part=part,
                    handle=handle,
                    key=key,
                    timeout_seconds=_PREPARE_SECONDS,
                )
            )
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


def _act(name: str) -> JobKind:
    if name not in _ACTS:
        raise InvalidValue("act", name, f"one of {', '.join(_ACTS)}")
    return JobKind(name)


def _image(message: wire.Image) -> ImageOrder:
    return ImageOrder(
        digest=message.digest,
        size=message.size,
        name=message.name,
        signature=message.signature,
        public_key=message.public_key,
    )


def _check_others(offer: Offer, wanted: Iterable[_Found]) -> None:
    """What changes a whole device is not done under the hands of whoever has another part of it."""
    mine = {key for *_, key in wanted}
    for device, *_ in wanted:
        for key, part, _handle in handles_of(device):
            state = offer.state(key)
            if key not in mine and (state.holders or state.withdrawn):
                who = ", ".join(map(str, state.holders)) or state.withdrawn
                raise Conflict(f"{part.name} is in use: {who}")


def _found(offer: Offer, wanted: Iterable[str]) -> list[_Found]:
    known = {
        known_as: (device, part, handle, known_as)
        for device in offer.devices
        for known_as, part, handle in handles_of(device)
    }
    missing = [one for one in wanted if one not in known]
    if missing:
        raise NotFound("handle", ", ".join(missing))
    return [known[one] for one in wanted]
