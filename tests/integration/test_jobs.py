"""Jobs from the order to the end: attended to by conductors that come and go; on every database we support."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from support.site import Site
from support.steps import Later

from accel.conductor.jobs import Jobs, JobTerms
from accel.db import jobs
from accel.db.engine import Connection, Database
from accel.db.jobs import JobRow
from accel.db.scope import Scope
from accel.errors import AgentUnavailable, Conflict, NotFound
from accel.model.event import EventKind
from accel.model.job import JobKind, JobOrder, JobState, JobStatus, NewJob
from accel.model.request import RequestState

CALLED_OFF = JobStatus(uuid="", state=JobState.CANCELLED)


@dataclass
class PretendAgents:
    """Agents whose answers a test has written: the last one is given again and again."""

    answers: list[JobStatus | AgentUnavailable | JobState]
    orders: list[JobOrder] = field(default_factory=list)
    stops: JobStatus | AgentUnavailable | None = CALLED_OFF
    """The answer to whoever cancels a job: None: it is not known."""
    cancelled: list[str] = field(default_factory=list)

    def run_job(self, order: JobOrder, wait_seconds: float) -> JobStatus:
        """Answer."""
        assert wait_seconds > 0
        self.orders.append(order)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, AgentUnavailable):
            raise answer
        return (
            JobStatus(uuid=order.uuid, state=answer)
            if isinstance(answer, JobState)
            else replace(answer, uuid=order.uuid)
        )

    def cancel_job(self, node: str, uuid: str) -> JobStatus | None:
        """Answer."""
        assert node
        self.cancelled.append(uuid)
        if isinstance(self.stops, AgentUnavailable):
            raise self.stops
        return replace(self.stops, uuid=uuid) if self.stops is not None else None


AWAY = AgentUnavailable("the agent is away")
BROKEN = JobStatus(
    uuid="", state=JobState.FAILED, error_code="accel.act_died", error_text="it died", is_state_unknown=True
)
STOPPED = JobStatus(
    uuid="", state=JobState.CANCELLED, error_code="accel.act_cancelled", error_text="half", is_state_unknown=True
)
REFUSED = JobStatus(uuid="", state=JobState.FAILED, error_code="accel.act_refused", error_text="it does not fit")


@pytest.fixture
def site(shared_database: Database) -> Iterator[Site]:
    site = Site(shared_database)
    site.report(site.gpu(handles=2))
    yield site
    site.clear()


def conductor(
    site: Site, *answers: Any, stops: Any = "as it is", name: str = "conductor-1", submit: Any = lambda work: work()
) -> Jobs:
    """A conductor whose agent gives these answers.

    :param stops: what it answers to whoever cancels a job; left out: what it answers last to whoever asks for it
    """
    agents = PretendAgents(list(answers))
    if stops != "as it is":
        agents.stops = stops
    elif isinstance(answers[-1], JobStatus):
        agents.stops = answers[-1]
    return Jobs(site.database, site.clock, JobTerms(worker=name), agents=agents, submit=submit)


def ordered(site: Site, kind: JobKind = JobKind.SCRUB, **changed: Any) -> str:
    new = NewJob(kind=kind, device_uuid=site.device(), **changed)
    return site.database.write(lambda connection: jobs.order_job(connection, new, origin=site.origin))


def job(site: Site, uuid: str) -> JobRow:
    return site.database.read(lambda connection: jobs.get(connection, uuid))


def kinds(site: Site, uuid: str) -> list[str]:
    return [event.kind for event in site.events(uuid)]


def write(site: Site, act: Any, uuid: str, **given: Any) -> Any:
    def transaction(connection: Connection) -> Any:
        return act(connection, uuid, **({"origin": site.origin, "scope": Scope(sees_all=True)} | given))

    return site.database.write(transaction)


# --- as it should be ---


def test_a_job_is_ordered_at_its_node_and_its_device_is_nobodys_until_it_is_done(site: Site) -> None:
    uuid = ordered(site, arguments={"method": "zero"})
    assert (job(site, uuid).state, site.held()) == ("queued", 2)
    working = JobStatus(uuid="", state=JobState.RUNNING, message="half", fraction=0.5)
    attending = conductor(site, working, JobState.DONE)
    attending.take_up_work()

    done = job(site, uuid)
    assert (done.state, done.worker, done.lease_until, site.held()) == ("done", None, None, 0)
    order = attending._agents.orders[0]  # type: ignore[attr-defined]  # the pretended one
    assert (order.node, order.device, order.driver) == (site.node, f"GPU-{site.name}_1", "nvidia")
    assert order.arguments == {"method": "zero"}
    assert kinds(site, uuid) == [EventKind.JOB_ORDERED, EventKind.JOB_STARTED, EventKind.JOB_FINISHED]


def test_how_far_it_is_is_written_down_as_the_agent_tells_it(site: Site) -> None:
    uuid = ordered(site)
    half = JobStatus(uuid="", state=JobState.RUNNING, message="half", fraction=0.5)
    attending = conductor(site, half, AWAY)
    attending.take_up_work()

    waiting = job(site, uuid)
    assert (waiting.state, waiting.fraction, waiting.started_at) == ("running", 0.5, site.clock())


# --- what must not be touched ---


def test_nothing_is_done_to_a_device_of_which_somebody_has_something(site: Site) -> None:
    [request] = site.make()
    site.conductor().change_requests(site.binds([request]))

    with pytest.raises(Conflict, match=r"is held \(instance\)"):
        ordered(site)
    assert site.held() == 1


def test_a_request_is_served_on_what_it_holds_itself_and_the_rest_is_fenced(site: Site) -> None:
    [request] = site.make()
    site.conductor().change_requests(site.binds([request]))

    uuid = ordered(site, request_uuid=request)

    assert site.held() == 2
    conductor(site, JobState.DONE).take_up_work()
    assert (job(site, uuid).state, site.held(), site.states(request)) == ("done", 1, [RequestState.BOUND])


def test_two_jobs_are_not_ordered_for_one_device_at_once(site: Site) -> None:
    first = ordered(site)

    with pytest.raises(Conflict, match=f"job {first} is at it"):
        ordered(site)


def test_nobody_is_given_what_a_job_is_at(site: Site) -> None:
    ordered(site)
    [request] = site.make()

    with pytest.raises(Conflict, match="0 free of 2"):
        site.conductor().change_requests(site.binds([request]))


def test_a_device_that_is_not_there_or_lost_is_named(site: Site) -> None:
    device = site.device()
    site.report()
    with pytest.raises(Conflict, match="is lost: nothing can be done to it"):
        ordered_for(site, device)
    with pytest.raises(NotFound, match="Device not found: nowhere"):
        ordered_for(site, "nowhere")
    site.report(site.gpu(handles=2))
    with pytest.raises(NotFound, match="Deployable not found"):
        ordered(site, deployable_uuid="nothing")


def ordered_for(site: Site, device: str) -> None:
    new = NewJob(kind=JobKind.RESET, device_uuid=device)
    site.database.write(lambda connection: jobs.order_job(connection, new, origin=site.origin))


# --- failures ---


def test_what_was_refused_leaves_the_device_as_it_was_and_free(site: Site) -> None:
    uuid = ordered(site)
    conductor(site, REFUSED).take_up_work()

    assert (job(site, uuid).state, job(site, uuid).error_text, site.held()) == ("failed", "it does not fit", 0)
    assert kinds(site, uuid)[-1] == EventKind.JOB_FAILED


def test_what_is_in_doubt_stays_fenced_until_it_is_done_again(site: Site) -> None:
    uuid = ordered(site)
    conductor(site, BROKEN).take_up_work()
    assert (job(site, uuid).state, job(site, uuid).is_state_unknown, site.held()) == ("failed", True, 2)

    again = write(site, jobs.retry, uuid)
    assert (site.held(), {row.name for row in site.holders()}) == (2, {again})
    conductor(site, JobState.DONE).take_up_work()
    assert (job(site, again).state, site.held()) == ("done", 0)


def test_what_is_in_doubt_stays_fenced_when_doing_it_again_is_refused_or_called_off(site: Site) -> None:
    uuid = ordered(site)
    conductor(site, BROKEN).take_up_work()
    site.clock.pass_(seconds=1)
    again = write(site, jobs.retry, uuid)
    conductor(site, REFUSED).take_up_work()
    assert (job(site, again).state, site.held()) == ("failed", 2)

    site.clock.pass_(seconds=1)
    third = write(site, jobs.retry, again)
    write(site, jobs.cancel, third)
    assert (job(site, third).state, site.held()) == ("cancelled", 2)
    assert write(site, jobs.lift, third) == 2


def test_what_is_in_doubt_an_operator_can_lift(site: Site) -> None:
    uuid = ordered(site)
    with pytest.raises(Conflict, match="is queued"):
        write(site, jobs.lift, uuid)
    conductor(site, BROKEN).take_up_work()

    assert write(site, jobs.lift, uuid) == 2
    assert (site.held(), write(site, jobs.lift, uuid)) == (0, 0)


@pytest.mark.parametrize("kind", [JobKind.PARTITION, JobKind.SET_VFS, JobKind.RESET])
def test_what_a_look_tells_is_not_in_doubt_once_the_drivers_have_looked_again(kind: JobKind, site: Site) -> None:
    uuid = ordered(site, kind)
    conductor(site, BROKEN).take_up_work()

    assert (job(site, uuid).state, site.held()) == ("failed", 0)


def test_only_what_has_not_gone_well_can_be_done_again(site: Site) -> None:
    uuid = ordered(site)
    conductor(site, JobState.DONE).take_up_work()

    with pytest.raises(Conflict, match="is done"):
        write(site, jobs.retry, uuid)


# --- agents that do not answer ---


def test_an_agent_that_is_away_is_waited_for_and_people_are_told_why(site: Site) -> None:
    uuid = ordered(site)
    conductor(site, AWAY).take_up_work()
    waiting = job(site, uuid)
    assert (waiting.state, waiting.worker, waiting.message) == (
        "queued",
        None,
        "waiting for its node: the agent is away",
    )

    conductor(site, JobState.DONE).take_up_work()
    assert job(site, uuid).state == "queued"
    site.clock.pass_(seconds=60)
    conductor(site, JobState.DONE).take_up_work()
    assert job(site, uuid).state == "done"


def test_what_could_not_be_under_way_any_more_has_failed_and_its_device_is_in_doubt(site: Site) -> None:
    uuid = ordered(site, time_limit_seconds=10, begins_within_seconds=100)
    for _ in range(3):
        conductor(site, AWAY).take_up_work()
        assert job(site, uuid).state == "queued"
        site.clock.pass_(seconds=55)
    site.clock.pass_(seconds=10)
    conductor(site, AWAY).take_up_work()

    failed = job(site, uuid)
    assert (failed.state, failed.error_code, site.held()) == ("failed", "accel.act_interrupted", 2)
    assert "nobody has heard of it in time" in failed.error_text


def test_what_an_agent_does_not_bring_to_an_end_is_given_up_at_last(site: Site) -> None:
    uuid = ordered(site, time_limit_seconds=10)
    attending = conductor(site, JobState.RUNNING)
    asked = attending._agents.run_job

    def slowly(order: JobOrder, wait_seconds: float) -> JobStatus:
        site.clock.pass_(seconds=100)
        return asked(order, wait_seconds)

    attending._agents.run_job = slowly  # type: ignore[method-assign]  # the pretended one
    attending.take_up_work()

    failed = job(site, uuid)
    assert (failed.state, failed.error_code, site.held()) == ("failed", "accel.act_interrupted", 2)
    assert "long after it should have ended it" in failed.error_text


# --- conductors that die ---


def test_a_conductor_that_dies_leaves_what_another_one_goes_on_with(site: Site) -> None:
    uuid = ordered(site)
    conductor(site, JobState.DONE, submit=Later()).take_up_work()
    other = conductor(site, JobState.DONE, name="conductor-2")
    other.take_up_work()
    assert job(site, uuid).worker == "conductor-1"

    site.clock.pass_(seconds=120)
    other.take_up_work()
    assert job(site, uuid).state == "done"


def test_a_conductor_that_starts_again_goes_on_at_once(site: Site) -> None:
    uuid = ordered(site)
    conductor(site, JobState.DONE, submit=Later()).take_up_work()

    conductor(site, JobState.DONE).take_up_work(is_fresh=True)

    assert job(site, uuid).state == "done"


def test_whoever_was_late_neither_ends_a_job_nor_says_how_it_goes(site: Site) -> None:
    uuid, late = ordered(site), Later()
    conductor(site, BROKEN, submit=late).take_up_work()
    site.clock.pass_(seconds=120)
    other = conductor(site, JobState.DONE, name="conductor-2")
    other.take_up_work()
    late.run()

    assert (job(site, uuid).state, kinds(site, uuid)[-1]) == ("done", EventKind.JOB_FINISHED)


# --- cancelled ---


def test_what_nobody_attends_to_is_cancelled_at_once(site: Site) -> None:
    uuid = ordered(site)

    assert write(site, jobs.cancel, uuid).state == "cancelled"
    assert (site.held(), kinds(site, uuid)[-1]) == (0, EventKind.JOB_CANCELLED)
    with pytest.raises(Conflict, match="is cancelled"):
        write(site, jobs.cancel, uuid)


def test_what_waits_at_its_node_is_cancelled_there(site: Site) -> None:
    uuid, later = ordered(site), Later()
    attending = conductor(site, JobState.QUEUED, submit=later)
    attending.take_up_work()
    assert write(site, jobs.cancel, uuid).state == "queued"
    later.run()

    assert (job(site, uuid).state, site.held()) == ("cancelled", 0)


def begun(site: Site, kind: JobKind = JobKind.SCRUB, **told: Any) -> str:
    """A job that its node is at; the conductor has then lost sight of it."""
    uuid = ordered(site, kind)
    conductor(site, JobStatus(uuid="", state=JobState.RUNNING, **told), AWAY).take_up_work()
    assert job(site, uuid).state == "running"
    site.clock.pass_(seconds=60)
    return uuid


@pytest.mark.parametrize(("kind", "fenced"), [(JobKind.SCRUB, 2), (JobKind.PARTITION, 0)])
def test_what_has_begun_is_stopped_at_its_node_and_is_in_doubt_unless_a_look_tells(
    kind: JobKind, fenced: int, site: Site
) -> None:
    uuid = begun(site, kind)
    wanted = write(site, jobs.cancel, uuid)
    assert (wanted.state, wanted.is_cancel_wanted, wanted.cancelled_by) == ("running", True, "api:mia")
    attending = conductor(site, STOPPED)
    attending.take_up_work()

    over = job(site, uuid)
    assert (over.state, over.error_code, over.is_state_unknown) == ("cancelled", "accel.act_cancelled", True)
    assert (over.cancelled_by, site.held()) == ("api:mia", fenced)
    assert kinds(site, uuid)[-2:] == [EventKind.JOB_CALLED_OFF, EventKind.JOB_CANCELLED]
    assert site.events(uuid)[-1].after["cancelled_by"] == "api:mia"


def test_whoever_wants_it_cancelled_first_is_told_of(site: Site) -> None:
    uuid = begun(site)
    for user in ("alice", "bob"):
        origin = replace(site.origin, user_id=user)
        write(site, jobs.cancel, uuid, origin=origin)

    assert job(site, uuid).cancelled_by == "api:alice"
    assert kinds(site, uuid).count(EventKind.JOB_CALLED_OFF) == 1


def test_what_must_go_on_is_not_cancelled_and_says_why(site: Site) -> None:
    uuid = begun(site, must_go_on="the flash is half written")

    with pytest.raises(Conflict, match="is not stopped: the flash is half written"):
        write(site, jobs.cancel, uuid)
    assert (job(site, uuid).must_go_on, job(site, uuid).is_cancel_wanted) == ("the flash is half written", False)
    conductor(site, JobState.DONE).take_up_work()
    assert (job(site, uuid).state, job(site, uuid).must_go_on) == ("done", "")


def test_what_is_called_off_while_its_node_is_away_is_stopped_when_that_is_back(site: Site) -> None:
    uuid = begun(site)
    write(site, jobs.cancel, uuid)
    conductor(site, AWAY, stops=AWAY).take_up_work()
    assert (job(site, uuid).state, "the agent is away" in job(site, uuid).message) == ("running", True)

    site.clock.pass_(seconds=60)
    conductor(site, STOPPED).take_up_work()
    assert job(site, uuid).state == "cancelled"


def test_what_may_have_reached_its_node_is_not_free_before_that_says_so(site: Site) -> None:
    uuid = ordered(site)
    conductor(site, AWAY).take_up_work()  # it may have heard the order all the same
    assert (write(site, jobs.cancel, uuid).state, site.held()) == ("queued", 2)

    site.clock.pass_(seconds=60)
    conductor(site, AWAY, stops=None).take_up_work()
    assert (job(site, uuid).state, site.held()) == ("cancelled", 0)


def test_what_its_node_has_forgotten_is_not_begun_again_when_it_is_cancelled(site: Site) -> None:
    uuid = begun(site)
    write(site, jobs.cancel, uuid)
    attending = conductor(site, JobState.RUNNING, stops=None)
    attending.take_up_work()

    assert (job(site, uuid).state, job(site, uuid).is_state_unknown, site.held()) == ("cancelled", True, 2)
    assert attending._agents.orders == []  # type: ignore[attr-defined]  # the pretended one


def test_what_comes_to_its_end_all_the_same_is_done(site: Site) -> None:
    uuid = begun(site)
    write(site, jobs.cancel, uuid)
    conductor(site, JobState.DONE, stops=JobStatus(uuid="", state=JobState.RUNNING)).take_up_work()

    assert (job(site, uuid).state, job(site, uuid).cancelled_by, site.held()) == ("done", None, 0)


def test_what_dies_before_it_hears_that_it_is_called_off_was_cancelled(site: Site) -> None:
    uuid = begun(site)
    write(site, jobs.cancel, uuid)
    conductor(site, BROKEN).take_up_work()

    over = job(site, uuid)
    assert (over.state, over.error_code, over.error_text) == ("cancelled", "accel.act_cancelled", "it died")
    assert (over.cancelled_by, over.is_state_unknown, site.held()) == ("api:mia", True, 2)


def test_what_was_cancelled_half_done_can_be_done_again(site: Site) -> None:
    uuid = begun(site)
    write(site, jobs.cancel, uuid)
    conductor(site, STOPPED).take_up_work()
    again = write(site, jobs.retry, uuid)
    conductor(site, JobState.DONE).take_up_work()

    assert (job(site, again).state, site.held()) == ("done", 0)


# --- who sees what ---


def test_a_project_sees_its_jobs_and_nobody_elses(site: Site) -> None:
    mine = ordered(site, project_id=site.project, fences=False)
    ordered(site, fences=False)
    scope = Scope(project_id=site.project)

    page = site.database.read(lambda connection: jobs.find(connection, jobs.ListQuery(), scope=scope))

    assert [row.uuid for row in page.rows] == [mine]
    with pytest.raises(NotFound):
        site.database.read(lambda connection: jobs.get(connection, mine, scope=Scope(project_id="other")))


def test_ended_jobs_are_forgotten_after_a_while_unless_they_fence_something(site: Site) -> None:
    done, doubtful = ordered(site, fences=False), ordered(site)
    conductor(site, JobState.DONE, BROKEN).take_up_work()
    site.clock.pass_(seconds=31 * 86400)

    conductor(site, AWAY).forget_old()

    assert job(site, doubtful).state == "failed"
    with pytest.raises(NotFound):
        job(site, done)
    write(site, jobs.lift, doubtful)
