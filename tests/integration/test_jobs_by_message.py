"""Jobs that a conductor orders at the agent of a node, over a real broker and within one process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from support.broker import broker_topic, opened_transport
from support.faulty_drivers import faulty_drivers
from support.jobs import PATIENCE_SECONDS, Node, order
from support.waiting import until

from accel.errors import AgentRefused, AgentUnavailable
from accel.model.job import JobState
from accel.rpc.agents import Agents, AgentsClient, LocalAgents, serve_agent

__all__ = ["faulty_drivers"]  # a fixture
pytestmark = [
    pytest.mark.usefixtures("faulty_drivers"),
    # Where a connection breaks, the library leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@contextmanager
def by_broker(node: Node) -> Iterator[Agents]:
    with broker_topic() as topic, opened_transport(node.directory) as transport:
        server = serve_agent(transport, node.desk, "node-1", topic=topic)
        server.start()
        try:
            yield AgentsClient(transport, topic=topic, timeout_seconds=2)
        finally:
            server.stop()
            server.wait()
    gc.collect()


@contextmanager
def in_one_process(node: Node) -> Iterator[Agents]:
    yield LocalAgents(lambda name: node.desk if name == "node-1" else None)


@pytest.fixture(params=[pytest.param(by_broker, marks=pytest.mark.rabbitmq), in_one_process])
def agents(request: pytest.FixtureRequest, node: Node) -> Iterator[Agents]:
    with request.param(node) as agents:
        yield agents


def test_a_job_is_ordered_waited_for_and_asked_after_again(agents: Agents, node: Node) -> None:
    wanted = order("half")
    with node.closed():
        assert not agents.run_job(wanted, 0).is_ended
        node.until_begun()
        until(lambda: agents.run_job(wanted, 0).message == "cutting", patience_seconds=PATIENCE_SECONDS)
    done = agents.run_job(wanted, PATIENCE_SECONDS)

    assert (done.state, done.fraction, node.parts()) == (JobState.DONE, 1, "half=1")
    assert agents.run_job(wanted, PATIENCE_SECONDS) == done


def test_a_job_that_waits_is_cancelled(agents: Agents, node: Node) -> None:
    first, second = order("first"), order("second")
    with node.closed():
        agents.run_job(first, 0)
        node.until_begun()
        agents.run_job(second, 0)
        cancelled = agents.cancel_job("node-1", second.uuid)
    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED
    assert agents.cancel_job("node-1", str(uuid4())) is None


def test_an_order_that_is_wrong_is_refused_with_the_reason(agents: Agents) -> None:
    with pytest.raises(AgentRefused, match="'no-uuid' is not a UUID") as refused:
        agents.run_job(order(uuid="no-uuid"), 0)
    assert refused.value.remote_code == "accel.invalid_value"


def test_a_node_whose_agent_is_away_is_named(agents: Agents) -> None:

    with pytest.raises(AgentUnavailable, match="node-7"):
        agents.run_job(replace(order(), node="node-7"), 0)


def test_an_agent_that_is_ending_takes_no_job_and_is_as_good_as_away(agents: Agents, node: Node) -> None:
    node.desk.stop()

    with pytest.raises(AgentUnavailable, match="is ending"):
        agents.run_job(order(), 0)
