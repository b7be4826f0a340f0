"""The node socket: what the board shows, served to programs on the node."""

import logging
import pwd
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import geteuid
from pathlib import Path
from typing import Any

from accel.agent.board import Board
from accel.agent.loans import Loan, Loans
from accel.agent.returns import Preparer, Returns, Thing, Wish
from accel.errors import AccelError, ConfigurationError, Conflict, InvalidValue, NotFound
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
_ENDS = (str(JobKind.RESET), str(JobKind.SCRUB))
_LEND = "lend"


class NothingToPrepare:
    """All handles are ready as they are."""

    def act(self, wish: Wish) -> None:
        """See ``Preparer.act``."""


class NodeService:
    """Answers the calls.

    :param loans: opened already
    """

    def __init__(self, board: Board, preparer: Preparer, loans: Loans) -> None:
        self._board = board
        self._preparer = preparer
        self._loans = loans
        self._returns = Returns(board, loans, preparer, lambda things: _check_others(board.offer, things))

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
        :raises Unavailable: what its last user has left is not undone in time
        """
        kind = None if request.act == _LEND else _one_of("act", request.act or str(JobKind.PREPARE), (*_ACTS, _LEND))
        end = _one_of("end_act", request.end_act, _ENDS) if request.end_act else None
        found = _found(self._board.offer, request.handles)
        seconds = request.timeout_seconds or _PREPARE_SECONDS
        if kind not in (None, JobKind.PREPARE):
            _check_others(self._board.offer, found)
        if request.fresh:
            self._returns.give_back(found, seconds)
        for thing, name in zip(found, request.lent_as, strict=False):
            self._loans.lend(
                Loan(
                    handle=thing.key,
                    names=(name,),
                    is_prepared=kind is JobKind.PREPARE,
                    end=end,
                    method=request.end_method,
                )
            )
        if kind is not None:
            image = _image(request.image) if request.HasField("image") else None
            for thing in found if kind is JobKind.PREPARE else _parts(found):
                self._preparer.act(
                    Wish(kind=kind, thing=thing, method=request.method, image=image, timeout_seconds=seconds)
                )
        offer = self._board.offer
        nodes = {known_as: offer.state(known_as).device_nodes for known_as in request.handles}
        prepared = [wire.Prepared(handle=known_as, device_nodes=paths) for known_as, paths in nodes.items()]
        return wire.PrepareResponse(prepared=prepared, revision=offer.revision)

    def release(self, request: wire.ReleaseRequest, _: Call) -> wire.ReleaseResponse:
        """Undo it.

        :raises NotFound: there is no such handle
        """
        found = _found(self._board.offer, request.handles)
        lent = [thing for thing in found if self._loans.get(thing.key) is not None]
        for thing in found:
            if thing not in lent:
                self._preparer.act(Wish(kind=JobKind.RELEASE, thing=thing, timeout_seconds=_PREPARE_SECONDS))
        try:
            self._returns.give_back(lent, request.timeout_seconds)
        except AccelError as error:
            return wire.ReleaseResponse(not_yet=str(error))
        return wire.ReleaseResponse()

    def hold(self, request: wire.HoldRequest, _: Call) -> wire.HoldResponse:
        """Note who has what. What is left and not given back yet, its last users have for everybody else."""
        holders = {
            held.handle: tuple(Holder(kind=holder.kind, name=holder.name) for holder in held.holders)
            for held in request.held
        }
        self._loans.used(holders)
        self._returns.left(request.left)
        loans = filter(None, map(self._loans.get, request.left))
        self._board.hold(request.source, {loan.handle: loan.holders for loan in loans} | holders)
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


def _one_of(field: str, name: str, allowed: Sequence[str]) -> JobKind:
    if name not in allowed:
        raise InvalidValue(field, name, f"one of {', '.join(allowed)}")
    return JobKind(name)


def _image(message: wire.Image) -> ImageOrder:
    return ImageOrder(
        digest=message.digest,
        size=message.size,
        name=message.name,
        signature=message.signature,
        public_key=message.public_key,
    )


def _check_others(offer: Offer, wanted: Iterable[Thing]) -> None:
    """What changes a whole device is not done under the hands of whoever has another part of it."""
    wanted = list(wanted)
    mine = {thing.key for thing in wanted}
    for thing in wanted:
        for key, part, _handle in handles_of(thing.device):
            state = offer.state(key)
            if key not in mine and (state.holders or state.withdrawn):
                who = ", ".join(map(str, state.holders)) or state.withdrawn
                raise Conflict(f"{part.name} is in use: {who}")


def _parts(things: Iterable[Thing]) -> Iterable[Thing]:
    """One for each part that they are of."""
    return {(thing.device.identity, thing.part.name): thing for thing in things}.values()


def _found(offer: Offer, wanted: Iterable[str]) -> list[Thing]:
    known = {
        known_as: Thing(device=device, part=part, handle=handle, key=known_as)
        for device in offer.devices
        for known_as, part, handle in handles_of(device)
    }
    missing = [one for one in wanted if one not in known]
    if missing:
        raise NotFound("handle", ", ".join(missing))
    return [known[one] for one in wanted]
