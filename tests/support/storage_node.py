"""Nodes with storage whose agent does jobs, with a conductor and a project that wants it: see ``worked_node``."""

from typing import Any
from uuid import NAMESPACE_DNS, uuid3

from support import spdk
from support.nvme_drive import ADDRESS, KernelHands, drive_in
from support.site import Site
from support.worked_node import WorkedNode

from accel.drivers.base import Host
from accel.testing import HostTree, SimulatedKernel


class StorageNode(WorkedNode):
    """What is alike for each kind of storage. ``part`` is what is handed out."""

    part: str

    def binds(self, uuid: str, card: int = 0) -> Any:
        """See ``WorkedNode.binds``; there is one thing to be had."""
        assert card == 0
        provider = str(uuid3(NAMESPACE_DNS, self.part))
        return self.site.binds([uuid], device_rp_uuid=provider, instance=f"vm-{uuid[:8]}")


class NvmeNode(StorageNode):
    """A node with one drive, full of what somebody has written."""

    def __post_init__(self) -> None:
        self.site = Site(self.database)
        tree = HostTree(self.directory / "host")
        self.drive = drive_in(tree, 1)
        SimulatedKernel.of(tree)
        self.host = Host(name=self.site.node, root=tree.root, hands=KernelHands(tree.root, self.drive))
        self.driver, self.options = "nvme", {"look_every_seconds": 0.01}
        self.part = f"{self.site.node}_{ADDRESS}"
        self.begin()


class SpdkNode(StorageNode):
    """A node with an application that has one subsystem; ``begin`` when it runs.

    Its directory must be short: a socket is below it.
    """

    nqn = "nqn.2016-06.io.spdk:cnode1"

    def __post_init__(self) -> None:
        self.site = Site(self.database)
        self.application = spdk.Application().add(spdk.bdev("Malloc0"), spdk.subsystem(self.nqn, "Malloc0"))
        self.socket = self.directory / "host/run/spdk.sock"
        self.host = Host(name=self.site.node, root=self.directory / "host")
        self.driver, self.options = "spdk", {"sockets": ["/run/spdk.sock"], "timeout_seconds": 5}
        self.part = f"{self.site.node}_/run/spdk.sock_{self.nqn}"
