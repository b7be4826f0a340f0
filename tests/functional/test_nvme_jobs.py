"""Erasing a drive as a job at an agent: in a process of its own, which may die while the drive goes on."""

import os
import signal
from pathlib import Path
from uuid import uuid4

import pytest
from support.nvme_drive import ADDRESS, EmulatedDrive, KernelHands, drive_in
from support.waiting import until

from accel.agent.jobs.acts import ProcessActs
from accel.agent.jobs.desk import Desk, Surroundings
from accel.agent.jobs.store import Store
from accel.agent.nursery import Nursery
from accel.agent.probe import Setup
from accel.drivers.base import Host
from accel.drivers.nvme import NvmeDriver
from accel.model.address import PciAddress
from accel.model.device import pci_handle
from accel.model.job import ARGUMENT_METHOD, HandleOrder, JobKind, JobOrder, JobState, JobStatus
from accel.testing import SimulatedKernel
from accel.testing.driver_contract import options
from accel.testing.host_tree import HostTree

PATIENCE_SECONDS = 60


class Node:
    """A node with a drive, and the desk of its agent."""

    def __init__(self, directory: Path) -> None:
        tree = HostTree(directory / "host")
        self.drive: EmulatedDrive = drive_in(tree, 1)
        self.drive.memory = directory / "drive.json"
        self.gate = directory / "drive.closed"
        source = f"{NvmeDriver.__module__}:{NvmeDriver.__name__}"
        SimulatedKernel.of(tree)
        self.host = Host(name="node-1", root=tree.root, hands=KernelHands(tree.root, self.drive))
        setup = Setup(driver="nvme", host=self.host, source=source, options={"look_every_seconds": 0.01})
        self.store = Store(directory / "jobs")
        self.desk = Desk(self.store, ProcessActs([setup], Nursery()), Surroundings())
        self.desk.open()

    def order(
        self, method: str = "crypto-erase", *, kind: JobKind = JobKind.SCRUB, handle: HandleOrder | None = None
    ) -> JobOrder:
        return JobOrder(
            uuid=str(uuid4()),
            kind=kind,
            node="node-1",
            driver="nvme",
            device="serial:S1",
            deployable=f"node-1_{ADDRESS}",
            handle=handle,
            arguments={ARGUMENT_METHOD: method},
            time_limit_seconds=PATIENCE_SECONDS,
        )

    def identity(self) -> str:
        """What the drive is known by."""
        (device,) = NvmeDriver(self.host, options(NvmeDriver)).discover()
        return device.identity

    def until_ended(self, order: JobOrder) -> JobStatus:
        until(lambda: self.desk.run_job(order, 1).is_ended, patience_seconds=PATIENCE_SECONDS)
        return self.desk.run_job(order, 0)

    def until_erasing(self, order: JobOrder) -> JobStatus:
        def is_erasing() -> bool:
            return self.desk.run_job(order, 0).message == "crypto-erase in the drive"

        until(is_erasing, patience_seconds=PATIENCE_SECONDS)
        return self.desk.run_job(order, 0)

    def process_of(self, order: JobOrder) -> int:
        """The process that is at a job."""
        job = self.store.get(order.uuid)
        assert job is not None
        assert job.process is not None
        return job.process.pid


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_drive_is_erased_by_a_job_that_tells_how_far_it_is(node: Node) -> None:
    before = node.drive.files[1].read_bytes()
    order = node.order()
    node.gate.touch()
    assert node.until_erasing(order).fraction == 0
    node.gate.unlink()
    status = node.until_ended(order)
    assert (status.state, status.fraction, status.error_code) == (JobState.DONE, 1, "")
    assert node.drive.files[1].read_bytes() != before


def test_a_job_whose_process_dies_leaves_the_drive_erasing_and_the_next_one_waits_for_it(node: Node) -> None:
    order = node.order()
    node.gate.touch()
    node.until_erasing(order)
    os.kill(node.process_of(order), signal.SIGKILL)
    status = node.until_ended(order)
    assert (status.state, status.error_code, status.is_state_unknown) == (JobState.FAILED, "accel.act_died", True)
    node.gate.unlink()
    assert node.until_ended(node.order("best")).state is JobState.DONE
    assert node.drive.sanitizes == 1


def test_what_a_guest_has_had_is_given_back_and_erased(node: Node) -> None:
    """Meanwhile the drive says nothing but its ids, and is known by where it is."""
    before = node.drive.files[1].read_bytes()
    info = pci_handle(PciAddress.parse(ADDRESS)).info
    handle = HandleOrder(uuid=str(uuid4()), type="PCI", info=info)

    assert node.until_ended(node.order(kind=JobKind.PREPARE, handle=handle)).error_text == ""
    assert node.identity() == f"pci:{ADDRESS}"
    refused = node.until_ended(node.order())
    assert (refused.error_code, refused.is_state_unknown) == ("accel.device_gone", False)
    assert node.until_ended(node.order(kind=JobKind.RELEASE, handle=handle)).error_text == ""
    assert node.identity() == "serial:S1"
    assert node.until_ended(node.order("best")).state is JobState.DONE
    assert node.drive.files[1].read_bytes() != before


def test_a_job_that_is_refused_leaves_the_drive_as_it_was(node: Node) -> None:
    node.drive.files[1].unlink()
    status = node.until_ended(node.order())
    assert (status.state, status.error_code, status.is_state_unknown) == (JobState.FAILED, "accel.act_refused", False)
    assert "nvme0n1 cannot be read, so nobody could tell whether it is erased" in status.error_text
    assert node.drive.sanitizes == 0


def test_a_method_that_the_driver_does_not_know_is_refused_with_those_it_knows(node: Node) -> None:
    status = node.until_ended(node.order("shred"))
    assert (status.error_code, status.is_state_unknown) == ("accel.invalid_value", False)
    assert "one of best, crypto-erase, block-erase" in status.error_text
