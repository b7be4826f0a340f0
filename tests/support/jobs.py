"""Jobs for the driver ``test-able`` on a host of files, and the desk of an agent that does them."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from support.faulty_drivers import FOLDER, setups
from support.waiting import until

from accel.agent.jobs.acts import ProcessActs
from accel.agent.jobs.desk import Desk, Images, NoImages, Surroundings
from accel.agent.jobs.store import Store
from accel.agent.nursery import Nursery
from accel.agent.probe import Setup
from accel.drivers.base import Host
from accel.model.job import JobKind, JobOrder

FIRST, SECOND = "pci:0000:3b:00.0", "pci:0000:5e:00.0"
PATIENCE_SECONDS = 60


class Node:
    """A node with two cards, and the desk of its agent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = Host(name="node-1", root=directory / "host")
        self.host.root.mkdir(exist_ok=True)
        (self.host.root / "card").touch()
        self.looks = 0
        self.nursery = Nursery()
        self.desk = self.new_desk()

    @property
    def setup(self) -> Setup:
        """The driver on its host."""
        [setup] = setups("test-able", host=self.host)
        return setup

    def new_desk(self, *, images: Images | None = None, stop_patience_seconds: float = PATIENCE_SECONDS) -> Desk:
        """A desk over what is on disk, open."""
        acts = ProcessActs(
            setups("test-able", host=self.host), self.nursery, stop_patience_seconds=stop_patience_seconds
        )
        around = Surroundings(rediscover=self._look, images=images or NoImages())
        desk = Desk(Store(self.directory / "jobs"), acts, around)
        desk.open()
        return desk

    def parts(self, device: str = FIRST) -> str:
        """What a card is cut into."""
        path = self.host.root / f"parts-{device.removeprefix('pci:')}"
        return path.read_text() if path.exists() else ""

    @contextmanager
    def closed(self) -> Iterator[None]:
        """No act gets far while the block lasts."""
        gate = self.host.root / "closed"
        gate.touch()
        try:
            yield
        finally:
            gate.unlink(missing_ok=True)

    def until_begun(self, device: str = FIRST) -> int:
        """Wait for an act on a device; gives its process."""
        path = self.host.root / f"begun-{device.removeprefix('pci:')}"
        until(path.exists, patience_seconds=PATIENCE_SECONDS)
        return int(path.read_text())

    def _look(self) -> None:
        self.looks += 1


def order(*parts: str, device: str = FIRST, uuid: str = "", seconds: float = 60) -> JobOrder:
    """To cut a card into parts, one of each name."""
    return JobOrder(
        uuid=uuid or str(uuid4()),
        kind=JobKind.PARTITION,
        node="node-1",
        driver="test-able",
        device=device,
        arguments=dict.fromkeys(parts, "1"),
        time_limit_seconds=seconds,
    )


def main() -> None:
    """An agent's desk in a process of its own: it begins a job and stays at it until it is killed."""
    sys.path.insert(0, str(FOLDER))
    node = Node(Path(sys.argv[1]))
    node.desk.run_job(order("slow", uuid=sys.argv[2]), 0)
    node.desk.run_job(order("later", uuid=sys.argv[3]), 0)
    threading.Event().wait()


if __name__ == "__main__":
    main()
