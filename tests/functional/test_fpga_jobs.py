"""Programming an FPGA as a job of the agent: when all is well, when the tool fails, when the agent dies."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from support import fpga_agent
from support.fpga_agent import open_desk, program
from support.host_trees import HOSTS
from support.images import gbs
from support.parts import facts
from support.vendor_tools import behave, behave_well, hanging, install
from support.waiting import until

from accel.agent.probe import driver_of
from accel.model.device import DeployableKind
from accel.model.job import JobKind, JobState, JobStatus
from accel.testing import unpack

NEW = "1" * 32
INTERFACE = "f64e598bea11517fa28e7bc65d885104"
PATIENCE_SECONDS = 60


class Bench:
    """A captured host with a board, Intel's programs installed, and an image that fits."""

    def __init__(self, directory: Path, programmer: str) -> None:
        (archive,) = (HOSTS / "fpga-a10-dfl").glob("*.tar.gz")
        self.root = unpack(archive, directory / "host")
        tools = install(self.root, "fpgaconf", "fpgasupdate")
        self.options: dict[str, object] = {**tools, "programmer": programmer}
        self.directory = directory / "jobs"
        self.image = directory / "image.gbs"
        self.image.write_bytes(gbs(INTERFACE, NEW))
        (self.device,) = driver_of(fpga_agent.setup(self.root, self.options)).discover()
        self.region = next(part.name for part in self.device.deployables if part.kind is DeployableKind.REGION)

    def run(self, uuid: str = "") -> JobStatus:
        """Have the job done by an agent that lives; or look how one has ended that another agent had begun."""
        desk = open_desk(self.directory, self.root, self.options, self.image)
        try:
            wanted = program(self.device.identity, self.region, uuid=uuid)
            until(lambda: desk.run_job(wanted, 5).is_ended, patience_seconds=PATIENCE_SECONDS)
            return desk.run_job(wanted, 0)
        finally:
            desk.stop()

    def killed_while_loading(self, uuid: str) -> int:
        """Begin the job in an agent that is killed when what was loaded is gone; the process of Intel's program."""
        told = {"directory": str(self.directory), "root": str(self.root), "options": self.options, "uuid": uuid}
        told |= {"image": str(self.image), "device": self.device.identity, "region": self.region}
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
        with subprocess.Popen([sys.executable, fpga_agent.__file__, json.dumps(told)], env=environment) as agent:
            until(lambda: hanging(self.root, "fpgaconf"), patience_seconds=PATIENCE_SECONDS)
            agent.send_signal(signal.SIGKILL)
        return hanging(self.root, "fpgaconf")

    @property
    def loaded(self) -> str:
        (device,) = driver_of(fpga_agent.setup(self.root, self.options)).discover()
        return facts(next(part for part in device.deployables if part.name == self.region)).get("afu_id", "")


def is_alive(pid: int) -> bool:
    """Whether a process does something yet."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture(params=["fpgaconf", "fpgasupdate"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path, request.param)


def test_a_job_loads_the_image(bench: Bench) -> None:
    status = bench.run()

    assert (status.state, status.error_text, bench.loaded) == (JobState.DONE, "", NEW)


def test_a_job_whose_tool_fails_leaves_a_region_of_which_nobody_knows_what_is_in_it(bench: Bench) -> None:
    behave(bench.root, "fpgaconf", status=5, stderr="Error writing bitstream to FPGA: exception")

    status = bench.run()

    assert (status.state, status.error_code, status.is_state_unknown) == (JobState.FAILED, "accel.tool_failed", True)
    assert "Error writing bitstream to FPGA: exception" in status.error_text


def test_an_image_for_another_region_leaves_the_region_as_it_was(bench: Bench) -> None:
    bench.image.write_bytes(gbs("a" * 32, NEW))
    before = bench.loaded

    status = bench.run()

    assert (status.error_code, status.is_state_unknown) == ("accel.image_mismatch", False)
    assert bench.loaded == before != ""


def test_a_damaged_image_leaves_the_region_as_it_was(bench: Bench) -> None:
    bench.image.write_bytes(gbs(INTERFACE, NEW)[:40])

    status = bench.run()

    assert (status.error_code, status.is_state_unknown) == ("accel.invalid_image", False)


def test_an_agent_that_dies_while_it_programs_knows_it_when_it_is_back_and_nothing_of_it_goes_on(bench: Bench) -> None:
    uuid = str(uuid4())
    behave(bench.root, "fpgaconf", hangs="after")
    tool = bench.killed_while_loading(uuid)
    assert is_alive(tool) or bench.loaded == ""

    status = bench.run(uuid)

    assert (status.state, status.error_code, status.is_state_unknown) == ("failed", "accel.act_interrupted", True)
    assert "the agent of node-1 ended while it was at program" in status.error_text
    until(lambda: not is_alive(tool), patience_seconds=PATIENCE_SECONDS)
    assert bench.loaded == ""
    behave_well(bench.root, "fpgaconf")
    assert (bench.run().state, bench.loaded) == (JobState.DONE, NEW)


def test_a_job_that_is_cancelled_ends_the_tool_and_leaves_a_region_of_which_nobody_knows(bench: Bench) -> None:
    behave(bench.root, "fpgaconf", hangs="after")
    desk = open_desk(bench.directory, bench.root, bench.options, bench.image)
    wanted = program(bench.device.identity, bench.region)
    desk.run_job(wanted, 0)
    until(lambda: hanging(bench.root, "fpgaconf"), patience_seconds=PATIENCE_SECONDS)
    desk.cancel_job(wanted.uuid)
    until(lambda: desk.run_job(wanted, 5).is_ended, patience_seconds=PATIENCE_SECONDS)
    status = desk.run_job(wanted, 0)
    desk.stop()

    assert (status.state, status.error_code, status.is_state_unknown) == ("cancelled", "accel.act_cancelled", True)
    assert f"{bench.options['programmer']} was ended by SIGTERM" in status.error_text
    assert not is_alive(hanging(bench.root, "fpgaconf"))
    assert bench.loaded == ""


def test_a_job_takes_out_what_is_loaded(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "fpgaconf")
    idle = tmp_path / "idle.gbs"
    idle.write_bytes(gbs(INTERFACE, "2" * 32))
    bench.options["blank_images"] = [str(idle)]
    desk = open_desk(bench.directory, bench.root, bench.options, bench.image)
    blank = replace(program(bench.device.identity, bench.region), kind=JobKind.BLANK, image=None)

    until(lambda: desk.run_job(blank, 5).is_ended, patience_seconds=PATIENCE_SECONDS)

    assert (desk.run_job(blank, 0).error_text, bench.loaded) == ("", "2" * 32)
    desk.stop()
