"""The sides of the messages that ask: an agent's, and the API's."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from accel.errors import AccelError, ConductorUnavailable
from accel.model.audit import Audit, AuditWanted
from accel.model.offer import Withdrawal
from accel.model.report import Acknowledgement, Heartbeat, NodeReport
from accel.rpc import wire
from accel.rpc.answer import result_of
from accel.rpc.api import CLAIMS_VERSIONS, CONDUCTOR_TOPIC, VERSIONS
from accel.rpc.messaging import oslo_messaging
from accel.rpc.soon import Soon

_LOG = logging.getLogger(__name__)

_FIRST_VERSION = "1.0"
"""Every conductor understands ``hello`` in this version."""

_CONNECT_PATIENCE_SECONDS = 5.0
"""How long a call waits for the first connection; the attempt goes on while callers do something else."""

NO_ANSWER = (
    oslo_messaging.MessagingException,
    oslo_messaging.MessageUndeliverable,
    OSError,
    # A mistake in the conductor arrives as the built-in error that was raised there.
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What the library raises where there is no answer; these have no common ancestor of their own."""


class Calls:
    """Calls to whichever conductor answers, over a broker. Threads may share one object.

    The first call, and the first after a failure, agrees on a version with whichever conductor answers, so services
    may be upgraded in any order.

    :param timeout_seconds: how long a call waits for its answer
    :param versions: what this side speaks, the newest first
    """

    def __init__(
        self,
        transport: oslo_messaging.Transport,
        *,
        timeout_seconds: float = 30,
        topic: str = CONDUCTOR_TOPIC,
        versions: Sequence[str] = VERSIONS,
    ) -> None:
        target = oslo_messaging.Target(topic=topic, version=_FIRST_VERSION)
        # Whoever calls tries again in his own time, so the library tries once, and fails at once where nobody listens.
        self._calls = oslo_messaging.get_rpc_client(
            transport,
            target,
            timeout=timeout_seconds,
            retry=0,
            transport_options=oslo_messaging.TransportOptions(at_least_once=True),
        )
        self._patience_seconds = min(timeout_seconds, _CONNECT_PATIENCE_SECONDS)
        self._versions = versions
        self._lock = threading.Lock()
        self._agreement: Future[str] | None = None

    def call(self, method: str, **arguments: Any) -> Any:
        """What a method of the conductor answers.

        :raises ConductorUnavailable: no conductor has answered
        :raises ConductorRefused: the conductor takes the message for wrong, or is too many releases apart from us
        """
        version = self.agreed_version()
        try:
            return self._send(version, method, arguments)
        except AccelError:
            self._forget_agreement()
            raise

    def agreed_version(self) -> str:
        """The version that we and the conductor speak; raises what ``call`` raises.

        The library connects without a time limit when it sends for the first time, so that happens in a thread, and all
        calls share the one attempt.
        """
        with self._lock:
            if self._agreement is None:
                self._agreement = Future()
                threading.Thread(
                    target=self._agree, args=(self._agreement,), name="conductor-hello", daemon=True
                ).start()
            agreement = self._agreement
        try:
            return agreement.result(timeout=self._patience_seconds)
        except TimeoutError as error:
            raise ConductorUnavailable("neither the broker nor a conductor has answered yet") from error
        except AccelError:
            self._forget_agreement()
            raise

    def _agree(self, agreement: Future[str]) -> None:
        try:
            version = self._send(_FIRST_VERSION, "hello", {"versions": list(self._versions)})
            agreement.set_result(wire.decode(str, version))
        except AccelError as error:
            agreement.set_exception(error)

    def _forget_agreement(self) -> None:
        """Agree anew at the next call: another release of the conductor may answer it. An attempt under way goes on."""
        with self._lock:
            if self._agreement is not None and self._agreement.done():
                self._agreement = None

    def _send(self, version: str, method: str, arguments: dict[str, Any]) -> Any:
        try:
            answer = self._calls.prepare(version=version).call({}, method, **arguments)
        except NO_ANSWER as error:
            raise ConductorUnavailable(f"no conductor answered {method}: {first_line(error)}") from error
        return result_of(answer)


class ConductorClient(Calls):
    """The ``Conductor`` for agents that reach it over a broker."""

    def report(self, report: NodeReport) -> Acknowledgement:
        """See ``Conductor.report``.

        :raises ConductorUnavailable: no conductor took the report
        :raises ConductorRefused: the conductor takes the report for wrong, or is too many releases apart from us
        """
        return wire.decode(Acknowledgement, self.call("report", report=wire.encode(report)))

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        """See ``Conductor.heartbeat``; raises what ``report`` raises."""
        return wire.decode(Acknowledgement, self.call("heartbeat", heartbeat=wire.encode(heartbeat)))

    def withdrawals(self, node: str) -> tuple[Withdrawal, ...]:
        """See ``Conductor.withdrawals``; raises what ``report`` raises."""
        return wire.decode(tuple[Withdrawal, ...], self.call("withdrawals", node=node))

    def read_image(self, digest: str, offset: int) -> bytes:
        """See ``Images.read_image``; raises what ``report`` raises."""
        return wire.decode(bytes, self.call("read_image", digest=digest, offset=offset))


class ClaimsClient(Calls):
    """The ``Claims`` for an API that reaches a conductor over a broker."""

    def __init__(
        self,
        transport: oslo_messaging.Transport,
        *,
        timeout_seconds: float = 30,
        topic: str = CONDUCTOR_TOPIC,
        versions: Sequence[str] = CLAIMS_VERSIONS,
    ) -> None:
        super().__init__(transport, timeout_seconds=timeout_seconds, topic=topic, versions=versions)
        self._soon = Soon(self._take_up_work, name="conductor-work")

    def take_up_work(self) -> None:
        """See ``Claims.take_up_work``. Nobody is waited for: where no conductor answers, that is for the log only."""
        self._soon()

    def _take_up_work(self) -> None:
        try:
            self.call("take_up_work")
        except AccelError as error:
            _LOG.warning("what waits for a conductor is done when one looks for it: %s", error)

    def audit(self, wanted: AuditWanted) -> Audit:
        """See ``Claims.audit``.

        :raises ConductorUnavailable: no conductor answered in time; some of it may be mended all the same
        """
        return wire.decode(Audit, self.call("audit", wanted=wire.encode(wanted)))


def first_line(error: Exception) -> str:
    """Without the traceback of the other process, which is in the log over there."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
