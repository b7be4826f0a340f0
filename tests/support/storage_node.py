"""Nodes with storage whose agent does jobs, with a conductor and a project that wants it: see ``worked_node``."""

from typing import Any
from uuid import NAMESPACE_DNS, uuid3

from support import spdk
from support.nvme_drive import ADDRESS, KernelHands, drive_in
from support.reports import answer, report
from support.site import Site
from support.worked_node import WorkedNode

from accel.agent.jobs.acts import InlineActs
from accel.agent.jobs.desk import Desk, Surroundings
from accel.agent.jobs.store import Store
from accel.agent.probe import Setup, look
from accel.conductor.manager import Limits, Manager
from accel.drivers.base import Host
from accel.testing import HostTree, SimulatedKernel


class StorageNode(WorkedNode):
    """What is alike for each kind of storage. ``setup`` is the driver, ``part`` what is handed out."""

    setup: Setup
    part: str

    def new_desk(self) -> Desk:
        """See ``WorkedNode.new_desk``."""
        around = Surroundings(rediscover=self.report, clock=self.site.clock)
        desk = Desk(Store(self.directory / "jobs"), InlineActs(lambda _: self.setup), around)
        desk.open()
        return desk

    def report(self) -> None:
        """See ``WorkedNode.report``."""
        self.site.sequence += 1
        found = look(self.setup).report
        assert found.failure is None, found.failure
        message = report(
            answer(*found.devices, driver=self.setup.driver), sequence=self.site.sequence, name=self.site.node
        )
        Manager(self.database, self.site.clock, Limits()).report(message)

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
        host = Host(name=self.site.node, root=tree.root, hands=KernelHands(tree.root, self.drive))
        self.setup = Setup(driver="nvme", host=host, options={"look_every_seconds": 0.01})
        self.part = f"{self.site.node}_{ADDRESS}"
        self.desk = self.new_desk()
        self.report()


class SpdkNode(StorageNode):
    """A node with an application that has one subsystem. Its directory must be short: a socket is below it."""

    nqn = "nqn.2016-06.io.spdk:cnode1"

    def __post_init__(self) -> None:
        self.site = Site(self.database)
        self.application = spdk.Application().add(spdk.bdev("Malloc0"), spdk.subsystem(self.nqn, "Malloc0"))
        self.socket = self.directory / "host/run/spdk.sock"
        host = Host(name=self.site.node, root=self.directory / "host")
        self.setup = Setup(driver="spdk", host=host, options={"sockets": ["/run/spdk.sock"], "timeout_seconds": 5})
        self.part = f"{self.site.node}_/run/spdk.sock_{self.nqn}"

    def start(self) -> None:
        """See what the application has, which must run by now."""
        self.desk = self.new_desk()
        self.report()
