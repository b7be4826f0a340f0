"""A node whose agent has a desk, with a device plugin and a kubelet: what pods get is made ready, and undone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.offered import Agent, Node, node

from accel.agent.board import Board
from accel.agent.jobs.acts import InlineActs
from accel.agent.jobs.desk import Desk, Surroundings
from accel.agent.jobs.store import Store
from accel.agent.node_service import NodeService, node_server
from accel.agent.preparing import DeskPreparer
from accel.agent.probe import Setup, look
from accel.drivers.base import Host
from accel.model.report import NodeInfo, NodeReport

GPU = "accel.io/gpu"


@dataclass
class WorkingAgent(Agent):
    """An agent with a desk, whose driver does what it is asked to."""

    def start(self) -> None:
        host = Host(name="node-1", root=self.path.parent / "host")
        host.root.mkdir(exist_ok=True)
        setup = Setup(driver="readied", host=host, source="support.readied:ReadiedDriver")

        def report() -> None:
            info = NodeInfo(name="node-1", agent_version="1")
            self.board.show(NodeReport(node=info, boot_id="boot-1", sequence=0, drivers=(look(setup).report,)))

        desk = Desk(Store(self.path.parent / "jobs"), InlineActs(lambda _: setup), Surroundings(rediscover=report))
        desk.open()
        service = NodeService(self.board, DeskPreparer(desk, self.board.driver_of, "node-1"), self.loans())
        self.server = node_server(self.path, service, users=())
        self.server.start()
        report()


def working(place: Path, *, grace: float = 10.0, **rule: Any) -> Any:
    """A node whose resource has this rule.

    :param grace: how long a pod must have been gone before what it was lent is given back, in seconds
    """
    agent = WorkingAgent(Board(Host(name="node-1", root=place / "host")), place / "node.sock")
    resources = [{"name": GPU, "where": "type = GPU", **rule}]
    return node(
        place, agent=agent, resources=resources, device_lists=["cdi", "device-nodes"], release_grace_seconds=grace
    )


def done(made: Node) -> list[str]:
    """What the driver was asked to do."""
    path = made.directory / "host/done"
    return path.read_text().splitlines() if path.exists() else []
