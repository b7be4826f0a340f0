"""Agent and conductor over a real broker."""

import gc
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.broker import RABBITMQ_URL, broker_behind_proxy, broker_topic, opened_transport
from support.waiting import until

from accel.errors import ConductorRefused, ConductorUnavailable, DatabaseUnavailable
from accel.model.report import Acknowledgement, Heartbeat, NodeInfo, NodeReport, Verdict
from accel.rpc import wire
from accel.rpc.client import ConductorClient
from accel.rpc.messaging import oslo_messaging
from accel.rpc.server import serve

pytestmark = [
    pytest.mark.rabbitmq,
    # Where a connection breaks, the library leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

REPORT = NodeReport(node=NodeInfo(name="node-1", agent_version="1"), boot_id="boot", sequence=1)
HEARTBEAT = Heartbeat(node="node-1", boot_id="boot", sequence=2, content_hash="")


@dataclass
class NotingConductor:
    """Accepts everything and keeps it."""

    taken: list[object] = field(default_factory=list)
    failure: Exception | None = None

    def report(self, report: NodeReport) -> Acknowledgement:
        return self._take(report)

    def heartbeat(self, heartbeat: Heartbeat) -> Acknowledgement:
        return self._take(heartbeat)

    def _take(self, message: NodeReport | Heartbeat) -> Acknowledgement:
        if self.failure is not None:
            raise self.failure
        self.taken.append(message)
        return Acknowledgement(verdict=Verdict.ACCEPTED, sequence=message.sequence)


@contextmanager
def served(conductor: NotingConductor, topic: str, directory: Path, url: str = RABBITMQ_URL) -> Iterator[None]:
    with opened_transport(directory, url) as transport:
        server = serve(transport, conductor, "conductor-1", topic=topic)
        server.start()
        try:
            yield
        finally:
            server.stop()
            server.wait()


@pytest.fixture
def topic() -> Iterator[str]:
    with broker_topic() as name:
        yield name
    gc.collect()


@pytest.fixture
def transport(tmp_path: Path, topic: str) -> Iterator[oslo_messaging.Transport]:  # noqa: ARG001  # skips without a broker
    with opened_transport(tmp_path) as transport:
        yield transport


@pytest.fixture
def conductor(tmp_path: Path, topic: str) -> Iterator[NotingConductor]:
    conductor = NotingConductor()
    with served(conductor, topic, tmp_path):
        yield conductor


def test_a_report_and_a_heartbeat_reach_the_conductor_as_they_were_sent(
    transport: oslo_messaging.Transport, topic: str, conductor: NotingConductor
) -> None:
    client = ConductorClient(transport, topic=topic)

    answers = [client.report(REPORT), client.heartbeat(HEARTBEAT)]

    assert conductor.taken == [REPORT, HEARTBEAT]
    assert answers == [
        Acknowledgement(verdict=Verdict.ACCEPTED, sequence=1),
        Acknowledgement(verdict=Verdict.ACCEPTED, sequence=2),
    ]


def test_an_agent_that_knows_version_1_0_alone_is_understood(
    transport: oslo_messaging.Transport, topic: str, conductor: NotingConductor
) -> None:
    client = ConductorClient(transport, topic=topic, versions=("1.0",))

    client.report(REPORT)

    assert conductor.taken == [REPORT]


def test_a_message_as_an_agent_of_the_first_release_sent_it_is_taken(
    transport: oslo_messaging.Transport, topic: str, conductor: NotingConductor
) -> None:
    stored = json.loads((Path(__file__).parents[1] / "data/wire/1.0.json").read_text())
    calls = oslo_messaging.get_rpc_client(transport, oslo_messaging.Target(topic=topic, version="1.0"), timeout=10)

    version = calls.call({}, "hello", versions=["1.0"])
    answer = calls.call({}, "report", report=stored["report"])

    assert version == {"result": "1.0"}
    assert answer == {"result": {"verdict": "accepted", "sequence": 41}}
    assert conductor.taken == [wire.decode(NodeReport, stored["report"])]


def test_an_agent_newer_than_the_conductor_speaks_the_conductor_s_version(
    transport: oslo_messaging.Transport, topic: str, conductor: NotingConductor
) -> None:
    client = ConductorClient(transport, topic=topic, versions=("1.99", "1.0"))

    client.report(REPORT)

    assert conductor.taken == [REPORT]


@pytest.mark.usefixtures("conductor")
def test_an_agent_without_a_version_in_common_is_told_so(transport: oslo_messaging.Transport, topic: str) -> None:
    client = ConductorClient(transport, topic=topic, versions=("7.0",))

    with pytest.raises(ConductorRefused, match=r"1\.0, the other 7\.0; upgrade") as refusal:
        client.report(REPORT)
    assert refusal.value.remote_code == "accel.incompatible_version"


@pytest.mark.parametrize("method", ["report", "heartbeat", "hello"])
@pytest.mark.usefixtures("conductor")
def test_a_message_that_is_nonsense_is_answered_with_an_error(
    transport: oslo_messaging.Transport, topic: str, method: str
) -> None:
    target = oslo_messaging.Target(topic=topic, version="1.0")
    calls = oslo_messaging.get_rpc_client(transport, target, timeout=10)
    argument = "versions" if method == "hello" else method

    answer = calls.call({}, method, **{argument: {"node": 7}})

    assert answer["error"]["code"] == "accel.invalid_value"


def test_a_conductor_without_database_is_away(
    transport: oslo_messaging.Transport, topic: str, conductor: NotingConductor
) -> None:
    conductor.failure = DatabaseUnavailable("the database does not answer")
    client = ConductorClient(transport, topic=topic)

    with pytest.raises(ConductorUnavailable, match="the database does not answer"):
        client.report(REPORT)


def test_a_mistake_in_the_conductor_makes_it_unavailable_and_does_not_stop_it(
    transport: oslo_messaging.Transport, topic: str, conductor: NotingConductor
) -> None:
    conductor.failure = KeyError("a mistake of ours")
    client = ConductorClient(transport, topic=topic)
    with pytest.raises(ConductorUnavailable):
        client.report(REPORT)
    conductor.failure = None

    client.report(REPORT)

    assert conductor.taken == [REPORT]


def test_without_any_conductor_a_call_fails_at_once(transport: oslo_messaging.Transport, topic: str) -> None:
    client = ConductorClient(transport, topic=topic, timeout_seconds=60)

    with pytest.raises(ConductorUnavailable, match="MessageUndeliverable"):
        client.report(REPORT)


@pytest.mark.timeout(60)
def test_both_sides_recover_when_the_broker_comes_back(topic: str, tmp_path: Path) -> None:
    conductor = NotingConductor()
    with ExitStack() as stack:
        proxy, url = stack.enter_context(broker_behind_proxy())
        stack.enter_context(served(conductor, topic, tmp_path, url))
        transport = stack.enter_context(opened_transport(tmp_path, url))
        client = ConductorClient(transport, topic=topic, timeout_seconds=3)
        client.report(REPORT)

        proxy.cut()
        with pytest.raises(ConductorUnavailable):
            client.heartbeat(HEARTBEAT)
        proxy.mend()
        _until_accepted(client)

    assert conductor.taken[-1] == HEARTBEAT


def _until_accepted(client: ConductorClient) -> None:
    def is_accepted() -> bool:
        try:
            client.heartbeat(HEARTBEAT)
        except ConductorUnavailable:
            return False
        return True

    until(is_accepted)


@pytest.mark.timeout(60)
def test_an_agent_that_starts_before_the_broker_is_not_held_up_and_finds_it_later(topic: str, tmp_path: Path) -> None:
    conductor = NotingConductor()
    with ExitStack() as stack:
        proxy, url = stack.enter_context(broker_behind_proxy())
        proxy.cut()
        stack.enter_context(served(conductor, topic, tmp_path))
        transport = stack.enter_context(opened_transport(tmp_path, url))
        client = ConductorClient(transport, topic=topic, timeout_seconds=1)
        with pytest.raises(ConductorUnavailable):
            client.heartbeat(HEARTBEAT)

        proxy.mend()
        _until_accepted(client)

    assert conductor.taken[-1] == HEARTBEAT
