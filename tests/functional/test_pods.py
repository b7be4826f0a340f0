"""Which pod has what: from the kubelet's list to the agent's board, to labels, figures and health."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests
from support.offered import Node, card, cut, handle_of, node
from support.waiting import until

from accel.kubernetes.checkpoint import Remembered, remembered
from accel.kubernetes.figures import FiguresServer
from accel.kubernetes.pods import by_unit, devices_of
from accel.model.offer import Holder
from accel.protos import kubelet_pod_resources_v1_pb2 as kubelet
from accel.testing.kubelet import Pod

pytestmark = pytest.mark.timeout(180)

GPU = "accel.io/gpu"
_PATIENCE = 20


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path, as a socket's is limited."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.fixture
def two(place: Path) -> Iterator[Node]:
    with node(place, card(1), card(2)) as made:
        made.kubelet.wait_for(GPU, allocatable=2)
        yield made


def told(made: Node) -> dict[str, list[str]]:
    """What the agent knows of pods, by the device's identity."""
    offer = made.agent.board.offer
    known = {handle_of(device): device.identity for device in offer.devices if device.deployables[0].handles}
    return {
        known[handle]: [who.name for who in state.holders] for handle, state in offer.states.items() if state.holders
    }


def pod(name: str, count: int = 1) -> Pod:
    return Pod("default", name, {"main": {GPU: count}})


def test_the_agent_knows_which_pod_has_what(two: Node) -> None:
    admitted = two.kubelet.admit(pod("train"))

    until(lambda: told(two) == {admitted.ids(GPU)[0]: ["default/train/main"]})


def test_a_pod_that_is_gone_has_nothing_any_more(two: Node) -> None:
    two.kubelet.admit(pod("train", 2))
    until(lambda: len(told(two)) == 2)

    two.kubelet.delete(pod("train"))
    two.kubelet.admit(pod("next"))

    until(lambda: list(told(two).values()) == [["default/next/main"]])


def test_a_restarted_plugin_finds_out_again(two: Node) -> None:
    two.kubelet.admit(pod("train"))
    two.restart_plugin()
    two.agent.board.hold("kubelet", {})

    until(lambda: list(told(two).values()) == [["default/train/main"]])


def test_a_restarted_kubelet_leaves_everybody_what_he_has(two: Node) -> None:
    two.kubelet.admit(pod("train"))
    until(lambda: len(told(two)) == 1)

    two.restart_kubelet()
    two.kubelet.wait_for(GPU, allocatable=2)
    two.kubelet.admit(pod("next"))

    until(
        lambda: (
            sorted(who for each in told(two).values() for who in each) == ["default/next/main", "default/train/main"]
        )
    )


def asked_again(made: Node) -> None:
    """Return when the restarted kubelet has been asked twice who has what: what was said then is known."""
    made.kubelet.wait_for(GPU, allocatable=2)
    until(lambda: made.kubelet.questions >= 2)


def test_a_kubelet_that_has_not_heard_yet_which_pods_there_are_takes_nothing_from_them(two: Node) -> None:
    admitted = two.kubelet.admit(pod("train"))
    until(lambda: len(told(two)) == 1)

    two.restart_kubelet(hears_api=False)
    asked_again(two)

    assert told(two) == {admitted.ids(GPU)[0]: ["default/train/main"]}
    assert [who.name for (who,) in two.plugin.held.values()] == ["default/train/main"]


def test_a_pod_that_nobody_has_named_since_the_kubelet_and_the_plugin_were_restarted_is_known_by_its_uid(
    two: Node,
) -> None:
    admitted = two.kubelet.admit(pod("train"))
    until(lambda: len(told(two)) == 1)

    two.plugin.stop(for_good=False)
    two.restart_kubelet(hears_api=False)
    two.restart_plugin()
    until(lambda: told(two) == {admitted.ids(GPU)[0]: [f"unknown/{admitted.uid}/main"]})

    two.kubelet.hear_api()
    until(lambda: told(two) == {admitted.ids(GPU)[0]: ["default/train/main"]})


def test_an_init_container_is_known_although_a_kubelet_does_not_list_it(two: Node) -> None:
    two.kubelet.admit(Pod("default", "train", {"main": {GPU: 1}}, {"load": {GPU: 2}}))

    until(
        lambda: (
            sorted(who for each in told(two).values() for who in each) == ["default/train/load", "default/train/main"]
        )
    )


@pytest.mark.parametrize("hears_api", [True, False], ids=["at once", "later"])
def test_a_pod_that_went_while_the_kubelet_was_away_has_nothing_once_it_has_heard_of_that(
    two: Node, *, hears_api: bool
) -> None:
    two.kubelet.admit(pod("train"))
    until(lambda: len(told(two)) == 1)

    two.kubelet.stop()
    two.kubelet.delete(pod("train"))
    two.restart_kubelet(hears_api=hears_api)
    asked_again(two)
    two.kubelet.hear_api()

    until(lambda: not told(two))


def test_what_a_kubelet_remembers_is_read_as_it_writes_it(place: Path) -> None:
    """The text is that of Kubernetes 1.20.2, with other answers."""
    entries = (
        '{"PodUID":"8e1c20ca","ContainerName":"c0","ResourceName":"accel.io/gpu",'
        '"DeviceIDs":{"0":["pci-0000:4e:00.0"],"3":["pci-0000:92:00.0","pci-0000:8f:00.0"]},"AllocResp":"CioKGg=="}'
    )
    whose = Remembered("8e1c20ca", "c0")
    for written, ids in ((f"[{entries}]", {"4e", "92", "8f"}), ("null", set())):
        text = f'{{"Data":{{"PodDeviceEntries":{written},"RegisteredDevices":{{"accel.io/gpu":[]}}}},"Checksum":17}}'
        (place / "kubelet_internal_checkpoint").write_text(text)

        assert remembered(place) == {f"pci-0000:{one}:00.0": whose for one in ids}


def test_a_memory_that_makes_no_sense_is_said_to_and_nobody_loses_anything(two: Node) -> None:
    admitted = two.kubelet.admit(pod("train"))
    until(lambda: len(told(two)) == 1)
    two.plugin.stop(for_good=False)
    (two.kubelet.device_plugins / "kubelet_internal_checkpoint").write_text('{"Data": {}}')

    two.restart_plugin()
    until(lambda: any("is none of a kubelet's that we know: KeyError" in one for one in two.plugin.problems))

    assert told(two) == {admitted.ids(GPU)[0]: ["default/train/main"]}


def test_shares_of_a_device_have_several_holders(place: Path) -> None:
    resources = [{"name": GPU, "where": "kind = card", "shares": 4}]
    with node(place, card(1), resources=resources) as made:
        made.kubelet.wait_for(GPU, allocatable=4)
        made.kubelet.admit(pod("a", 2))
        made.kubelet.admit(pod("b"))

        until(lambda: told(made) == {"GPU-0001": ["default/a/main", "default/b/main"]})


def test_what_another_plugin_has_given_away_under_a_name_that_we_know_counts() -> None:
    answer = kubelet.ListPodResourcesResponse()
    container = answer.pod_resources.add(name="train", namespace="ml").containers.add(name="main")
    container.devices.add(resource_name="nvidia.com/gpu", device_ids=["GPU-0001::3", "GPU-0001::4"])

    assert by_unit(devices_of(answer)) == {"GPU-0001": (Holder(kind="pod", name="ml/train/main"),)}


def test_labels_say_what_the_node_has(place: Path) -> None:
    place.joinpath("features").mkdir()
    resources = [{"name": GPU, "where": "kind = card", "shares": 4}]
    cards = [card(number, kernel_driver="nvidia", std_board_info={"driver_version": "570.10"}) for number in (1, 2)]
    features = str(place / "features")
    with node(place, *cards, cut(card(3), "1g.10gb"), resources=resources, features_directory=features) as made:
        made.kubelet.wait_for("accel.io/mig-1g.10gb", allocatable=1)
        said = dict(line.split("=", 1) for line in (place / "features/accel").read_text().splitlines())

    assert said == {
        "accel.io/gpu.present": "true",
        "accel.io/gpu.count": "3",
        "accel.io/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "accel.io/gpu.kernel-driver": "nvidia",
        "accel.io/gpu.driver-version": "570.10",
        "accel.io/gpu.shares": "4",
        "accel.io/gpu.isolation": "none",
        "accel.io/mig.strategy": "mixed",
        "accel.io/mig-1g.10gb.count": "1",
    }
    assert not (place / "features/accel").exists()


@pytest.fixture
def figures(two: Node) -> Iterator[str]:
    server = FiguresServer(two.plugin, "127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def test_figures_say_how_the_plugin_is(two: Node, figures: str) -> None:
    two.kubelet.admit(pod("train"))
    until(lambda: two.plugin.held)

    text = requests.get(f"{figures}/metrics", timeout=_PATIENCE).text

    for line in (
        'accel_device_plugin_registered{resource="accel.io/gpu"} 1',
        'accel_device_plugin_registrations_total{resource="accel.io/gpu"} 1',
        'accel_device_plugin_allocate_seconds_count{resource="accel.io/gpu"} 1',
        'accel_device_plugin_devices{resource="accel.io/gpu",health="healthy"} 2',
        "accel_device_plugin_agent_up 1",
    ):
        assert line in text.splitlines()
    assert f"accel_device_plugin_start_time_seconds {two.plugin.started_at:.15g}" in text.splitlines()
    assert 'accel_device_plugin_held{namespace="default",pod="train",container="main",device="GPU-000' in text


def test_a_plugin_that_the_kubelet_does_not_know_is_not_well_and_says_why(two: Node, figures: str) -> None:
    until(lambda: not two.plugin.problems)
    assert requests.get(f"{figures}/healthz", timeout=_PATIENCE).status_code == 200

    two.kubelet.stop()
    (two.kubelet.device_plugins / "kubelet.sock").unlink(missing_ok=True)
    until(lambda: two.plugin.problems)

    answer = requests.get(f"{figures}/healthz", timeout=_PATIENCE)
    assert answer.status_code == 503
    assert "is not there: is the kubelet running?" in answer.text
    assert requests.get(f"{figures}/livez", timeout=_PATIENCE).status_code == 200
    two.kubelet = type(two.kubelet)(two.directory / "kubelet")
    two.kubelet.start()
