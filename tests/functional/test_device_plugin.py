"""The device plugin with a kubelet of our own, which speaks grpcio and behaves as the real one has been seen to."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.offered import Node, card, cut, handle_of, linked, node
from support.waiting import until

from accel.kubernetes.plugin import Plugin
from accel.model.device import Health, Presence
from accel.model.offer import Holder
from accel.testing.cdi import CdiRuntime, Unresolvable
from accel.testing.kubelet import Kubelet, Pod, PodRefused

pytestmark = pytest.mark.timeout(180)

GPU = "accel.io/gpu"


def pod(count: int, name: str = "train", resource: str = GPU) -> Pod:
    return Pod("default", name, {"main": {resource: count}})


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path, as a socket's is limited."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.fixture
def eight(place: Path) -> Iterator[Node]:
    with node(place, *[card(number) for number in range(1, 9)]) as made:
        made.kubelet.wait_for(GPU, allocatable=8)
        yield made


def ids_of(made: Node, one: Pod, resource: str = GPU) -> list[str]:
    return sorted(made.kubelet.admit(one).ids(resource))


# --- what is offered ---


def test_a_pod_gets_what_it_asks_for_and_a_runtime_knows_what_that_is(eight: Node) -> None:
    admitted = eight.kubelet.admit(pod(2))
    names = [device.name for device in admitted.answer("main", GPU).cdi_devices]

    got = CdiRuntime([eight.directory / "cdi"]).inject(names)

    numbers = [one.removeprefix("GPU-").lstrip("0") for one in sorted(admitted.ids(GPU))]
    assert [path for path in got.nodes if path.removeprefix("/dev/nvidia").isdecimal()] == [
        f"/dev/nvidia{number}" for number in numbers
    ]
    assert "/dev/nvidiactl" in got.nodes


def test_no_device_is_given_twice(eight: Node) -> None:
    first, second = ids_of(eight, pod(4, "a")), ids_of(eight, pod(4, "b"))

    assert len({*first, *second}) == 8
    with pytest.raises(PodRefused, match="Requested: 1, Available: 0"):
        eight.kubelet.admit(pod(1, "c"))


def test_devices_are_free_again_when_their_pod_is_gone_although_nobody_tells_the_plugin(eight: Node) -> None:
    one = pod(8)
    eight.kubelet.admit(one)

    eight.kubelet.delete(one)

    assert len(ids_of(eight, pod(8, "next"))) == 8


def test_a_device_names_its_numa_node_and_says_nothing_where_the_host_does_not(place: Path) -> None:
    with node(place, card(1, numa_node=0), card(2, numa_node=1), card(3, numa_node=None)) as made:
        made.kubelet.wait_for(GPU, allocatable=3)

        assert made.kubelet.numa(GPU) == {"GPU-0001": (0,), "GPU-0002": (1,)}


def test_a_pod_that_is_aligned_gets_devices_of_its_numa_node(place: Path) -> None:
    with node(place, *[card(number, numa_node=number % 2) for number in range(1, 9)]) as made:
        made.kubelet.wait_for(GPU, allocatable=8)

        admitted = made.kubelet.admit(pod(3), numa=1)

        assert all(int(one.removeprefix("GPU-")) % 2 for one in admitted.ids(GPU))


def test_a_pod_gets_devices_that_are_linked_with_one_another(place: Path) -> None:
    cards = linked([card(number, numa_node=0) for number in range(1, 9)], (0, 3, 5, 6), (1, 2, 4, 7))
    with node(place, *cards) as made:
        made.kubelet.wait_for(GPU, allocatable=8)

        chosen = {ids_of(made, pod(4, name))[0] for name in ("a", "b")}

        assert chosen == {"GPU-0001", "GPU-0002"}
        assert sorted(made.kubelet.admitted()["default/a"].ids(GPU)) in (
            ["GPU-0001", "GPU-0004", "GPU-0006", "GPU-0007"],
            ["GPU-0002", "GPU-0003", "GPU-0005", "GPU-0008"],
        )


def test_what_an_init_container_had_is_had_again_by_the_container_after_it(eight: Node) -> None:
    one = Pod("default", "train", {"main": {GPU: 2}}, init_containers={"prepare": {GPU: 1}})

    admitted = eight.kubelet.admit(one)

    assert set(admitted.given["prepare", GPU].ids) < set(admitted.given["main", GPU].ids)


def test_ids_are_one_resources_only(place: Path) -> None:
    with node(place, card(1), cut(card(2), "1g.10gb", "3g.40gb")) as made:
        made.kubelet.wait_for(GPU, allocatable=1)
        made.kubelet.wait_for("accel.io/mig-1g.10gb", allocatable=1)
        made.kubelet.wait_for("accel.io/mig-3g.40gb", allocatable=1)

        ids = [one for name in made.kubelet.allocatable() for one in made.kubelet.health(name)]

        assert sorted(ids) == ["GPU-0001", "MIG-GPU-0002-0", "MIG-GPU-0002-1"]


# --- health, withdrawal ---


def test_a_device_that_is_not_fit_is_unhealthy_and_healthy_again_without_a_restart(eight: Node) -> None:
    cards = [card(number) for number in range(1, 9)]
    ill = replace(cards[0], health=Health.UNHEALTHY, reason="an uncorrectable error")

    eight.agent.show(ill, *cards[1:])
    eight.kubelet.wait_for(GPU, allocatable=7, capacity=8)
    assert eight.kubelet.health(GPU)["GPU-0001"] is False

    eight.agent.show(*cards)
    eight.kubelet.wait_for(GPU, allocatable=8)


@pytest.mark.parametrize(
    "changes", [{"health": Health.UNKNOWN}, {"presence": Presence.LOST, "health": Health.UNKNOWN}], ids=str
)
def test_what_is_not_known_to_be_fit_is_not_offered(eight: Node, changes: dict[str, object]) -> None:
    eight.agent.show(card(1, **changes), *[card(number) for number in range(2, 9)])

    eight.kubelet.wait_for(GPU, allocatable=7, capacity=8)


def test_what_others_hold_is_withdrawn_and_comes_back(eight: Node) -> None:
    one = handle_of(card(1))

    eight.agent.board.hold("conductor", {one: (Holder(kind="instance", name="vm-1"),)})
    eight.kubelet.wait_for(GPU, allocatable=7)

    eight.agent.board.hold("conductor", {})
    eight.kubelet.wait_for(GPU, allocatable=8)


def test_what_an_operator_has_disabled_is_withdrawn(eight: Node) -> None:
    eight.agent.board.withdraw("conductor", {handle_of(card(1)): "an operator has disabled it"})

    eight.kubelet.wait_for(GPU, allocatable=7)


def test_what_a_pod_holds_stays_healthy(eight: Node) -> None:
    eight.agent.board.hold("kubelet", {handle_of(card(1)): (Holder(kind="pod", name="default/train/main"),)})
    eight.agent.show(*[card(number) for number in range(1, 10)])

    eight.kubelet.wait_for(GPU, allocatable=9)


def test_a_device_that_comes_is_offered_and_one_that_goes_is_not_without_a_restart(eight: Node) -> None:
    eight.agent.show(*[card(number) for number in range(1, 10)])
    eight.kubelet.wait_for(GPU, allocatable=9, capacity=9)

    eight.agent.show(card(1))
    eight.kubelet.wait_for(GPU, allocatable=1, capacity=1)


def test_a_resource_that_vanished_goes_to_zero_and_comes_back(place: Path) -> None:
    with node(place, card(1), cut(card(2), "1g.10gb")) as made:
        made.kubelet.wait_for("accel.io/mig-1g.10gb", allocatable=1)

        made.agent.show(card(1), card(2))
        made.kubelet.wait_for("accel.io/mig-1g.10gb", allocatable=0, capacity=0)
        made.kubelet.wait_for(GPU, allocatable=2)

        made.agent.show(card(1), cut(card(2), "1g.10gb"))
        made.kubelet.wait_for("accel.io/mig-1g.10gb", allocatable=1, capacity=1)


# --- the kubelet's life ---


def test_after_a_restart_of_the_kubelet_everything_is_as_before(eight: Node) -> None:
    eight.kubelet.admit(pod(3))

    eight.restart_kubelet()

    eight.kubelet.wait_for(GPU, allocatable=8)
    assert len(eight.kubelet.admitted()["default/train"].ids(GPU)) == 3
    assert len(ids_of(eight, pod(5, "next"))) == 5


def test_after_a_restart_of_the_plugin_everything_is_as_before(eight: Node) -> None:
    eight.restart_plugin()

    until(lambda: eight.kubelet.registrations == [GPU, GPU])
    eight.kubelet.wait_for(GPU, allocatable=8)


def test_a_new_plugin_takes_over_from_one_that_is_still_there(eight: Node) -> None:
    newer = Plugin(eight.config)
    newer.start()
    until(lambda: len(eight.kubelet.registrations) == 2)

    eight.plugin.stop()  # of which this kubelet makes the end of the newer one, too

    until(lambda: len(eight.kubelet.registrations) == 3)
    eight.kubelet.wait_for(GPU, allocatable=8)
    assert len(CdiRuntime([eight.directory / "cdi"]).devices()) == 8
    assert len(ids_of(eight, pod(8))) == 8
    newer.stop()


def test_a_plugin_ends_whatever_it_was_about_to_do(eight: Node) -> None:
    for _ in range(20):
        plugin = Plugin(eight.config)
        plugin.start()
        plugin.stop(for_good=False)


def test_a_list_that_ends_again_and_again_is_a_rivals_work_and_is_said_to_be(eight: Node) -> None:
    for number in range(5):
        until(lambda number=number: len(eight.kubelet.registrations) == number + 1)
        eight.kubelet.wait_for(GPU, allocatable=8)
        eight.kubelet.drop(GPU)

    until(lambda: any("another plugin seems to register accel.io/gpu too" in one for one in eight.plugin.problems))


def test_a_socket_that_somebody_deletes_is_made_anew(eight: Node) -> None:
    (own,) = [path for path in eight.kubelet.device_plugins.iterdir() if path.name.startswith("accel-")]

    own.unlink()

    until(lambda: len(eight.kubelet.registrations) > 1)
    eight.kubelet.wait_for(GPU, allocatable=8)


def test_a_plugin_that_comes_before_its_kubelet_waits_for_it(place: Path) -> None:
    with node(place, card(1)) as made:
        made.kubelet.wait_for(GPU, allocatable=1)
        made.plugin.stop()
        made.kubelet.stop()
        (made.kubelet.device_plugins / "kubelet.sock").unlink(missing_ok=True)
        made.plugin = Plugin(made.config)
        made.plugin.start()
        until(lambda: any("is not there" in problem for problem in made.plugin.problems))

        made.restart_kubelet()

        made.kubelet.wait_for(GPU, allocatable=1)
        until(lambda: not made.plugin.problems)


def test_a_plugin_that_comes_before_its_agent_waits_for_it(place: Path) -> None:
    with node(place, card(1)) as made:
        made.plugin.stop()
        made.agent.stop()
        made.plugin = Plugin(made.config)
        made.plugin.start()
        until(lambda: any("the agent" in problem for problem in made.plugin.problems))

        made.agent.start()

        made.kubelet.wait_for(GPU, allocatable=1)


def test_devices_stay_while_the_agent_is_restarted(eight: Node) -> None:
    eight.agent.stop()
    until(lambda: any("the agent is not heard" in problem for problem in eight.plugin.problems))

    assert len(ids_of(eight, pod(4))) == 4

    eight.agent.start()
    until(lambda: not eight.plugin.problems)
    assert eight.kubelet.allocatable() == {GPU: 8}


def test_a_kubelet_that_watches_for_plugins_finds_ours_again_after_its_restart(place: Path) -> None:
    registry = place / "kubelet/plugins_registry"
    with node(place, card(1), plugins_registry=str(registry)) as made:
        made.kubelet.wait_for(GPU, allocatable=1)

        made.restart_kubelet()

        made.kubelet.wait_for(GPU, allocatable=1)
        assert len(ids_of(made, pod(1))) == 1


def test_a_kubelet_that_has_ended_the_list_finds_the_plugin_in_its_registry_again(place: Path) -> None:
    (place / "kubelet/plugins_registry").mkdir(parents=True)
    with node(place, card(1), plugins_registry=str(place / "kubelet/plugins_registry")) as made:
        made.kubelet.wait_for(GPU, allocatable=1)

        made.kubelet.drop(GPU)
        made.kubelet.wait_for(GPU, allocatable=0)

        made.kubelet.wait_for(GPU, allocatable=1)


def test_a_plugin_whose_registration_a_kubelet_has_answered_and_missed_registers_again(eight: Node) -> None:
    eight.kubelet.stop()
    eight.kubelet = Kubelet(eight.directory / "kubelet", missed=1)
    eight.kubelet.start()

    until(lambda: eight.kubelet.registrations == [GPU, GPU])
    eight.kubelet.wait_for(GPU, allocatable=8)


def test_a_plugin_whose_socket_was_deleted_registers_once(eight: Node) -> None:
    before = len(eight.kubelet.registrations)
    (socket,) = eight.kubelet.device_plugins.glob("accel-*.sock")

    socket.unlink()
    until(lambda: len(eight.kubelet.registrations) > before)
    eight.kubelet.wait_for(GPU, allocatable=8)
    eight.agent.show()
    eight.kubelet.wait_for(GPU, allocatable=0)

    assert len(eight.kubelet.registrations) == before + 1


def test_when_the_plugin_ends_neither_sockets_nor_specifications_are_left(eight: Node) -> None:
    eight.plugin.stop()

    assert [path.name for path in eight.kubelet.device_plugins.iterdir() if path.name.startswith("accel")] == []
    assert list((eight.directory / "cdi").iterdir()) == []
    eight.kubelet.wait_for(GPU, allocatable=0, capacity=8)


def test_what_a_kubelet_remembers_of_a_pod_can_be_resolved_after_the_node_was_restarted(eight: Node) -> None:
    admitted = eight.kubelet.admit(pod(2))
    names = [device.name for device in admitted.answer("main", GPU).cdi_devices]
    eight.plugin.stop()
    with pytest.raises(Unresolvable):
        CdiRuntime([eight.directory / "cdi"]).inject(names)

    eight.restart_kubelet()
    eight.plugin = Plugin(eight.config)
    eight.plugin.start()
    eight.kubelet.wait_for(GPU, allocatable=8)

    (replayed,) = eight.kubelet.start_container(admitted.pod, "main")
    CdiRuntime([eight.directory / "cdi"]).inject([device.name for device in replayed.cdi_devices])


# --- allocating ---


def test_a_device_that_is_withdrawn_at_the_last_moment_is_refused_with_the_reason(eight: Node) -> None:
    endpoint = eight.plugin.endpoints[0]
    one = handle_of(card(1))
    eight.agent.board.withdraw("conductor", {one: "instance vm-1 has it"})
    until(lambda: not all(unit.is_healthy for unit in endpoint.resource.units))

    with pytest.raises(PodRefused, match="Requested: 8, Available: 7"):
        eight.kubelet.admit(pod(8))


def test_shares_of_a_device_go_to_several_pods(place: Path) -> None:
    resources = [{"name": "accel.io/gpu", "where": "kind = card", "shares": 4, "renamed": True}]
    with node(place, card(1), card(2), resources=resources) as made:
        made.kubelet.wait_for("accel.io/gpu.shared", allocatable=8)

        ids = [ids_of(made, pod(1, str(number), "accel.io/gpu.shared"), "accel.io/gpu.shared") for number in range(8)]

        assert len({one for each in ids for one in each}) == 8


def test_more_than_one_share_is_refused_where_the_configuration_says_so(place: Path) -> None:
    resources = [{"name": GPU, "where": "kind = card", "shares": 4, "one_per_container": True}]
    with node(place, card(1), resources=resources) as made:
        made.kubelet.wait_for(GPU, allocatable=4)

        with pytest.raises(PodRefused, match="a container may have one"):
            made.kubelet.admit(pod(2))
        assert len(ids_of(made, pod(1, "modest"))) == 1


def test_two_shares_of_different_cards_or_none(place: Path) -> None:
    resources = [{"name": GPU, "where": "kind = card", "shares": 2, "different_cards": True}]
    with node(place, card(1), card(2), resources=resources) as made:
        made.kubelet.wait_for(GPU, allocatable=4)

        with pytest.raises(PodRefused, match="of different cards"):
            made.kubelet.admit(pod(3, "greedy"))
        assert [one.partition("::")[0] for one in ids_of(made, pod(2))] == ["GPU-0001", "GPU-0002"]


def test_a_container_is_told_in_each_way_that_is_configured(place: Path) -> None:
    ways = ["cdi", "annotations", "environment", "mounts", "device-nodes"]
    with node(place, card(3), device_lists=ways) as made:
        made.kubelet.wait_for(GPU, allocatable=1)

        answer = made.kubelet.admit(pod(1)).answer("main", GPU)

        assert [device.name for device in answer.cdi_devices] == ["accel.io/gpu=GPU-0003"]
        assert dict(answer.annotations) == {"cdi.k8s.io/accel.io_gpu": "accel.io/gpu=GPU-0003"}
        assert answer.envs["ACCEL_GPU_GPU_0003"] == "0000:03:00.0"
        assert [mount.container_path for mount in answer.mounts] == ["/var/run/nvidia-container-devices/GPU-0003"]
        assert answer.devices[0].host_path == "/dev/nvidia3"
