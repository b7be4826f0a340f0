"""The node socket: what the agent's board shows, as a program on the node sees it."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.offered import cut

from accel.agent.board import Board
from accel.agent.loans import Loans
from accel.agent.node_service import NodeService, NothingToPrepare, node_server
from accel.drivers.base import Host
from accel.errors import CallFailed, ConfigurationError
from accel.model.address import PciAddress
from accel.model.device import (
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Health,
    Link,
    LinkKind,
    Presence,
    pci_handle,
)
from accel.model.offer import Holder, Offer, handles_of
from accel.model.report import DriverReport, NodeInfo, NodeReport
from accel.protos import accel_node_v1_pb2 as wire
from accel.sockets.client import Client
from accel.sockets.offers import NODE_SERVICE, from_message
from accel.sockets.status import Code

_PATIENCE = 20.0


def report(*devices: Device) -> NodeReport:
    node = NodeInfo(name="node-1", agent_version="1")
    return NodeReport(node=node, boot_id="boot-1", sequence=0, drivers=(DriverReport(driver="test", devices=devices),))


def card(number: int, **changes: object) -> Device:
    address = PciAddress(0, number, 0, 0)
    whole = Deployable(
        name=f"node-1_{address}", kind=DeployableKind.CARD, num_accelerators=1, handles=(pci_handle(address),)
    )
    made = Device(
        identity=f"GPU-{number}",
        type=DeviceType.GPU,
        vendor="10de",
        product="2330",
        model="NVIDIA H100",
        address=address,
        deployables=(whole,),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def handle_of(one: Device) -> str:
    return next(known_as for known_as, _, _ in handles_of(one))


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(Host(name="node-1", root=tmp_path / "host"))


@pytest.fixture
def client(board: Board, tmp_path: Path) -> Iterator[Client]:
    server = node_server(
        tmp_path / "node.sock", NodeService(board, NothingToPrepare(), Loans(tmp_path / "lent", board)), users=()
    )
    server.start()
    made = Client(server.path, NODE_SERVICE)
    yield made
    made.close()
    server.stop()


def offers(client: Client) -> Iterator[Offer]:
    return map(from_message, client.watch("Watch", wire.WatchRequest(watcher="test")))


def hold(client: Client, **held: str) -> None:
    request = wire.HoldRequest(
        source="kubelet",
        held=[wire.Held(handle=one, holders=[wire.Holder(kind="pod", name=name)]) for one, name in held.items()],
    )
    client.call("Hold", request, timeout_seconds=_PATIENCE)


def test_a_watcher_sees_every_value_of_a_device(board: Board, client: Client) -> None:
    whole = card(
        1,
        serial="17",
        kernel_driver="nvidia",
        numa_node=0,
        pci_path=("pci0000:00", "0000:00:01.0"),
        links=(Link(peer="GPU-2", kind=LinkKind.NVLINK, width=18),),
        presence=Presence.LOST,
        health=Health.UNKNOWN,
        reason="fallen off the bus",
        std_board_info={"minor": "0"},
        deployables=(
            Deployable(
                name="node-1_a",
                kind=DeployableKind.MIG,
                parent="node-1_b",
                num_accelerators=1,
                attributes=(Attribute(key="memory_bytes", value="5"),),
                handles=(
                    AttachHandle(type=HandleType.DEVICE_NODE, info={"path": "/dev/x", "shared": "/dev/y, /dev/z"}),
                ),
            ),
        ),
    )
    plain = card(2)
    board.show(report(whole, plain))

    seen = next(offers(client))

    assert (seen.node, seen.boot_id, seen.devices) == ("node-1", "boot-1", (whole, plain))
    assert seen.state(handle_of(whole)).device_nodes == ("/dev/x", "/dev/y", "/dev/z")


def test_a_watcher_waits_for_the_first_look_and_hears_of_each_change(board: Board, client: Client) -> None:
    seen = offers(client)
    board.show(report(card(1)))
    first = next(seen)

    board.show(report(card(1), card(2)))
    second = next(seen)

    assert [len(first.devices), len(second.devices)] == [1, 2]
    assert second.revision > first.revision


def test_a_look_that_finds_nothing_new_tells_nobody(board: Board, client: Client) -> None:
    board.show(report(card(1)))
    seen = offers(client)
    first = next(seen)
    board.show(report(card(1)))

    board.show(report())

    assert next(seen).revision == first.revision + 1


def test_who_has_a_handle_is_shown_until_the_source_says_otherwise(board: Board, client: Client) -> None:
    one = handle_of(card(1))
    board.show(report(card(1)))

    hold(client, **{one: "default/train/main"})
    held = next(offers(client)).state(one)
    hold(client)
    free = next(offers(client)).state(one)

    assert held.holders == (Holder(kind="pod", name="default/train/main"),)
    assert free.holders == ()


def test_what_is_withdrawn_says_why_whoever_withdraws_it(board: Board, client: Client) -> None:
    one = handle_of(card(1))
    board.show(report(card(1)))
    board.withdraw("conductor", {one: "instance a has it"})
    board.withdraw("jobs", {one: "it is being programmed"})

    withdrawn = next(offers(client)).state(one).withdrawn

    assert withdrawn == "instance a has it; it is being programmed"


def test_a_handle_that_there_is_not_cannot_be_prepared(board: Board, client: Client) -> None:
    board.show(report(card(1)))

    with pytest.raises(CallFailed) as caught:
        client.call("Prepare", wire.PrepareRequest(handles=["nothing"]), timeout_seconds=_PATIENCE)

    assert caught.value.status == Code.NOT_FOUND


def test_preparing_tells_the_device_nodes_as_they_are_then(board: Board, client: Client) -> None:
    one = card(1, std_board_info={"minor": "3"})
    board.show(report(one))

    answer = client.call("Prepare", wire.PrepareRequest(handles=[handle_of(one)]), timeout_seconds=_PATIENCE)

    assert answer.prepared[0].device_nodes[0] == "/dev/nvidia3"


def test_a_device_is_not_reset_under_the_hands_of_whoever_has_another_part_of_it(board: Board, client: Client) -> None:
    device = cut(card(1), "1g.10gb", "1g.10gb")
    mine, theirs = (known_as for known_as, _, _ in handles_of(device))
    board.show(report(device))
    hold(client, **{mine: "default/mine/main", theirs: "default/theirs/main"})

    with pytest.raises(CallFailed, match="is in use: pod default/theirs/main") as caught:
        client.call("Prepare", wire.PrepareRequest(handles=[mine], act="reset"), timeout_seconds=_PATIENCE)

    assert caught.value.status == Code.FAILED_PRECONDITION
    hold(client, **{mine: "default/mine/main"})
    client.call("Prepare", wire.PrepareRequest(handles=[mine], act="reset"), timeout_seconds=_PATIENCE)


def test_of_a_live_host_only_device_nodes_that_are_there_are_named(board: Board, tmp_path: Path) -> None:
    for name in ("null", "nvidia3", "nvidiactl"):
        (tmp_path / "host/dev").mkdir(parents=True, exist_ok=True)
        (tmp_path / "host/dev" / name).touch()
    one = card(1, std_board_info={"minor": "3"})

    board.show(report(one))

    assert board.offer.state(handle_of(one)).device_nodes == ("/dev/nvidia3", "/dev/nvidiactl")


def test_a_function_that_is_bound_for_guests_is_handed_out_by_its_group(board: Board, tmp_path: Path) -> None:
    function = tmp_path / "host/sys/bus/pci/devices/0000:01:00.0"
    function.mkdir(parents=True)
    (function / "driver").symlink_to("../../../bus/pci/drivers/vfio-pci")
    (function / "iommu_group").symlink_to("../../../kernel/iommu_groups/42")
    one = card(1, std_board_info={"minor": "3"})

    board.show(report(one))

    assert board.offer.state(handle_of(one)).device_nodes == ("/dev/vfio/vfio", "/dev/vfio/42")


def test_a_user_that_there_is_not_is_a_mistake_of_the_configuration(board: Board, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such one"):
        node_server(
            tmp_path / "node.sock",
            NodeService(board, NothingToPrepare(), Loans(tmp_path / "lent", board)),
            users=["no such one"],
        )


def test_the_agents_own_user_is_admitted_and_so_is_who_is_named(board: Board, tmp_path: Path) -> None:
    server = node_server(
        tmp_path / "node.sock",
        NodeService(board, NothingToPrepare(), Loans(tmp_path / "lent", board)),
        users=[str(os.geteuid()), "nobody"],
    )
    server.start()
    client = Client(server.path, NODE_SERVICE)

    hold(client)

    client.close()
    server.stop()
