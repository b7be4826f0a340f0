"""What conductors ask of the agents of nodes: to do jobs, and to let them be.

Each agent listens on a topic that all agents share, as the server that has its node's name. As everywhere, what is
asked travels in the wire form, over a broker or within one process.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from accel.errors import AgentRefused, AgentUnavailable, IncompatibleVersion, NotFound, Unavailable
from accel.model.job import JobOrder, JobStatus
from accel.rpc import wire
from accel.rpc.answer import answer_of
from accel.rpc.client import NO_ANSWER, first_line
from accel.rpc.messaging import oslo_messaging

_LOG = logging.getLogger(__name__)

AGENT_TOPIC = "accel-agent"
"""The name of the topic that all agents share."""

AGENT_VERSIONS: tuple[str, ...] = ("1.0",)
"""The versions of the messages to agents that this release speaks, the newest first; the rules are those of
``accel.rpc.api.VERSIONS``.

1.0
    Jobs are ordered and cancelled; agents are told that their node's holders have changed.
"""


class JobDesk(Protocol):
    """Does jobs: the agent of a node, or whoever does them for many nodes."""

    def run_job(self, order: JobOrder, wait_seconds: float) -> JobStatus:
        """Begin a job, or join the one with its UUID, and wait for its end for a while.

        :raises InvalidValue: the order is wrong
        :raises Unavailable: no job is taken now
        """
        ...

    def cancel_job(self, uuid: str) -> JobStatus:
        """End a job that has not begun; one that has goes on.

        :raises NotFound: no such job is known
        """
        ...


class Listener(Protocol):
    """Hears that something is different for its node."""

    def holders_changed(self) -> None:
        """Who has something of the node has changed: ask the conductor for it."""
        ...


class Agents(Protocol):
    """The agents of all nodes."""

    def run_job(self, order: JobOrder, wait_seconds: float) -> JobStatus:
        """See ``JobDesk.run_job``; the order says which node.

        :raises AgentUnavailable: the agent does not answer; it may have begun the job all the same
        :raises AgentRefused: it takes the order for wrong
        """
        ...

    def cancel_job(self, node: str, uuid: str) -> JobStatus | None:
        """See ``JobDesk.cancel_job``; None: the agent does not know the job.

        :raises AgentUnavailable: the agent does not answer
        """
        ...

    def holders_changed(self, node: str) -> None:
        """See ``Listener.holders_changed``. Nobody answers: an agent that does not hear it asks in its own time."""
        ...


class AgentEndpoint:
    """Turns messages into calls of a desk and its answers into messages."""

    target = oslo_messaging.Target(version=AGENT_VERSIONS[0])

    def __init__(self, desk: JobDesk) -> None:
        self._desk = desk

    def run_job(self, _context: object, order: object = None, wait_seconds: object = 0) -> dict[str, Any]:
        """See ``JobDesk.run_job``."""
        return answer_of(lambda: self._desk.run_job(wire.decode(JobOrder, order), wire.decode(float, wait_seconds)))

    def cancel_job(self, _context: object, uuid: object = None) -> dict[str, Any]:
        """See ``JobDesk.cancel_job``."""
        return answer_of(lambda: self._desk.cancel_job(wire.decode(str, uuid)))


class ListenerEndpoint:
    """Turns messages that nobody waits for into calls."""

    target = oslo_messaging.Target(version=AGENT_VERSIONS[0])

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def holders_changed(self, _context: object) -> None:
        """See ``Listener.holders_changed``."""
        self._listener.holders_changed()


def serve_agent(
    transport: oslo_messaging.Transport,
    desk: JobDesk,
    node: str,
    *,
    topic: str = AGENT_TOPIC,
    listener: Listener | None = None,
) -> oslo_messaging.MessageHandlingServer:
    """A server of a node's agent, which answers out of a pool of threads once its ``start()`` is called.

    :param node: the name of the node, or the name that the reports of played nodes give for their agent
    :param listener: None: it does not care
    """
    target = oslo_messaging.Target(topic=topic, server=node)
    endpoints: list[object] = [AgentEndpoint(desk)]
    if listener is not None:
        endpoints.append(ListenerEndpoint(listener))
    return oslo_messaging.get_rpc_server(transport, target, endpoints)


class AgentsClient:
    """The ``Agents`` for conductors, over a broker. Threads may share it.

    :param timeout_seconds: how much longer than it was asked to wait an agent may take to answer
    :param listens_as: by which name the agent of a node listens; empty: by that of the node
    """

    def __init__(
        self,
        transport: oslo_messaging.Transport,
        *,
        timeout_seconds: float = 30,
        topic: str = AGENT_TOPIC,
        listens_as: Callable[[str], str] = lambda _node: "",
    ) -> None:
        target = oslo_messaging.Target(topic=topic, version=AGENT_VERSIONS[0])
        self._calls = oslo_messaging.get_rpc_client(
            transport, target, retry=0, transport_options=oslo_messaging.TransportOptions(at_least_once=True)
        )
        self._casts = oslo_messaging.get_rpc_client(transport, target, retry=0)
        self._timeout_seconds = timeout_seconds
        self._listens_as = listens_as

    def run_job(self, order: JobOrder, wait_seconds: float) -> JobStatus:
        """See ``Agents.run_job``."""
        sent = {"order": wire.encode(order), "wait_seconds": float(wait_seconds)}
        return wire.decode(JobStatus, self._send(order.node, "run_job", wait_seconds, sent))

    def cancel_job(self, node: str, uuid: str) -> JobStatus | None:
        """See ``Agents.cancel_job``."""
        return _status_if_known(lambda: self._send(node, "cancel_job", 0, {"uuid": uuid}))

    def holders_changed(self, node: str) -> None:
        """See ``Agents.holders_changed``."""
        try:
            self._casts.prepare(server=node).cast({}, "holders_changed")
        except NO_ANSWER as error:
            _LOG.info("the agent of %s was not told that holders have changed: %s", node, first_line(error))

    def _send(self, node: str, method: str, wait_seconds: float, arguments: dict[str, Any]) -> Any:
        timeout, server = wait_seconds + self._timeout_seconds, self._listens_as(node) or node
        try:
            answer = self._calls.prepare(server=server, timeout=timeout).call({}, method, **arguments)
        except oslo_messaging.UnsupportedVersion as error:
            raise AgentRefused(f"the agent of {node} is too many releases apart", IncompatibleVersion.code) from error
        except NO_ANSWER as error:
            raise AgentUnavailable(f"the agent of {node} did not answer {method}: {first_line(error)}") from error
        return result_of_agent(node, answer)


class LocalAgents:
    """The ``Agents`` for a conductor in whose process they all are.

    :param desk_of: the desk that does the jobs of a node; None: nobody does
    :param listener_of: who hears that something is different for a node; None: nobody does
    """

    def __init__(
        self,
        desk_of: Callable[[str], JobDesk | None],
        listener_of: Callable[[str], Listener | None] = lambda _: None,
    ) -> None:
        self._desk_of = desk_of
        self._listener_of = listener_of

    def run_job(self, order: JobOrder, wait_seconds: float) -> JobStatus:
        """See ``Agents.run_job``."""
        copy = wire.decode(JobOrder, wire.encode(order))
        desk = self._desk(order.node)
        return wire.decode(JobStatus, result_of_agent(order.node, answer_of(lambda: desk.run_job(copy, wait_seconds))))

    def cancel_job(self, node: str, uuid: str) -> JobStatus | None:
        """See ``Agents.cancel_job``."""
        desk = self._desk(node)
        return _status_if_known(lambda: result_of_agent(node, answer_of(lambda: desk.cancel_job(uuid))))

    def holders_changed(self, node: str) -> None:
        """See ``Agents.holders_changed``."""
        listener = self._listener_of(node)
        if listener is not None:
            listener.holders_changed()

    def _desk(self, node: str) -> JobDesk:
        desk = self._desk_of(node)
        if desk is None:
            raise AgentUnavailable(f"there is no agent of {node} here")
        return desk


def result_of_agent(node: str, answer: object) -> Any:
    """What an agent answered, or its error raised.

    :raises AgentUnavailable: it takes nothing now, or it is no agent of ours
    :raises AgentRefused: it takes the message for wrong
    """
    if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
        raise AgentUnavailable(f"the agent of {node} answered something that is no answer: {answer!r}")
    if "result" in answer:
        return answer["result"]
    error = wire.decode(dict[str, str], answer["error"])
    code, message = error.get("code", ""), error.get("message", "")
    if code == Unavailable.code:
        raise AgentUnavailable(message)
    raise AgentRefused(message, code)


def _status_if_known(ask: Callable[[], Any]) -> JobStatus | None:
    try:
        return wire.decode(JobStatus, ask())
    except AgentRefused as error:
        if error.remote_code != NotFound.code:
            raise
        return None
