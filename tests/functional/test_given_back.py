"""What a pod was lent is undone when the pod has gone, although nobody tells of it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.offered import Node
from support.readied import CARDS
from support.waiting import until
from support.working import GPU, done, working

from accel.agent.ownership import KUBELET
from accel.kubernetes.plugin import Plugin
from accel.protos import accel_node_v1_pb2 as wire
from accel.sockets.client import Client
from accel.sockets.offers import NODE_SERVICE
from accel.testing.kubelet import Kubelet, Pod

pytestmark = pytest.mark.timeout(180)

POD = Pod("default", "train", {"main": {GPU: 1}})
NEXT = Pod("default", "next", {"main": {GPU: 1}})
BOTH = Pod("default", "both", {"main": {GPU: len(CARDS)}})
SOON = 0.1
LATE = 600.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path, as a socket's is limited."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


def holders(made: Node) -> list[str]:
    """Who has something, by the kubelet's word as the agent has it."""
    held = made.agent.board.holders(KUBELET) or {}
    return sorted(who.name for those in held.values() for who in those)


def withdrawn(made: Node) -> list[str]:
    return [state.withdrawn for state in made.agent.board.offer.states.values() if state.withdrawn]


def admitted(made: Node, pod: Pod = POD) -> list[str]:
    """Admit a pod; the devices that it has, once the agent knows of it."""
    made.kubelet.wait_for(GPU, allocatable=len(CARDS))
    ids = made.kubelet.admit(pod).ids(GPU)
    until(lambda: f"{pod.key}/main" in holders(made))
    return ids


def test_what_was_made_ready_is_released_when_the_pod_has_gone(place: Path) -> None:
    with working(place, grace=SOON, prepared=True) as made:
        (identity,) = admitted(made)

        made.kubelet.delete(POD)

        until(lambda: done(made) == [f"prepare {identity} 36", f"release {identity}"])
        until(lambda: not holders(made))
        made.kubelet.wait_for(GPU, allocatable=len(CARDS))
        assert list((place / "lent").iterdir()) == []


def test_what_the_pod_has_left_is_taken_out_by_the_rule_of_its_time(place: Path) -> None:
    with working(place, grace=SOON, after_end={"scrub": "zero"}) as made:
        (identity,) = admitted(made)
        assert done(made) == []

        made.kubelet.delete(POD)

        until(lambda: done(made) == [f"scrub {identity} zero"])


def test_until_then_nobody_gets_it_and_for_everybody_else_the_pod_has_it(place: Path) -> None:
    with working(place, grace=LATE, prepared=True) as made:
        admitted(made)

        made.kubelet.delete(POD)

        made.kubelet.wait_for(GPU, allocatable=len(CARDS) - 1)
        assert holders(made) == ["default/train/main"]
        assert withdrawn(made) == ["what pod default/train/main has left is yet to be undone"]


def test_a_pod_that_stays_keeps_it_through_restarts_of_all(place: Path) -> None:
    with working(place, grace=SOON, prepared=True) as made:
        (identity,) = admitted(made)

        for _ in range(2):
            made.restart_plugin()
            made.agent.stop()
            made.agent.board.hold(KUBELET, {})
            made.agent.start()
            made.restart_kubelet()
            until(lambda: holders(made) == ["default/train/main"])

        assert done(made) == [f"prepare {identity} 36"]


def test_a_pod_that_goes_while_agent_and_plugin_are_away_is_noticed_later(place: Path) -> None:
    with working(place, grace=SOON, prepared=True) as made:
        (identity,) = admitted(made)
        made.plugin.stop(for_good=False)
        made.agent.stop()

        made.kubelet.delete(POD)
        made.agent.start()
        made.plugin = Plugin(made.config)
        made.plugin.start()

        until(lambda: done(made) == [f"prepare {identity} 36", f"release {identity}"])


def test_a_kubelet_that_does_not_know_its_pods_yet_takes_nothing_from_them(place: Path) -> None:
    with working(place, grace=SOON, prepared=True) as made:
        (identity,) = admitted(made)
        made.restart_kubelet(hears_api=False)

        until(lambda: made.kubelet.questions > 3)  # it has listed nobody, and was made to write down what it remembers
        assert holders(made) == ["default/train/main"]
        assert done(made) == [f"prepare {identity} 36"]

        made.kubelet.hear_api()
        questions = made.kubelet.questions
        until(lambda: made.kubelet.questions > questions + 1)
        assert done(made) == [f"prepare {identity} 36"]


def test_an_init_container_keeps_what_it_has_although_no_kubelet_lists_it(place: Path) -> None:
    pod = Pod("default", "load", {"main": {}}, init_containers={"first": {GPU: 1}})
    with working(place, grace=SOON, prepared=True) as made:
        made.kubelet.wait_for(GPU, allocatable=len(CARDS))
        (identity,) = made.kubelet.admit(pod).ids(GPU)
        other = next(one for one in ("GPU-0001", "GPU-0002") if one != identity)
        made.kubelet.admit(POD)
        until(lambda: holders(made) == ["default/train/main"])

        made.kubelet.delete(POD)

        until(lambda: f"release {other}" in done(made))
        assert f"release {identity}" not in done(made)


def test_a_kubelet_that_does_not_answer_says_nothing_of_anybody(place: Path) -> None:
    with working(place, grace=SOON, prepared=True) as made:
        (identity,) = admitted(made)
        made.kubelet.stop()
        (made.kubelet.pod_resources / "kubelet.sock").unlink(missing_ok=True)
        until(lambda: any("pod-resources" in problem for problem in made.plugin.problems))

        made.kubelet.delete(POD)
        assert done(made) == [f"prepare {identity} 36"]
        made.kubelet = Kubelet(place / "kubelet")
        made.kubelet.start()

        until(lambda: done(made) == [f"prepare {identity} 36", f"release {identity}"])


def test_the_next_pod_finds_nothing_of_the_last_one_however_soon_it_comes(place: Path) -> None:
    with working(place, grace=LATE, prepared=True, after_end="reset") as made:
        first = admitted(made, BOTH)
        assert [line.split()[0] for line in done(made)] == ["prepare"] * 2

        made.kubelet.delete(BOTH)
        (second,) = made.kubelet.admit(NEXT).ids(GPU)

        assert second in first
        assert done(made)[2:] == [f"release {second}", f"reset {second}", f"prepare {second} 36"]


def test_containers_of_a_pod_that_have_a_device_one_after_the_other_leave_it_to_each_other(place: Path) -> None:
    pod = Pod("default", "train", {"main": {GPU: 1}}, init_containers={"first": {GPU: 1}})
    with working(place, grace=LATE, prepared=True, after_end="reset") as made:
        made.kubelet.wait_for(GPU, allocatable=len(CARDS))

        (identity,) = made.kubelet.admit(pod).ids(GPU)

        assert done(made) == [f"prepare {identity} 36"] * 2


def test_of_a_device_that_is_shared_the_last_pod_counts(place: Path) -> None:
    with working(place, grace=SOON, after_end="reset", shares=2, allocation="packed") as made:
        made.kubelet.wait_for(GPU, allocatable=2 * len(CARDS))
        for pod in (POD, NEXT):
            made.kubelet.admit(pod)
        until(lambda: holders(made) == ["default/next/main", "default/train/main"])

        made.kubelet.delete(POD)
        until(lambda: holders(made) == ["default/next/main"])
        assert done(made) == []
        made.kubelet.delete(NEXT)

        until(lambda: done(made) == ["reset GPU-0001"])


def test_what_cannot_be_taken_out_keeps_the_device_from_everybody_and_says_why(place: Path) -> None:
    with working(place, grace=SOON, after_end={"scrub": "zero"}) as made:
        admitted(made)
        (place / "host/broken").touch()

        made.kubelet.delete(POD)

        reason = "what pod default/train/main has left cannot be undone: scrub of node-1_0000:0"
        until(lambda: [text.startswith(reason) for text in withdrawn(made)] == [True])
        assert "it does not answer" in withdrawn(made)[0]
        made.kubelet.wait_for(GPU, allocatable=len(CARDS) - 1)


def test_giving_back_twice_is_giving_back_once(place: Path) -> None:
    with working(place, grace=LATE, prepared=True) as made:
        (identity,) = admitted(made)
        (handle,) = [one for one, state in made.agent.board.offer.states.items() if state.lent_as]
        client = Client(made.agent.path, NODE_SERVICE)
        request = wire.ReleaseRequest(handles=[handle], timeout_seconds=20)

        for _ in range(2):
            assert client.call("Release", request, timeout_seconds=30).not_yet == ""

        assert set(done(made)) == {f"prepare {identity} 36", f"release {identity}"}
        client.close()
