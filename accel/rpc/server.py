"""The conductor's side of the messages."""

from typing import Any

from accel.model.audit import AuditWanted
from accel.model.report import Heartbeat, NodeReport
from accel.model.request import RequestChanges
from accel.rpc import wire
from accel.rpc.answer import answer_of
from accel.rpc.api import CONDUCTOR_TOPIC, VERSIONS, ClaimsService, Conductor, Images
from accel.rpc.messaging import oslo_messaging
from accel.rpc.negotiation import newest_common


class ConductorEndpoint:
    """Turns messages into calls of a conductor and its answers into messages.

    What is wrong with a message is an error like any other; only a mistake of our own leaves as an exception.
    """

    target = oslo_messaging.Target(version=VERSIONS[0])

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def hello(self, _context: object, versions: object = ()) -> dict[str, Any]:
        """Agree on the version of all further messages; the answer is the newest that both speak."""
        return answer_of(lambda: newest_common(VERSIONS, wire.decode(tuple[str, ...], versions)))

    def report(self, _context: object, report: object = None) -> dict[str, Any]:
        """See ``Conductor.report``."""
        return answer_of(lambda: self._conductor.report(wire.decode(NodeReport, report)))

    def heartbeat(self, _context: object, heartbeat: object = None) -> dict[str, Any]:
        """See ``Conductor.heartbeat``."""
        return answer_of(lambda: self._conductor.heartbeat(wire.decode(Heartbeat, heartbeat)))

    def withdrawals(self, _context: object, node: object = None) -> dict[str, Any]:
        """See ``Conductor.withdrawals``."""
        return answer_of(lambda: self._conductor.withdrawals(wire.decode(str, node)))


class ImagesEndpoint:
    """Turns messages of nodes that want images into calls and what they get into messages."""

    target = oslo_messaging.Target(version=VERSIONS[0])

    def __init__(self, images: Images) -> None:
        self._images = images

    def read_image(self, _context: object, digest: object = None, offset: object = None) -> dict[str, Any]:
        """See ``Images.read_image``."""
        return answer_of(lambda: self._images.read_image(wire.decode(str, digest), wire.decode(int, offset)))


class ClaimsEndpoint:
    """Turns messages about accelerator requests into calls and what comes of them into messages."""

    target = oslo_messaging.Target(version=VERSIONS[0])

    def __init__(self, claims: ClaimsService) -> None:
        self._claims = claims

    def change_requests(self, _context: object, wanted: object = None) -> dict[str, Any]:
        """See ``ClaimsService.change_requests``."""
        return answer_of(lambda: self._claims.change_requests(wire.decode(RequestChanges, wanted)))

    def take_up_work(self, _context: object) -> dict[str, Any]:
        """See ``Claims.take_up_work``."""
        return answer_of(self._claims.take_up_work)

    def audit(self, _context: object, wanted: object = None) -> dict[str, Any]:
        """See ``Claims.audit``."""
        return answer_of(lambda: self._claims.audit(wire.decode(AuditWanted, wanted)))


def serve(
    transport: oslo_messaging.Transport,
    conductor: Conductor,
    host: str,
    *,
    topic: str = CONDUCTOR_TOPIC,
    claims: ClaimsService | None = None,
    images: Images | None = None,
) -> oslo_messaging.MessageHandlingServer:
    """A server that answers out of a pool of threads, once its ``start()`` is called.

    :param host: the name of this conductor; each has its own
    :param claims: None: it answers agents only
    :param images: None: it has none
    """
    endpoints: list[object] = [ConductorEndpoint(conductor)]
    if claims is not None:
        endpoints.append(ClaimsEndpoint(claims))
    if images is not None:
        endpoints.append(ImagesEndpoint(images))
    target = oslo_messaging.Target(topic=topic, server=host)
    return oslo_messaging.get_rpc_server(transport, target, endpoints)
