"""What was ready for guests is ready again after the host was restarted, until it is released."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from support import built_hosts
from support.waiting import until

from accel.agent.jobs.acts import InlineActs
from accel.agent.jobs.desk import Desk, Surroundings
from accel.agent.jobs.prepared import Prepared
from accel.agent.jobs.store import Store
from accel.agent.probe import Setup
from accel.model.job import HandleOrder, JobKind, JobOrder, JobState
from accel.testing import HostTree, SimulatedKernel

TYPE = "i915-GVTg_V5_8"
HANDLE = HandleOrder(
    uuid="5f0c3a52-4e5b-4a4b-9a53-2a8a53cf11d1",
    type="MDEV",
    info={"domain": "0000", "bus": "00", "device": "02", "function": "0", "asked_type": TYPE, "vgpu_mark": f"{TYPE}_0"},
)
PREPARE = JobOrder(
    uuid="0a0c3a52-4e5b-4a4b-9a53-2a8a53cf11d1",
    kind=JobKind.PREPARE,
    node="node-1",
    driver="mdev",
    device=f"pci:{built_hosts.GPU}",
    deployable=f"node-1_{built_hosts.GPU}_{TYPE}",
    handle=HANDLE,
    time_limit_seconds=60,
)


class Machine:
    """A host with an agent's desk, which may be restarted."""

    def __init__(self, root: Path, state: Path) -> None:
        built_hosts.mdev_parents(root, "node-1")
        self.kernel = SimulatedKernel.of(HostTree(root))
        self._state = state
        self._boots = 1

    def desk(self) -> Desk:
        prepared = self.prepared()
        setup = Setup(driver="mdev", host=self.kernel.host(), options={"types": [TYPE]})
        desk = Desk(
            Store(self._state / "jobs"),
            InlineActs(lambda _: setup),
            Surroundings(lost=prepared.lost, done=prepared.done),
        )
        desk.open()
        return desk

    def prepared(self) -> Prepared:
        return Prepared(self._state / "prepared", f"boot-{self._boots}")

    def restart(self) -> None:
        """All mediated devices are gone."""
        self._boots += 1
        for uuid in self.made():
            self.kernel.write(self.kernel.root / "sys/bus/mdev/devices" / uuid / "remove", "1")

    def made(self) -> list[str]:
        return [link.name for link in (self.kernel.root / "sys/bus/mdev/devices").iterdir()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "host", tmp_path / "state")


def do(desk: Desk, order: JobOrder) -> None:
    status = desk.run_job(order, 20)
    assert status.state is JobState.DONE, status.error_text


def release() -> JobOrder:
    return replace(PREPARE, uuid=str(uuid4()), kind=JobKind.RELEASE)


def test_after_a_restart_of_the_host_the_same_device_is_made_again(machine: Machine) -> None:
    do(machine.desk(), PREPARE)
    machine.restart()
    assert machine.made() == []

    machine.desk()

    until(lambda: machine.made() == [HANDLE.uuid], patience_seconds=20)


def test_a_restart_of_the_agent_alone_does_nothing(machine: Machine) -> None:
    do(machine.desk(), PREPARE)
    assert list(machine.prepared().lost()) == []


def test_what_was_released_is_not_made_again(machine: Machine) -> None:
    desk = machine.desk()
    do(desk, PREPARE)
    do(desk, release())
    machine.restart()

    assert list(machine.prepared().lost()) == []


def test_what_is_released_after_the_restart_is_made_and_removed(machine: Machine) -> None:
    do(machine.desk(), PREPARE)
    machine.restart()
    desk = machine.desk()
    do(desk, release())

    assert machine.made() == []


def test_a_file_that_cannot_be_read_is_left_out(machine: Machine, tmp_path: Path) -> None:
    do(machine.desk(), PREPARE)
    (tmp_path / "state/prepared/another.json").write_text("{")
    machine.restart()

    machine.desk()

    until(lambda: machine.made() == [HANDLE.uuid], patience_seconds=20)
