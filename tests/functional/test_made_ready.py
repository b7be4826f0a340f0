"""What the agent does to devices for pods: when they are given away, and before each start of a container."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from support.offered import card, handle_of
from support.readied import CARDS
from support.working import GPU, WorkingAgent, done, working

from accel.agent.board import Board
from accel.drivers.base import Host
from accel.errors import CallFailed
from accel.protos import accel_node_v1_pb2 as wire
from accel.sockets.client import Client
from accel.sockets.offers import NODE_SERVICE
from accel.testing.cdi import CdiRuntime
from accel.testing.kubelet import ContainerRefused, Pod, PodRefused

pytestmark = pytest.mark.timeout(180)

POD = Pod("default", "train", {"main": {GPU: 1}})
_PATIENCE = 20.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path, as a socket's is limited."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


def test_what_is_made_ready_when_it_is_given_away_is_known_to_runtimes_before_the_kubelet_hears(place: Path) -> None:
    with working(place, prepared=True) as made:
        made.kubelet.wait_for(GPU, allocatable=len(CARDS))

        admitted = made.kubelet.admit(POD)

        (identity,) = admitted.ids(GPU)
        assert done(made) == [f"prepare {identity} 36"]
        names = [device.name for device in admitted.answer("main", GPU).cdi_devices]
        assert CdiRuntime([place / "cdi"]).inject(names).nodes == ["/dev/vfio/vfio", "/dev/vfio/42"]


@pytest.mark.parametrize(
    ("before_start", "what"), [("reset", "reset {}"), ({"scrub": "zero"}, "scrub {} zero")], ids=["reset", "scrub"]
)
def test_before_each_start_of_a_container_it_is_done_anew(place: Path, before_start: Any, what: str) -> None:
    with working(place, before_start=before_start) as made:
        made.kubelet.wait_for(GPU, allocatable=len(CARDS))
        (identity,) = made.kubelet.admit(POD).ids(GPU)
        assert done(made) == []

        made.kubelet.start_container(POD, "main")
        made.kubelet.start_container(POD, "main")

        assert done(made) == [what.format(identity)] * 2


def test_a_container_whose_device_cannot_be_reset_is_not_started_and_is_later(place: Path) -> None:
    with working(place, before_start="reset") as made:
        made.kubelet.wait_for(GPU, allocatable=len(CARDS))
        made.kubelet.admit(POD)
        (place / "host/broken").touch()

        with pytest.raises(ContainerRefused, match="it does not answer"):
            made.kubelet.start_container(POD, "main")
        (place / "host/broken").unlink()

        made.kubelet.start_container(POD, "main")


def test_while_the_agent_is_away_what_wants_it_is_refused(place: Path) -> None:
    with working(place, prepared=True) as made:
        made.kubelet.wait_for(GPU, allocatable=len(CARDS))
        made.agent.stop()

        with pytest.raises(PodRefused, match=r"node\.sock"):
            made.kubelet.admit(POD)


@pytest.fixture
def client(place: Path) -> Iterator[Client]:
    agent = WorkingAgent(Board(Host(name="node-1", root=place / "host")), place / "node.sock")
    agent.start()
    made = Client(agent.path, NODE_SERVICE)
    yield made
    made.close()
    agent.stop()


def ask(client: Client, act: str, **more: Any) -> Any:
    request = wire.PrepareRequest(handles=[handle_of(card(1))], act=act, **more)
    return client.call("Prepare", request, timeout_seconds=_PATIENCE)


def test_an_act_that_there_is_not_is_refused_with_those_that_there_are(client: Client) -> None:
    with pytest.raises(CallFailed, match="act: 'paint' is not one of prepare, reset, scrub, program"):
        ask(client, "paint")


def test_what_a_driver_cannot_do_is_said(client: Client) -> None:
    image = wire.Image(digest="sha256:" + "0" * 64, size=1, name="a")
    with pytest.raises(CallFailed):
        ask(client, "program", image=image)
