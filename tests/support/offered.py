"""Nodes for tests of the node socket and the device plugin: cards made in a line, and the way to a kubelet."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accel.agent.board import Board
from accel.agent.loans import Loans
from accel.agent.node_service import NodeService, NothingToPrepare, node_server
from accel.drivers.base import Host
from accel.kubernetes import config
from accel.kubernetes.config import Config
from accel.kubernetes.plugin import Plugin
from accel.model.address import PciAddress
from accel.model.attribute import resource_class
from accel.model.device import (
    AttachHandle,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Link,
    LinkKind,
    pci_handle,
)
from accel.model.offer import handles_of
from accel.model.report import DriverReport, NodeInfo, NodeReport
from accel.sockets.server import Server
from accel.testing.kubelet import Kubelet

NODE = "node-1"


def card(number: int, **changes: object) -> Device:
    """An NVIDIA GPU, healthy and whole, linked to nothing; its number is its bus and its minor."""
    address = PciAddress(0, number, 0, 0)
    whole = Deployable(
        name=f"{NODE}_{address}",
        kind=DeployableKind.CARD,
        num_accelerators=1,
        attributes=(resource_class("PGPU"),),
        handles=(pci_handle(address),),
    )
    made = Device(
        identity=f"GPU-{number:04d}",
        type=DeviceType.GPU,
        vendor="10de",
        product="2330",
        model="NVIDIA H100 80GB HBM3",
        address=address,
        numa_node=0,
        std_board_info={"minor": str(number)},
        deployables=(whole,),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def linked(devices: list[Device], *groups: tuple[int, ...]) -> list[Device]:
    """The cards, with NVLink between those of each group, by their places in the list."""
    peers = {
        place: [other for group in groups if place in group for other in group if other != place]
        for place in range(len(devices))
    }
    return [
        replace(
            device,
            links=tuple(Link(peer=devices[other].identity, kind=LinkKind.NVLINK, width=18) for other in peers[place]),
        )
        for place, device in enumerate(devices)
    ]


def cut(device: Device, *profiles: str) -> Device:
    """The card, cut by MIG into instances of these profiles."""
    (whole,) = device.deployables
    instances = tuple(
        Deployable(
            name=f"{whole.name}_MIG-{number}",
            kind=DeployableKind.MIG,
            parent=whole.name,
            num_accelerators=1,
            handles=(AttachHandle(type=HandleType.MIG, info=_instance(device, number, profile)),),
        )
        for number, profile in enumerate(profiles)
    )
    return replace(device, deployables=(replace(whole, num_accelerators=0, handles=()), *instances))


def _instance(device: Device, number: int, profile: str) -> dict[str, str]:
    return {
        "uuid": f"MIG-{device.identity}-{number}",
        "parent": device.identity,
        "gpu_instance_id": str(number),
        "compute_instance_id": "0",
        "profile": profile,
    }


def handle_of(device: Device) -> str:
    """The id of the only handle of a card."""
    (found,) = (known_as for known_as, _, _ in handles_of(device))
    return found


def report(*devices: Device) -> NodeReport:
    """What an agent makes of the drivers' look."""
    node = NodeInfo(name=NODE, agent_version="1")
    return NodeReport(node=node, boot_id="boot-1", sequence=0, drivers=(DriverReport(driver="test", devices=devices),))


@dataclass
class Agent:
    """What of an agent a device plugin sees: its board, served."""

    board: Board
    path: Path
    server: Server | None = None

    def start(self) -> None:
        """Serve."""
        self.server = node_server(self.path, NodeService(self.board, NothingToPrepare(), self.loans()), users=())
        self.server.start()

    def loans(self) -> Loans:
        """What it has lent, as the disk has it."""
        made = Loans(self.path.parent / "lent", self.board)
        made.open()
        return made

    def stop(self) -> None:
        """Serve no more."""
        if self.server is not None:
            self.server.stop()
            self.server = None

    def show(self, *devices: Device) -> None:
        """The drivers have looked."""
        self.board.show(report(*devices))


@dataclass
class Node:
    """A node with all that there is between a card and a pod."""

    directory: Path
    agent: Agent
    kubelet: Kubelet
    config: Config
    plugin: Plugin

    def stop(self) -> None:
        """End what is there now, which may be another one than at first."""
        self.plugin.stop()
        self.kubelet.stop()

    def restart_kubelet(self, *, hears_api: bool = True) -> None:
        """As its service does."""
        self.kubelet.stop()
        self.kubelet = Kubelet(self.directory / "kubelet")
        self.kubelet.start(hears_api=hears_api)

    def restart_plugin(self) -> None:
        """As a new pod of the same version."""
        self.plugin.stop(for_good=False)
        self.plugin = Plugin(self.config)
        self.plugin.start()


@contextmanager
def node(directory: Path, *devices: Device, agent: Agent | None = None, **said: Any) -> Iterator[Node]:
    """A node with these cards.

    :param agent: one that shows cards by itself
    :param said: what the plugin's file says, beside where everything is
    """
    with ExitStack() as ends:
        own = Agent(Board(Host(name=NODE, root=directory / "host")), directory / "node.sock")
        agent = agent or own
        agent.start()
        ends.callback(agent.stop)
        if devices:
            agent.show(*devices)
        kubelet = Kubelet(directory / "kubelet")
        kubelet.start()
        plugin_config = config.read(
            {
                "node_socket": str(agent.path),
                "kubelet_directory": str(kubelet.device_plugins),
                "pod_resources_socket": str(kubelet.pod_resources / "kubelet.sock"),
                "cdi_directory": str(directory / "cdi"),
                **said,
            }
        )
        made = Node(directory, agent, kubelet, plugin_config, Plugin(plugin_config))
        made.plugin.start()
        ends.callback(made.stop)
        yield made
