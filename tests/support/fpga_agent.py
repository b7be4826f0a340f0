"""The desk of an agent on a captured host with an FPGA, here or in a process that can be killed."""

import json
import sys
import threading
from pathlib import Path
from uuid import uuid4

from accel.agent.jobs.acts import ProcessActs
from accel.agent.jobs.desk import Desk, Surroundings
from accel.agent.jobs.store import Store
from accel.agent.nursery import Nursery
from accel.agent.probe import Setup
from accel.drivers.base import Host
from accel.model.job import ImageOrder, JobKind, JobOrder


class Here:
    """Images that are on the node already."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def fetch(self, image: ImageOrder) -> Path:
        del image
        return self.file

    def done_with(self, image: ImageOrder) -> None:
        """They stay."""


def setup(root: Path, options: dict[str, object]) -> Setup:
    """The driver as the agent sets it up."""
    return Setup(driver="intel_fpga", host=Host(name="node-1", root=root), options=options)


def open_desk(directory: Path, root: Path, options: dict[str, object], image: Path) -> Desk:
    """A desk over what is on disk."""
    setups = (setup(root, options),)
    desk = Desk(Store(directory), ProcessActs(setups, Nursery()), Surroundings(images=Here(image)))
    desk.open()
    return desk


def program(device: str, region: str, *, uuid: str = "") -> JobOrder:
    """To program a region."""
    return JobOrder(
        uuid=uuid or str(uuid4()),
        kind=JobKind.PROGRAM,
        node="node-1",
        driver="intel_fpga",
        device=device,
        deployable=region,
        image=ImageOrder(digest=f"sha256:{'0' * 64}", size=1, name="image"),
        time_limit_seconds=300,
    )


def main() -> None:
    """Begin a job and stay at it until somebody kills this."""
    told = json.loads(sys.argv[1])
    desk = open_desk(Path(told["directory"]), Path(told["root"]), told["options"], Path(told["image"]))
    desk.run_job(program(told["device"], told["region"], uuid=told["uuid"]), 0)
    threading.Event().wait()


if __name__ == "__main__":
    main()
