"""The conductor's side of the messages."""

import logging
from typing import Any

from accel.errors import AccelError
from accel.model.report import Heartbeat, NodeReport
from accel.rpc import wire
from accel.rpc.api import CONDUCTOR_TOPIC, VERSIONS, Conductor
from accel.rpc.messaging import oslo_messaging
from accel.rpc.negotiation import newest_common

_LOG = logging.getLogger(__name__)


class ConductorEndpoint:
    """Turns messages into calls of a conductor and its answers into messages.

    Every answer is ``{"result": …}`` or ``{"error": {"code": …, "message": …}}``. What is wrong with a message is an
    error like any other; only a mistake of our own leaves as an exception.
    """

    target = oslo_messaging.Target(version=VERSIONS[0])

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def hello(self, _context: object, versions: object = ()) -> dict[str, Any]:
        """Agree on the version of all further messages; the answer is the newest that both speak."""
        try:
            return {"result": newest_common(VERSIONS, wire.decode(tuple[str, ...], versions))}
        except AccelError as error:
            return _error(error)

    def report(self, _context: object, report: object = None) -> dict[str, Any]:
        """See ``Conductor.report``."""
        try:
            return _result(self._conductor.report(wire.decode(NodeReport, report)))
        except AccelError as error:
            return _error(error)

    def heartbeat(self, _context: object, heartbeat: object = None) -> dict[str, Any]:
        """See ``Conductor.heartbeat``."""
        try:
            return _result(self._conductor.heartbeat(wire.decode(Heartbeat, heartbeat)))
        except AccelError as error:
            return _error(error)


def serve(
    transport: oslo_messaging.Transport, conductor: Conductor, host: str, *, topic: str = CONDUCTOR_TOPIC
) -> oslo_messaging.MessageHandlingServer:
    """A server that answers agents out of a pool of threads, once its ``start()`` is called.

    :param host: the name of this conductor; each has its own
    """
    target = oslo_messaging.Target(topic=topic, server=host)
    return oslo_messaging.get_rpc_server(transport, target, [ConductorEndpoint(conductor)])


def _result(value: object) -> dict[str, Any]:
    return {"result": wire.encode(value)}


def _error(error: AccelError) -> dict[str, Any]:
    _LOG.warning("A message is answered with %s: %s", error.code, error)
    return {"error": {"code": error.code, "message": str(error)}}
