"""A conductor in the same process, reached through the same wire form as one far away.

What works here works over a broker too: nothing is shared between caller and conductor, and what cannot be encoded
fails here as well. It costs microseconds, because no broker and no thread is between.
"""

from collections.abc import Callable

from accel.model.audit import Audit, AuditWanted
from accel.model.offer import Withdrawal
from accel.model.report import Acknowledgement, Heartbeat, NodeReport
from accel.rpc import wire
from accel.rpc.answer import answer_of, result_of
from accel.rpc.api import Claims, Conductor, Images
from accel.rpc.wire import Value


class LocalConductor:
    """The ``Conductor`` for callers in the conductor's own process."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def report(self, report: NodeReport) -> Acknowledgement:
        """See ``Conductor.report``; raises what ``ConductorClient.report`` raises."""
        return _acknowledged(lambda: self._conductor.report(_copy(NodeReport, report)))

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        """See ``Conductor.heartbeat``; raises what ``ConductorClient.report`` raises."""
        return _acknowledged(lambda: self._conductor.heartbeat(_copy(Heartbeat, heartbeat)))

    def withdrawals(self, node: str) -> tuple[Withdrawal, ...]:
        """See ``Conductor.withdrawals``; raises what ``ConductorClient.report`` raises."""
        return wire.decode(tuple[Withdrawal, ...], result_of(answer_of(lambda: self._conductor.withdrawals(node))))


class LocalImages:
    """The ``Images`` for callers in the conductor's own process."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def read_image(self, digest: str, offset: int) -> bytes:
        """See ``Images.read_image``; raises what ``ConductorClient.read_image`` raises."""
        return wire.decode(bytes, result_of(answer_of(lambda: self._images.read_image(digest, offset))))


class LocalClaims:
    """The ``Claims`` for callers in the conductor's own process."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims

    def take_up_work(self) -> None:
        """See ``Claims.take_up_work``; raises what ``ClaimsClient.take_up_work`` raises."""
        result_of(answer_of(self._claims.take_up_work))

    def audit(self, wanted: AuditWanted) -> Audit:
        """See ``Claims.audit``; raises what ``ClaimsClient.audit`` raises."""
        return wire.decode(Audit, result_of(answer_of(lambda: self._claims.audit(_copy(AuditWanted, wanted)))))


def _acknowledged(call: Callable[[], Acknowledgement]) -> Acknowledgement:
    return wire.decode(Acknowledgement, result_of(answer_of(call)))


def _copy(kind: type[Value], value: Value) -> Value:
    return wire.decode(kind, wire.encode(value))
