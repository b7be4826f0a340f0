"""Jobs on the command line, against the real API, with a conductor that works when the test lets it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.cli import Outcome, run
from support.inventory import Inventory
from support.served import served
from support.site import Site

from accel.conductor.jobs import Jobs, JobTerms
from accel.db import jobs
from accel.db.engine import Database
from accel.errors import AgentUnavailable
from accel.model.job import JobKind, JobOrder, JobState, JobStatus, NewJob

FAILED, NOT_FOUND, WRONG_STATE, NO_ANSWER_IN_TIME = 1, 3, 6, 7
AWAY = AgentUnavailable("the agent is away")
STOPPED = JobStatus(
    uuid="", state=JobState.CANCELLED, error_code="accel.act_cancelled", error_text="half", is_state_unknown=True
)
BROKEN = JobStatus(
    uuid="", state=JobState.FAILED, error_code="accel.act_died", error_text="it died", is_state_unknown=True
)


@dataclass
class Bench:
    """A node with one card, an API, and a conductor whose agent gives the answers of a list."""

    site: Site
    url: str

    def order(self, **changed: Any) -> str:
        """Order a job."""
        new = NewJob(kind=JobKind.SCRUB, device_uuid=self.site.device(), **changed)
        origin = self.site.origin
        return self.site.database.write(lambda connection: jobs.order_job(connection, new, origin=origin))

    def work(self, *answers: JobStatus | AgentUnavailable) -> None:
        """Let a conductor attend to all jobs, with an agent that gives these answers, the last again and again."""
        left = list(answers)

        class Agents:
            def run_job(self, order: JobOrder, wait_seconds: float) -> JobStatus:  # noqa: ARG002 - nobody waits here
                answer = left.pop(0) if len(left) > 1 else left[0]
                if isinstance(answer, AgentUnavailable):
                    raise answer
                return replace(answer, uuid=order.uuid)

            def cancel_job(self, node: str, uuid: str) -> JobStatus | None:
                assert node
                return replace(left[0], uuid=uuid) if isinstance(left[0], JobStatus) else None

        terms = JobTerms(worker="conductor-1")
        site = self.site
        Jobs(site.database, site.clock, terms, agents=Agents(), submit=lambda work: work()).take_up_work()

    def accel(self, *words: str, **how: Any) -> Outcome:
        """Run a command."""
        return run("job", *words, endpoint=self.url, **how)


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    site = Site(database)
    site.report(site.gpu())
    with served(database) as url:
        yield Bench(site, url)


def test_jobs_are_listed_with_how_far_they_are_and_what_they_wait_for(bench: Bench) -> None:
    uuid = bench.order()

    [found] = bench.accel("list", "-f", "json").json
    assert (found["uuid"], found["kind"], found["state"], found["fenced"]) == (uuid, "scrub", "queued", 1)
    assert bench.accel("list", "--device", bench.site.device(), "-f", "value", "-c", "uuid").out.strip() == uuid
    assert bench.accel("list", "--state", "done", "-f", "json").json == []
    assert bench.accel("list", "--state", "asleep").code == 2


def test_a_job_is_shown_by_the_beginning_of_its_uuid(bench: Bench) -> None:
    uuid = bench.order(arguments={"method": "zero"})

    assert bench.accel("show", uuid[:8], "-f", "json").json["arguments"] == {"method": "zero"}
    assert bench.accel("show", "ffffffff").code == NOT_FOUND


def test_whoever_waits_is_told_when_it_is_done(bench: Bench) -> None:
    uuid = bench.order()
    done = JobStatus(uuid="", state=JobState.DONE)

    waited = bench.accel("wait", uuid, "-c", "state", "-f", "value", wait=lambda _: bench.work(done))

    assert waited.code == 0
    assert "done" in waited.out


def test_whoever_waits_too_briefly_is_told_so(bench: Bench) -> None:
    uuid = bench.order()

    waited = bench.accel("wait", uuid, "--for", "2s", wait=lambda _: None)

    assert waited.code == NO_ANSWER_IN_TIME
    assert f"job {uuid[:8]} is queued after 2 s; it goes on" in waited.err


def test_what_has_failed_is_a_failure_with_its_reason(bench: Bench) -> None:
    uuid = bench.order()
    bench.work(BROKEN)

    waited = bench.accel("wait", uuid)

    assert (waited.code, "it died (accel.act_died)" in waited.err) == (FAILED, True)
    assert bench.accel("list").lines[1].endswith("it died (accel.act_died)")


def test_what_has_failed_is_done_again_or_lifted(bench: Bench) -> None:
    uuid = bench.order()
    bench.work(BROKEN)
    assert bench.site.held() == 1

    again = bench.accel("retry", uuid)
    assert again.code == 0
    assert f"job {uuid[:8]} is done again as " in again.out
    bench.work(BROKEN)
    second = again.out.split()[-1]
    assert "fences nothing any more: 1 attach handles" in bench.accel("lift", second).out
    assert bench.site.held() == 0


def test_only_what_has_not_begun_is_cancelled(bench: Bench) -> None:
    uuid = bench.order()

    assert bench.accel("cancel", uuid).out == f"job {uuid[:8]} is cancelled\n"
    again = bench.accel("cancel", uuid)
    assert (again.code, "is cancelled" in again.err) == (WRONG_STATE, True)


def test_what_has_begun_is_stopped_when_its_node_hears_of_it_and_whoever_waits_is_told_who_wanted_that(
    bench: Bench,
) -> None:
    uuid = bench.order()
    bench.work(JobStatus(uuid="", state=JobState.RUNNING), AWAY)

    said = bench.accel("cancel", uuid).out
    assert said == f"job {uuid[:8]} is running, and is stopped as soon as its node hears of it\n"
    bench.site.clock.pass_(seconds=60)
    waited = bench.accel("wait", uuid, wait=lambda _: bench.work(STOPPED))
    assert waited.code == FAILED
    assert f"job {uuid[:8]} was cancelled by api" in waited.err
    assert bench.accel("show", uuid, "-f", "json").json["cancelled_by"].startswith("api")


def test_what_cannot_be_stopped_says_why(bench: Bench) -> None:
    uuid = bench.order()
    bench.work(JobStatus(uuid="", state=JobState.RUNNING, must_go_on="the flash is half written"), AWAY)

    refused = bench.accel("cancel", uuid)

    assert (refused.code, "is not stopped: the flash is half written" in refused.err) == (WRONG_STATE, True)
    assert "the flash is half written" in bench.accel("show", uuid).out


def test_a_list_of_jobs_may_be_cut(bench: Bench) -> None:
    inventory = Inventory(bench.site.database, first=1000)
    device = inventory.device(inventory.node("other"), identity="serial:1")
    for _ in range(30):
        inventory.job(device)

    assert len(bench.accel("list", "-f", "json").json) == 30
    assert len(bench.accel("list", "--limit", "7", "-f", "json").json) == 7
