"""Devices that something is done to: what can be cut, what is ailing, and jobs in each of their states."""

from support.ailing import signals
from support.divisible import gpu
from support.inventory import BEGIN, Inventory
from support.populated import uuid

from accel.db.engine import Database
from accel.model.job import JobState

NODE = "gamma"
DEVICES = [uuid(1, number) for number in (21, 22, 23)]
"""A whole GPU, one that is cut and of which a pod has a part, and a drive that is not well."""
PARTS = ["1g.5gb", "2g.10gb", "3g.20gb", "7g.40gb"]
JOBS = [f"b0000000-0000-4000-8000-{number:012}" for number in range(len(JobState))]
"""One in each state, all of them on the drive."""


def add_work(database: Database) -> None:
    """Add a node with these devices and jobs."""
    inventory = Inventory(database, first=1000)
    node = inventory.node(NODE)
    whole, cut, drive = DEVICES
    gpu(inventory, node, uuid=whole, identity="GPU-21")
    gpu(inventory, node, "3g.20gb@0", "1g.5gb@4", held_by="red", uuid=cut, identity="GPU-22")
    ailing = inventory.device(
        node,
        uuid=drive,
        type="NVME",
        model="PM1733",
        health="unhealthy",
        reason="temperature: too hot",
        signals_text=signals(pcie_aer="healthy", temperature="unhealthy"),
    )
    part = inventory.deployable(ailing, uuid=uuid(2, 23), rp_uuid=uuid(9, 23))
    inventory.attribute(part, "rc", "CUSTOM_SSD")
    inventory.handle(part, uuid=uuid(4, 23))
    for name, state in zip(JOBS, JobState, strict=True):
        ended = {} if state in {JobState.QUEUED, JobState.RUNNING} else {"finished_at": BEGIN}
        inventory.job(ailing, uuid=name, state=state, node=NODE, is_state_unknown=state == JobState.FAILED, **ended)
    inventory.settle()
