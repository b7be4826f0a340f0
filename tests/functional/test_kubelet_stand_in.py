"""The kubelet for tests behaves as the real one has been seen to, point by point, with a plugin that is a script.

A plugin is worth no more than what it was tested against, so each thing here is one that the device manager of
Kubernetes 1.32 was seen to do.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import pytest
from support.waiting import until

from accel.errors import CallFailed
from accel.kubernetes.checkpoint import remembered
from accel.protos import kubelet_device_plugin_v1beta1_pb2 as wire
from accel.protos import kubelet_plugin_registration_v1_pb2 as watched
from accel.protos import kubelet_pod_resources_v1_pb2 as pods
from accel.sockets.client import Client
from accel.sockets.server import Call, Server, methods_of
from accel.testing.kubelet import ContainerRefused, Kubelet, Limits, Pod, PodRefused
from accel.testing.kubelet.names import refusal
from accel.testing.kubelet.plugins import MAX_RECEIVE_BYTES

pytestmark = pytest.mark.timeout(180)

NAME = "example.com/thing"
_SERVICE = wire.DESCRIPTOR.services_by_name["DevicePlugin"]
_REGISTRATION = wire.DESCRIPTOR.services_by_name["Registration"]
_WATCHED = watched.DESCRIPTOR.services_by_name["Registration"]
_LISTER = pods.DESCRIPTOR.services_by_name["PodResourcesLister"]
_PATIENCE = 20.0


@dataclass
class Script:
    """A plugin that does what a test says."""

    path: Path
    options: wire.DevicePluginOptions = field(default_factory=wire.DevicePluginOptions)
    lists: SimpleQueue[list[wire.Device] | None] = field(default_factory=SimpleQueue)
    preferred: Callable[[Any], list[str]] | None = None
    allocate: Callable[[Any], wire.AllocateResponse] | None = None
    pre_start: Callable[[], object] = lambda: None
    is_silent_about_options: bool = False
    requests: list[Any] = field(default_factory=list)
    over: list[Event] = field(default_factory=list)
    server: Server | None = None

    def serve(self, **more: Any) -> "Script":
        handlers: dict[str, Any] = {
            "GetDevicePluginOptions": lambda *_: self.options,
            "ListAndWatch": self._list,
            "GetPreferredAllocation": self._preferred,
            "Allocate": self._allocate,
            "PreStartContainer": self._pre_start,
        }
        if self.is_silent_about_options:
            del handlers["GetDevicePluginOptions"]
        self.server = Server(self.path, {**methods_of(_SERVICE, handlers), **more})
        self.server.start()
        return self

    def stop(self) -> None:
        for _ in self.over:
            self.lists.put(None)
        if self.server:
            self.server.stop()

    def say(self, *devices: wire.Device) -> None:
        self.lists.put(list(devices))

    def _list(self, _: wire.Empty, call: Call) -> Iterator[wire.ListAndWatchResponse]:
        over = Event()
        self.over.append(over)
        call.when_over(over.set)
        while (devices := self.lists.get()) is not None:
            yield wire.ListAndWatchResponse(devices=devices)

    def _preferred(self, request: Any, _: Call) -> wire.PreferredAllocationResponse:
        (question,) = request.container_requests
        self.requests.append(question)
        assert self.preferred is not None
        answer = wire.ContainerPreferredAllocationResponse(deviceIDs=self.preferred(question))
        return wire.PreferredAllocationResponse(container_responses=[answer])

    def _allocate(self, request: Any, _: Call) -> wire.AllocateResponse:
        self.requests.append(request)
        if self.allocate is not None:
            return self.allocate(request)
        answers = [
            wire.ContainerAllocateResponse(envs={"IDS": ",".join(one.devices_ids)})
            for one in request.container_requests
        ]
        return wire.AllocateResponse(container_responses=answers)

    def _pre_start(self, request: Any, _: Call) -> wire.PreStartContainerResponse:
        self.requests.append(request)
        self.pre_start()
        return wire.PreStartContainerResponse()


def device(name: str, *, health: str = "Healthy", numa: int | None = None) -> wire.Device:
    nodes = [] if numa is None else [wire.NUMANode(ID=numa)]
    return wire.Device(ID=name, health=health, topology=wire.TopologyInfo(nodes=nodes) if nodes else None)


def devices(count: int) -> list[wire.Device]:
    return [device(f"d{number}") for number in range(count)]


class Bench:
    """A kubelet and the scripts that it knows."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.scripts: list[Script] = []
        self.kubelet = self.new_kubelet()
        self.kubelet.start()

    def new_kubelet(self, **more: Any) -> Kubelet:
        limits = Limits(dial_seconds=0.5, grace_seconds=0.5, pre_start_seconds=0.5)
        return Kubelet(self.directory, limits=limits, **more)

    def restart(self) -> None:
        self.kubelet.stop()
        self.kubelet = self.new_kubelet()
        self.kubelet.start()

    def script(self, name: str = "a.sock", **more: Any) -> Script:
        self.scripts.append(Script(self.kubelet.device_plugins / name, **more).serve())
        return self.scripts[-1]

    def register(self, script: Script, **changes: Any) -> None:
        said = {"version": "v1beta1", "endpoint": script.path.name, "resource_name": NAME, **changes}
        client = Client(self.kubelet.device_plugins / "kubelet.sock", _REGISTRATION)
        try:
            client.call("Register", wire.RegisterRequest(**said), timeout_seconds=_PATIENCE)
        finally:
            client.close()

    def registered(self, *listed: wire.Device, **more: Any) -> Script:
        script = self.script(f"{len(self.scripts)}.sock", **more)
        script.say(*listed)
        self.register(script)
        healthy = sum(one.health == "Healthy" for one in listed)
        self.kubelet.wait_for(NAME, allocatable=healthy)
        return script

    def stop(self) -> None:
        for script in self.scripts:
            script.stop()
        self.kubelet.stop()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with TemporaryDirectory() as directory:
        made = Bench(Path(directory))
        yield made
        made.stop()


def pod(count: int = 1, name: str = "p") -> Pod:
    return Pod("default", name, {"main": {NAME: count}})


# --- registration ---


def test_a_plugin_that_does_not_serve_when_it_registers_is_refused(bench: Bench) -> None:
    with pytest.raises(CallFailed, match="failed to dial device plugin: context deadline exceeded"):
        bench.register(Script(bench.kubelet.device_plugins / "nobody.sock"))


def test_a_plugin_that_does_not_say_its_options_is_refused(bench: Bench) -> None:
    with pytest.raises(CallFailed):
        bench.register(bench.script(is_silent_about_options=True))


def test_options_count_where_they_are_asked_for_and_not_where_they_are_said(bench: Bench) -> None:
    script = bench.script(options=wire.DevicePluginOptions(pre_start_required=True))
    script.say(device("d"))
    bench.register(script, options=wire.DevicePluginOptions(pre_start_required=False))
    bench.kubelet.wait_for(NAME, allocatable=1)
    bench.kubelet.admit(pod())

    bench.kubelet.start_container(pod(), "main")

    assert isinstance(script.requests[-1], wire.PreStartContainerRequest)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "v1alpha"}, 'requested API version "v1alpha" is not supported by kubelet'),
        ({"resource_name": "gpu"}, 'the ResourceName "gpu" is invalid'),
    ],
)
def test_a_version_or_a_name_that_is_not_right_is_refused(
    bench: Bench, changes: Mapping[str, str], message: str
) -> None:
    with pytest.raises(CallFailed) as caught:
        bench.register(bench.script(), **changes)

    assert (caught.value.name, message in caught.value.text) == ("UNKNOWN", True)


@pytest.mark.parametrize("name", ["example.com/GPU_A.b-c", "example/gpu", f"a/{'x' * 63}"])
def test_names_that_are_taken(name: str) -> None:
    assert not refusal("v1beta1", name)


@pytest.mark.parametrize(
    "name",
    [
        "Example.com/gpu",
        "example.com/a:b",
        "gpu",
        "hugepages-2Mi",
        f"a/{'x' * 64}",
        "x.kubernetes.io/a",
        "requests.a/b",
    ],
)
def test_names_that_are_refused(name: str) -> None:
    assert refusal("v1beta1", name)


def test_an_endpoint_is_looked_for_from_the_directory_of_sockets(bench: Bench) -> None:
    script = Script(bench.directory / "beside.sock").serve()
    script.say(device("d"))

    bench.register(script, endpoint="../beside.sock")

    bench.kubelet.wait_for(NAME, allocatable=1)
    bench.scripts.append(script)


def test_of_two_plugins_with_one_name_the_last_wins_and_the_end_of_the_first_ends_both(bench: Bench) -> None:
    first = bench.registered(*devices(1))
    second = bench.registered(*devices(3))

    first.stop()

    bench.kubelet.wait_for(NAME, allocatable=0, capacity=3)
    assert second.over[-1].wait(_PATIENCE)


def test_a_newer_kubelet_keeps_the_second_when_the_first_ends(bench: Bench) -> None:
    bench.kubelet.stop()
    bench.kubelet = bench.new_kubelet(old_end_disconnects=False)
    bench.kubelet.start()
    first, second = bench.registered(*devices(1)), bench.registered(*devices(3))

    first.stop()
    assert first.over[-1].wait(_PATIENCE)

    assert not second.over[-1].is_set()
    assert bench.kubelet.allocatable() == {NAME: 3}


def test_a_socket_in_the_registry_is_found_and_gone_with_its_file(bench: Bench) -> None:
    registry = bench.kubelet.plugins_registry
    status: SimpleQueue[watched.RegistrationStatus] = SimpleQueue()
    path = registry / "a-reg.sock"

    def notified(said: watched.RegistrationStatus, _: Call) -> watched.RegistrationStatusResponse:
        status.put(said)
        return watched.RegistrationStatusResponse()

    def info(*_: object) -> watched.PluginInfo:
        return watched.PluginInfo(type="DevicePlugin", name=NAME, endpoint=str(path), supported_versions=["v1beta1"])

    script = Script(path)
    script.say(device("d"))
    script.serve(**dict(methods_of(_WATCHED, {"GetInfo": info, "NotifyRegistrationStatus": notified})))
    bench.scripts.append(script)
    assert status.get(timeout=_PATIENCE).plugin_registered
    bench.kubelet.wait_for(NAME, allocatable=1)

    path.unlink()

    bench.kubelet.wait_for(NAME, allocatable=0, capacity=1)


# --- lists and restarts ---


def test_a_restart_deletes_all_sockets_and_keeps_directories_and_what_is_remembered(bench: Bench) -> None:
    directory = bench.kubelet.device_plugins
    script = bench.registered(device("d"))
    (directory / "kept").mkdir()
    bench.kubelet.admit(pod())

    bench.restart()

    assert not script.path.exists()
    assert {path.name for path in directory.iterdir()} == {"kept", "kubelet.sock", "kubelet_internal_checkpoint"}
    assert bench.kubelet.admitted()["default/p"].ids(NAME) == ["d"]


def test_at_the_end_of_a_list_all_is_unhealthy_and_after_a_while_zero_for_ever(bench: Bench) -> None:
    script = bench.registered(*devices(2))

    script.stop()
    bench.kubelet.wait_for(NAME, allocatable=0, capacity=2)

    until(lambda: bench.kubelet.capacity() == {NAME: 0} == bench.kubelet.allocatable())


def test_only_one_word_is_healthy_and_ids_that_are_equal_are_one(bench: Bench) -> None:
    bench.registered(
        device("a"), device("b", health="healthy"), device("c", health="Unhealthy"), device("c", health="")
    )

    assert bench.kubelet.health(NAME) == {"a": True, "b": False, "c": False}


def test_every_list_is_the_whole_and_an_empty_one_leaves_the_resource(bench: Bench) -> None:
    script = bench.registered(*devices(3))

    script.say(device("other"))
    bench.kubelet.wait_for(NAME, allocatable=1, capacity=1)
    script.say()
    bench.kubelet.wait_for(NAME, allocatable=0, capacity=0)


def test_a_list_that_is_too_long_ends_it(bench: Bench) -> None:
    script = bench.registered(device("d"))

    script.say(device("x" * MAX_RECEIVE_BYTES))

    bench.kubelet.wait_for(NAME, allocatable=0, capacity=1)
    assert script.over[-1].wait(_PATIENCE)


def test_after_a_restart_no_pod_is_listed_and_none_forgotten_before_the_api_is_heard(bench: Bench) -> None:
    bench.registered(device("d"))
    bench.kubelet.admit(pod())
    bench.kubelet.stop()
    bench.kubelet = bench.new_kubelet()
    bench.kubelet.start(hears_api=False)
    assert not bench.kubelet.admitted()

    bench.registered(device("d"))
    assert list(remembered(bench.kubelet.device_plugins)) == ["d"]

    bench.kubelet.hear_api()
    assert bench.kubelet.admitted()["default/p"].ids(NAME) == ["d"]


def test_what_a_pod_had_that_is_gone_is_remembered_until_the_next_list(bench: Bench) -> None:
    script = bench.registered(device("d"))
    bench.kubelet.admit(pod())

    bench.kubelet.delete(pod())
    assert not bench.kubelet.admitted()
    assert list(remembered(bench.kubelet.device_plugins)) == ["d"]

    script.say(device("d"))
    until(lambda: not remembered(bench.kubelet.device_plugins))


# --- allocation ---


def test_each_container_and_resource_is_one_call_for_one_container(bench: Bench) -> None:
    script = bench.registered(*devices(4))

    bench.kubelet.admit(Pod("default", "p", {"a": {NAME: 2}, "b": {NAME: 1}}))

    assert [[len(one.devices_ids) for one in request.container_requests] for request in script.requests] == [[2], [1]]


@pytest.mark.parametrize("answer", [wire.AllocateResponse(), None], ids=["empty", "error"])
def test_a_pod_that_is_not_given_what_it_wants_is_refused(bench: Bench, answer: wire.AllocateResponse | None) -> None:
    def allocate(_: object) -> wire.AllocateResponse:
        if answer is None:
            raise RuntimeError
        return answer

    bench.registered(device("d"), allocate=allocate)

    with pytest.raises(PodRefused, match="Allocate failed due to"):
        bench.kubelet.admit(pod())
    assert not bench.kubelet.admitted()


def _asks(preferred: Callable[[Any], list[str]]) -> Mapping[str, Any]:
    return {"options": wire.DevicePluginOptions(get_preferred_allocation_available=True), "preferred": preferred}


def test_an_error_about_preference_is_the_end_of_the_pod(bench: Bench) -> None:
    def preferred(_: object) -> list[str]:
        raise RuntimeError

    bench.registered(*devices(2), **_asks(preferred))

    with pytest.raises(PodRefused, match="GetPreferredAllocation rpc failed"):
        bench.kubelet.admit(pod())


def test_a_preference_for_what_is_not_there_or_for_too_much_does_no_harm(bench: Bench) -> None:
    bench.registered(*devices(4), **_asks(lambda _: ["unknown", "d2", "d1", "d0", "d3"]))

    assert sorted(bench.kubelet.admit(pod(2)).ids(NAME)) == ["d1", "d2"]


def test_without_numa_the_plugin_is_asked_even_where_there_is_no_choice(bench: Bench) -> None:
    script = bench.registered(*devices(2), **_asks(lambda question: list(question.available_deviceIDs)))

    bench.kubelet.admit(pod(2))

    assert [request.allocation_size for request in script.requests[:-1]] == [2]


@pytest.mark.parametrize(("wanted", "asked"), [(1, 1), (2, 0), (3, 1)], ids=["fewer", "as many", "more"])
def test_with_numa_the_plugin_is_asked_where_there_are_more_aligned_ones_or_too_few(
    bench: Bench, wanted: int, asked: int
) -> None:
    listed = [device("a", numa=0), device("b", numa=0), device("c", numa=1)]
    script = bench.registered(*listed, **_asks(lambda question: list(question.available_deviceIDs)))

    admitted = bench.kubelet.admit(pod(wanted), numa=0)

    assert len(script.requests[:-1]) == asked
    assert set(admitted.ids(NAME)) >= set(["a", "b"][: wanted if wanted > 1 else 0])


def test_what_was_answered_is_answered_again_without_asking_the_plugin(bench: Bench) -> None:
    script = bench.registered(device("d"))
    bench.kubelet.admit(pod())
    script.stop()
    bench.restart()

    script = bench.registered(device("other"))
    (answer,) = bench.kubelet.start_container(pod(), "main")

    assert answer.envs["IDS"] == "d"
    assert not script.requests


def test_a_pod_keeps_devices_that_vanish(bench: Bench) -> None:
    script = bench.registered(device("d"))
    bench.kubelet.admit(pod())

    script.say()
    bench.kubelet.wait_for(NAME, allocatable=0, capacity=0)

    assert bench.kubelet.start_container(pod(), "main")[0].envs["IDS"] == "d"


def test_before_a_plugin_has_registered_again_pods_are_refused(bench: Bench) -> None:
    bench.registered(device("d"))
    bench.restart()

    with pytest.raises(PodRefused, match=f"cannot allocate unregistered device {NAME}"):
        bench.kubelet.admit(pod())


def test_after_a_plugin_has_gone_pods_are_refused(bench: Bench) -> None:
    bench.registered(device("d")).stop()
    bench.kubelet.wait_for(NAME, allocatable=0)

    with pytest.raises(PodRefused, match="no healthy devices present"):
        bench.kubelet.admit(pod())


def test_a_plugin_that_takes_too_long_before_a_container_starts_keeps_it_from_starting(bench: Bench) -> None:
    end = Event()
    options = wire.DevicePluginOptions(pre_start_required=True)
    script = bench.registered(device("d"), options=options, pre_start=lambda: end.wait(_PATIENCE))
    bench.kubelet.admit(pod())

    with pytest.raises(ContainerRefused, match="DEADLINE_EXCEEDED"):
        bench.kubelet.start_container(pod(), "main")

    end.set()
    script.pre_start = lambda: None
    bench.kubelet.start_container(pod(), "main")


# --- which pod has what ---


@pytest.fixture
def lister(bench: Bench) -> Iterator[Client]:
    client = Client(bench.kubelet.pod_resources / "kubelet.sock", _LISTER)
    yield client
    client.close()


def test_all_pods_are_listed_each_device_with_its_numa_node(bench: Bench, lister: Client) -> None:
    bench.registered(device("a", numa=1), device("b", numa=1))
    bench.kubelet.admit(pod(2))
    bench.kubelet.admit(Pod("default", "without", {"main": {}}))

    answer = lister.call("List", pods.ListPodResourcesRequest(), timeout_seconds=_PATIENCE)

    found = {one.name: one for one in answer.pod_resources}
    entries = found["p"].containers[0].devices
    assert sorted((list(one.device_ids), one.topology.nodes[0].ID) for one in entries) == [(["a"], 1), (["b"], 1)]
    assert not found["without"].containers[0].devices


def test_allocatable_is_what_is_healthy(bench: Bench, lister: Client) -> None:
    bench.registered(device("a"), device("b", health="Unhealthy"))

    answer = lister.call("GetAllocatableResources", pods.AllocatableResourcesRequest(), timeout_seconds=_PATIENCE)

    assert [list(one.device_ids) for one in answer.devices] == [["a"]]


def test_who_asks_too_often_is_told_so(lister: Client) -> None:
    def ask_on() -> None:
        while True:
            lister.call("List", pods.ListPodResourcesRequest(), timeout_seconds=_PATIENCE)

    with pytest.raises(CallFailed) as caught:
        ask_on()

    assert caught.value.name == "RESOURCE_EXHAUSTED"
