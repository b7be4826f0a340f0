"""Jobs at the agent: done in processes, once, in their order, whatever the driver does and whenever the agent dies."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from support import jobs
from support.faulty_drivers import faulty_drivers
from support.jobs import FIRST, PATIENCE_SECONDS, SECOND, Node, order
from support.waiting import until

from accel.agent.jobs.store import MOST_KEPT, KeptJob, Store
from accel.errors import InvalidValue, NotFound, Unavailable
from accel.model.job import ImageOrder, JobOrder, JobState, JobStatus
from accel.rpc import wire

__all__ = ["faulty_drivers"]  # a fixture
pytestmark = pytest.mark.usefixtures("faulty_drivers")


MDEV = {"uuid": str(uuid4()), "type": "MDEV", "info": {"asked_type": "mtty-2"}}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def ended(node: Node, uuid: str) -> JobStatus:
    """The end of a job."""
    until(lambda: node.desk.run_job(order(uuid=uuid), PATIENCE_SECONDS).is_ended, patience_seconds=PATIENCE_SECONDS)
    return node.desk.run_job(order(uuid=uuid), 0)


def is_alive(pid: int) -> bool:
    """Whether a process does something yet: one that is dead and not yet buried does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


# --- as it should be ---


def test_a_job_is_done_and_the_drivers_have_looked_again_before_anybody_hears_of_it(node: Node) -> None:
    status = node.desk.run_job(order("half"), PATIENCE_SECONDS)

    assert (status.state, status.fraction, status.error_code) == (JobState.DONE, 1, "")
    assert (node.parts(), node.looks) == ("half=1", 1)
    assert status.started_at is not None
    assert status.finished_at is not None


def test_ordering_a_job_twice_is_joining_it(node: Node) -> None:
    wanted = order("half")
    with node.closed():
        first = node.desk.run_job(wanted, 0)
        second = node.desk.run_job(wanted, 0)
    done = node.desk.run_job(wanted, PATIENCE_SECONDS)

    assert {first.state, second.state} <= {JobState.QUEUED, JobState.RUNNING}
    assert node.desk.run_job(wanted, PATIENCE_SECONDS) == done
    assert node.looks == 1


def test_a_job_tells_how_far_it_is(node: Node) -> None:
    wanted = order("half")
    with node.closed():
        node.desk.run_job(wanted, 0)
        node.until_begun()
        until(lambda: node.desk.run_job(wanted, 0).fraction == 0.5, patience_seconds=PATIENCE_SECONDS)
        assert node.desk.run_job(wanted, 0).message == "cutting"
    assert node.desk.run_job(wanted, PATIENCE_SECONDS).state is JobState.DONE


def test_a_device_does_one_job_at_a_time_in_their_order_and_another_device_does_not_wait(node: Node) -> None:
    first, second, elsewhere = order("first"), order("second"), order("elsewhere", device=SECOND)
    with node.closed():
        for each in (first, second, elsewhere):
            node.desk.run_job(each, 0)
        node.until_begun(FIRST)
        node.until_begun(SECOND)
        assert node.desk.run_job(second, 0).state is JobState.QUEUED
    assert [node.desk.run_job(each, PATIENCE_SECONDS).state for each in (first, second, elsewhere)] == ["done"] * 3
    assert (node.parts(FIRST), node.parts(SECOND)) == ("second=1", "elsewhere=1")


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("part", "code", "text", "is_unknown"),
    [
        ("refuse", "accel.act_refused", "no card has 8 slices: ask for 7 at most", False),
        ("break", "accel.act_failed", "the second slice was not made: look at the card", True),
        ("mistake", "accel.act_failed", "raised ZeroDivisionError: a mistake in the driver", True),
        ("segfault", "accel.act_died", "was ended by SIGSEGV", True),
    ],
)
def test_each_way_to_fail_has_its_name_and_says_whether_the_device_is_as_it_was(
    part: str,
    code: str,
    text: str,
    is_unknown: bool,  # noqa: FBT001 - a parameter of the test
    node: Node,
) -> None:
    status = node.desk.run_job(order(part), PATIENCE_SECONDS)

    assert (status.state, status.error_code, status.is_state_unknown) == (JobState.FAILED, code, is_unknown)
    assert text in status.error_text
    assert node.looks == 1


def test_what_takes_too_long_is_ended_with_the_tool_that_it_runs(node: Node) -> None:
    wanted = order("hang", seconds=1)
    node.desk.run_job(wanted, 0)
    process = node.until_begun()
    until(lambda: children(process), patience_seconds=PATIENCE_SECONDS)
    tools = children(process)
    status = node.desk.run_job(wanted, PATIENCE_SECONDS)

    assert (status.error_code, status.is_state_unknown) == ("accel.act_timed_out", True)
    assert "did not end within 1 s and was ended by force" in status.error_text
    assert not any(map(is_alive, [process, *tools]))


def children(pid: int) -> list[int]:
    """The processes that a process has begun."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"device": "serial:none"}, "accel.device_gone", "does not see device serial:none"),
        ({"driver": "nvidia"}, "accel.act_not_supported", "the driver nvidia is not enabled on node-1: test-able"),
        ({"kind": "reset"}, "accel.act_not_supported", "the driver test-able cannot reset"),
        ({"arguments": {"half": "-1"}}, "accel.invalid_value", "half: '-1' is not a whole number"),
        ({"kind": "scrub"}, "accel.invalid_value", "method: '' is not one of zero"),
        (
            {"kind": "prepare", "handle": MDEV},
            "accel.mdev_type_gone",
            "makes no mediated devices of type mtty-2 any more",
        ),
        ({"kind": "prepare", "handle": MDEV | {"type": "PCI"}}, "accel.device_gone", "has no part None; it has"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_device_as_it_was(
    change: dict[str, object], code: str, text: str, node: Node
) -> None:
    status = node.desk.run_job(wire.decode(JobOrder, wire.encode(order()) | change), PATIENCE_SECONDS)

    assert (status.state, status.error_code, status.is_state_unknown) == (JobState.FAILED, code, False)
    assert text in status.error_text


def test_a_job_whose_turn_comes_too_late_is_not_begun(node: Node) -> None:
    late = replace(order("half"), deadline=datetime.now(UTC) - timedelta(seconds=1))

    status = node.desk.run_job(late, PATIENCE_SECONDS)

    assert (status.error_code, node.parts()) == ("accel.act_refused", "")


def test_an_order_with_the_uuid_of_another_one_is_wrong(node: Node) -> None:
    first = order("half")
    node.desk.run_job(first, PATIENCE_SECONDS)

    with pytest.raises(InvalidValue, match="that of a job to partition"):
        node.desk.run_job(order(device=SECOND, uuid=first.uuid), 0)


def test_a_uuid_that_is_none_names_no_file(node: Node) -> None:
    with pytest.raises(InvalidValue, match="is not a UUID"):
        node.desk.run_job(order(uuid="../../etc/passwd"), 0)


def test_what_cannot_be_kept_on_disk_is_not_begun(node: Node) -> None:
    (node.directory / "jobs").rmdir()
    (node.directory / "jobs").touch()

    with pytest.raises(Unavailable, match="cannot keep jobs"):
        node.desk.run_job(order("half"), 0)
    assert node.parts() == ""


# --- cancelled ---


def test_what_waits_is_cancelled_and_never_begins(node: Node) -> None:
    running, waiting = order("first"), order("second")
    with node.closed():
        node.desk.run_job(running, 0)
        node.until_begun()
        node.desk.run_job(waiting, 0)
        assert node.desk.cancel_job(waiting.uuid).state is JobState.CANCELLED
    assert node.desk.run_job(running, PATIENCE_SECONDS).state is JobState.DONE
    assert node.desk.run_job(waiting, PATIENCE_SECONDS).state is JobState.CANCELLED
    assert node.parts() == "first=1"


def test_what_is_under_way_is_stopped_where_it_says_how_far_it_is_and_leaves_its_device_in_doubt(node: Node) -> None:
    wanted = order("first")
    with node.closed():
        node.desk.run_job(wanted, 0)
        process = node.until_begun()
        assert node.desk.cancel_job(wanted.uuid).state is JobState.RUNNING
        assert node.desk.cancel_job(wanted.uuid).state is JobState.RUNNING
        status = node.desk.run_job(wanted, PATIENCE_SECONDS)

    assert (status.state, status.error_code, status.is_state_unknown) == ("cancelled", "accel.act_cancelled", True)
    assert status.error_text == "it was stopped before this: cutting"
    assert (node.parts(), node.looks, is_alive(process)) == ("", 1, False)


def test_what_must_go_on_says_why_and_comes_to_its_end(node: Node) -> None:
    wanted = order("first", "must")
    with node.closed():
        node.desk.run_job(wanted, 0)
        node.until_begun()
        until(lambda: node.desk.run_job(wanted, 0).must_go_on != "", patience_seconds=PATIENCE_SECONDS)
        assert node.desk.cancel_job(wanted.uuid).must_go_on == "half a card is none"
    status = node.desk.run_job(wanted, PATIENCE_SECONDS)

    assert (status.state, status.must_go_on, node.parts()) == (JobState.DONE, "", "first=1,must=1")


def test_what_does_not_stop_when_it_is_told_to_is_ended_by_force_with_the_tool_that_it_runs(node: Node) -> None:
    node.desk = node.new_desk(stop_patience_seconds=1)
    wanted = order("hang")
    node.desk.run_job(wanted, 0)
    process = node.until_begun()
    until(lambda: children(process), patience_seconds=PATIENCE_SECONDS)
    tools = children(process)
    node.desk.cancel_job(wanted.uuid)
    status = node.desk.run_job(wanted, PATIENCE_SECONDS)

    assert (status.state, status.error_code, status.is_state_unknown) == ("cancelled", "accel.act_cancelled", True)
    assert "did not stop within 1 s and was ended by force" in status.error_text
    assert not any(map(is_alive, [process, *tools]))


def test_what_is_called_off_while_its_image_is_fetched_leaves_the_device_as_it_was(node: Node) -> None:
    images = Slow()
    node.desk = node.new_desk(images=images)
    wanted = replace(order("first"), image=ImageOrder(digest="sha256:" + "0" * 64, size=1, name="nic"))
    node.desk.run_job(wanted, 0)
    assert images.asked.wait(PATIENCE_SECONDS)
    node.desk.cancel_job(wanted.uuid)
    images.here.set()
    status = node.desk.run_job(wanted, PATIENCE_SECONDS)

    assert (status.state, status.error_code, status.is_state_unknown) == ("cancelled", "accel.act_cancelled", False)
    assert node.parts() == ""


class Slow:
    """Images that are here when the test says so."""

    def __init__(self) -> None:
        self.asked, self.here = threading.Event(), threading.Event()

    def fetch(self, _image: ImageOrder) -> Path:
        """Wait for it."""
        self.asked.set()
        assert self.here.wait(PATIENCE_SECONDS)
        return Path()

    def done_with(self, _image: ImageOrder) -> None:
        """There is none."""


def test_what_has_ended_cannot_be_called_off_any_more(node: Node) -> None:
    wanted = order("first")
    done = node.desk.run_job(wanted, PATIENCE_SECONDS)

    assert node.desk.cancel_job(wanted.uuid) == done


def test_what_was_called_off_before_the_agent_died_was_cancelled(node: Node) -> None:
    wanted = order("first")
    store = Store(node.directory / "jobs")
    store.open()
    store.add(KeptJob(order=wanted, status=JobStatus(uuid=wanted.uuid, state=JobState.RUNNING)))
    store.call_off(wanted.uuid)
    node.desk = node.new_desk()
    status = node.desk.run_job(wanted, PATIENCE_SECONDS)

    assert (status.state, status.error_code, status.is_state_unknown) == ("cancelled", "accel.act_cancelled", True)
    assert "the agent of node-1 ended while it was at partition" in status.error_text


def test_what_is_not_known_cannot_be_cancelled(node: Node) -> None:
    with pytest.raises(NotFound):
        node.desk.cancel_job(str(uuid4()))


# --- an agent that ends ---


def test_an_agent_that_is_told_to_end_lets_acts_end_and_takes_up_what_waits_when_it_is_back(node: Node) -> None:
    running, waiting = order("first"), order("second")
    with node.closed():
        node.desk.run_job(running, 0)
        node.until_begun()
        node.desk.run_job(waiting, 0)
    node.desk.stop(PATIENCE_SECONDS)
    with pytest.raises(Unavailable, match="is ending"):
        node.desk.run_job(order("third"), 0)
    node.desk = node.new_desk()

    assert ended(node, running.uuid).state is JobState.DONE
    assert ended(node, waiting.uuid).state is JobState.DONE
    assert node.parts() == "second=1"


def test_what_does_not_end_with_the_agent_is_ended_and_its_device_is_in_doubt(node: Node) -> None:
    running = order("first")
    with node.closed():
        node.desk.run_job(running, 0)
        process = node.until_begun()
        node.desk.stop()
        assert not is_alive(process)
        looks = node.looks
        node.desk = node.new_desk()
        status = ended(node, running.uuid)
    assert (status.error_code, status.is_state_unknown) == ("accel.act_interrupted", True)
    assert (node.parts(), node.looks) == ("", looks + 1)  # nobody has heard of the end before the drivers have looked


def test_an_agent_that_is_killed_finds_what_it_was_at_ends_what_is_left_of_it_and_says_so(node: Node) -> None:
    running, waiting = str(uuid4()), str(uuid4())
    with node.closed():
        command = [sys.executable, jobs.__file__, str(node.directory), running, waiting]
        environment = os.environ | {"PYTHONPATH": f"{Path(__file__).parents[1]}:{os.environ.get('PYTHONPATH', '')}"}
        with subprocess.Popen(command, env=environment) as agent:
            process = node.until_begun()
            until(lambda: is_kept(node, running, waiting), patience_seconds=PATIENCE_SECONDS)
            agent.send_signal(signal.SIGKILL)
        node.desk = node.new_desk()
        status = ended(node, running)
        assert not is_alive(process)
    assert (status.state, status.error_code, status.is_state_unknown) == ("failed", "accel.act_interrupted", True)
    assert "the agent of node-1 ended while it was at partition" in status.error_text
    assert ended(node, waiting).state is JobState.DONE
    assert node.parts() == "later=1"


def is_kept(node: Node, running: str, waiting: str) -> bool:
    """Whether the disk has both, the first with its process."""
    folder = node.directory / "jobs"
    return (folder / f"{waiting}.json").exists() and '"pid"' in (folder / f"{running}.json").read_text()


# --- what is kept ---


def test_old_jobs_are_forgotten_and_those_that_have_not_ended_are_not(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    store = Store(tmp_path)
    store.open()
    for days, state in ((2, JobState.DONE), (0, JobState.FAILED), (9, JobState.RUNNING)):
        wanted, at = order(), now - timedelta(days=days)
        status = JobStatus(uuid=wanted.uuid, state=state, finished_at=at if state != JobState.RUNNING else None)
        store.add(KeptJob(order=wanted, status=status))
    store.forget_old(now)

    again = Store(tmp_path)
    again.open()
    assert sorted(job.status.state for job in again) == ["failed", "running"]


def test_no_more_ended_jobs_are_kept_than_fit(tmp_path: Path) -> None:
    now, store = datetime.now(UTC), Store(tmp_path)
    for number in range(MOST_KEPT + 2):
        wanted = order()
        at = now - timedelta(seconds=number)
        store.add(KeptJob(order=wanted, status=JobStatus(uuid=wanted.uuid, state=JobState.DONE, finished_at=at)))
    store.forget_old(now)

    assert len(list(store)) == len(list(tmp_path.glob("*.json"))) == MOST_KEPT


def test_a_file_that_is_torn_is_left_out(tmp_path: Path) -> None:
    (tmp_path / f"{uuid4()}.json").write_bytes(b"{torn")
    store = Store(tmp_path)

    store.open()

    assert list(store) == []
