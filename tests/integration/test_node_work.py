"""What needs work on its node: done, undone, failed, late, taken over; on every database we support."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.databases import opened, url_of
from support.races import at_once
from support.site import Site
from support.steps import AwayStep, FailingStep, FileStep, Later, OutageStep, StuckStep, UponStep

from accel.conductor.claims import Claims, Hooks, Step
from accel.db.engine import Database, DatabaseOptions
from accel.errors import Conflict

LIMIT_SECONDS = 60


@pytest.fixture
def site(shared_database: Database) -> Iterator[Site]:
    site = Site(shared_database)
    site.report(site.gpu())
    yield site
    site.clear()


@pytest.fixture
def step(tmp_path: Path, site: Site) -> FileStep:
    return FileStep(tmp_path, clock=site.clock)


def files(directory: Path) -> dict[str, str]:
    """What steps have left: by file the request that it is for."""
    return {path.suffix.removeprefix("."): path.read_text() for path in directory.iterdir()}


def kinds(site: Site, uuid: str) -> list[str]:
    return [event.kind.removeprefix("request.") for event in site.events(uuid)]


@contextmanager
def stuck(site: Site, step: StuckStep, conductor: Claims) -> Iterator[str]:
    """A request that a conductor is binding, but cannot go on with before the block ends."""
    [uuid] = site.make()
    worker = threading.Thread(target=lambda: conductor.change_requests(site.binds([uuid])))
    worker.start()
    assert step.reached.wait(LIMIT_SECONDS)
    try:
        yield uuid
    finally:
        step.released.set()
        worker.join(LIMIT_SECONDS)


def bound(site: Site, conductor: Claims) -> str:
    """A request that is bound."""
    [uuid] = site.make()
    conductor.change_requests(site.binds([uuid]))
    assert site.states(uuid) == ["Bound"]
    return uuid


# --- as it should be ---


def test_a_request_is_bound_once_its_handle_is_ready_and_nova_hears_of_it_then(
    site: Site, step: FileStep, tmp_path: Path
) -> None:
    later, [uuid] = Later(), site.make()
    site.conductor(steps={"file": step}, submit=later).change_requests(site.binds([uuid]))
    assert (site.states(uuid), site.held(), site.notifications(uuid), files(tmp_path)) == (["BindStarted"], 1, [], {})
    later.run()
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["Bound"], 1, {"step": uuid})
    assert site.notifications(uuid) == [(f"vm-{site.name}", "completed")]
    assert kinds(site, uuid) == ["created", "bind_started", "bound"]


def test_a_request_is_unbound_once_all_is_tidied_up(site: Site, step: FileStep, tmp_path: Path) -> None:
    uuid, later = bound(site, site.conductor(steps={"file": step})), Later()
    site.conductor(steps={"file": step}, submit=later).change_requests(site.unbinds([uuid]))
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["UnbindStarted"], 1, {"step": uuid})
    later.run()
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["Unbound"], 0, {})
    assert kinds(site, uuid)[3:] == ["unbind_started", "unbound"]


def test_a_deleted_request_is_gone_once_a_conductor_has_tidied_up(site: Site, step: FileStep, tmp_path: Path) -> None:
    conductor = site.conductor(steps={"file": step})
    uuid = bound(site, conductor)
    assert site.delete(uuid) == [uuid]
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["Deleting"], 1, {"step": uuid})
    assert site.delete(uuid) == []
    conductor.take_up_work()
    assert (site.left(), site.held(), files(tmp_path)) == (0, 0, {})
    assert kinds(site, uuid)[3:] == ["deleting", "deleted"]


def test_steps_are_done_in_their_order_and_undone_in_the_opposite_one(site: Site, tmp_path: Path) -> None:
    first, second = FileStep(tmp_path, "first", site.clock), UponStep(tmp_path, "second", site.clock, upon="first")
    conductor = site.conductor(steps={"first": first, "second": second})
    uuid = bound(site, conductor)
    assert files(tmp_path) == {"first": uuid, "second": uuid}
    conductor.change_requests(site.unbinds([uuid]))
    assert (site.states(uuid), files(tmp_path)) == (["Unbound"], {})


# --- failures ---


def test_when_a_step_fails_all_is_undone_the_handle_given_back_and_nova_told(
    site: Site, step: FileStep, tmp_path: Path
) -> None:
    steps: Mapping[str, Step] = {"file": step, "failing": FailingStep(tmp_path, "failing", site.clock)}
    [uuid] = site.make()
    site.conductor(steps=steps).change_requests(site.binds([uuid]))
    failed = site.request(uuid)
    assert (failed.state, failed.reason, failed.handle_uuid) == ("BindFailed", "no room on the node", None)
    assert failed.instance_uuid == f"vm-{site.name}"
    assert (site.held(), files(tmp_path)) == (0, {})
    assert site.notifications(uuid) == [(f"vm-{site.name}", "failed")]
    assert kinds(site, uuid) == ["created", "bind_started", "bind_failed"]


def test_what_has_failed_may_be_bound_again(site: Site, tmp_path: Path) -> None:
    [uuid] = site.make()
    site.conductor(steps={"file": FailingStep(tmp_path, clock=site.clock)}).change_requests(site.binds([uuid]))
    site.conductor().change_requests(site.binds([uuid]))
    assert (site.request(uuid).state, site.request(uuid).reason) == ("Bound", "")


def test_what_is_not_ready_in_time_has_failed(site: Site, step: FileStep, tmp_path: Path) -> None:
    [uuid] = site.make()
    lost = Later()
    site.conductor(steps={"file": step}, submit=lost).change_requests(site.binds([uuid]))
    other = site.conductor(steps={"file": step}, name="conductor-2")
    site.clock.pass_(seconds=LIMIT_SECONDS - 1)
    other.take_up_work()
    assert site.states(uuid) == ["BindStarted"]
    site.clock.pass_(seconds=1)
    other.take_up_work()
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["BindFailed"], 0, {})
    assert site.request(uuid).reason == "it was not ready within 60 seconds"
    assert site.notifications(uuid) == [(f"vm-{site.name}", "failed")]
    lost.run()
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["BindFailed"], 0, {})


@pytest.mark.parametrize("taker", ["conductor-1", "conductor-2"])
def test_whoever_wakes_up_after_the_time_is_over_disturbs_nothing(taker: str, site: Site, tmp_path: Path) -> None:
    """Another thread or another conductor has given the handle back, and somebody else has got it since."""
    slow = StuckStep(tmp_path, clock=site.clock)
    steps: Mapping[str, Step] = {"file": slow}
    other = site.conductor(steps=steps, name=taker)
    with stuck(site, slow, site.conductor(steps=steps)) as late:
        site.clock.pass_(seconds=LIMIT_SECONDS)
        other.take_up_work()
        assert site.states(late) == ["BindFailed"]
        new = bound(site, site.conductor(steps=steps, name="conductor-3")) if site.delete(late) == [] else ""
    assert (site.states(new), files(tmp_path), site.left()) == (["Bound"], {"step": new}, 1)


def test_whoever_ends_too_late_does_not_end_the_work_of_another_thread_of_the_same_conductor(
    site: Site, step: FileStep, tmp_path: Path
) -> None:
    """The first is before its last transaction while the second, by the same name, undoes what was done."""
    second = site.conductor(steps={"file": step})

    def at(point: str) -> None:
        if point == "bind.prepared":
            site.clock.pass_(seconds=LIMIT_SECONDS)
            second.take_up_work()

    [uuid] = site.make()
    site.conductor(steps={"file": step}, hooks=Hooks(at=at)).change_requests(site.binds([uuid]))
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["BindFailed"], 0, {})
    assert kinds(site, uuid)[2:] == ["bind_failed"]


def test_what_cannot_be_undone_keeps_its_handle_says_why_and_is_tried_again(site: Site, tmp_path: Path) -> None:
    step = AwayStep(tmp_path, clock=site.clock)
    conductor = site.conductor(steps={"file": step})
    uuid = bound(site, conductor)
    conductor.change_requests(site.unbinds([uuid]))
    held_up = site.request(uuid)
    assert (held_up.state, held_up.reason, site.held()) == ("UnbindStarted", "the node does not answer", 1)
    with pytest.raises(Conflict, match="0 free of 1"):
        conductor.change_requests(site.binds(site.make(), instance="other"))
    step.is_away = False
    conductor.take_up_work()
    assert site.states(uuid) == ["UnbindStarted"]
    site.clock.pass_(seconds=LIMIT_SECONDS)
    conductor.take_up_work()
    assert (site.states(uuid), site.request(uuid).reason) == (["Unbound"], "")
    assert (site.held(), files(tmp_path)) == (0, {})


def test_a_failure_that_cannot_be_undone_keeps_its_handle_until_it_can(site: Site, tmp_path: Path) -> None:
    away, failing = AwayStep(tmp_path, "away", site.clock), FailingStep(tmp_path, "failing", site.clock)
    conductor = site.conductor(steps={"away": away, "failing": failing})
    [uuid] = site.make()
    conductor.change_requests(site.binds([uuid]))
    reason = "no room on the node; it keeps its handle for now: the node does not answer"
    assert (site.request(uuid).state, site.request(uuid).reason, site.held()) == ("BindStarted", reason, 1)
    assert site.notifications(uuid) == []
    away.is_away = False
    site.clock.pass_(seconds=LIMIT_SECONDS)
    conductor.take_up_work()
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["BindFailed"], 0, {})
    assert site.request(uuid).reason.startswith("it was not ready within 60 seconds: no room on the node")
    assert site.notifications(uuid) == [(f"vm-{site.name}", "failed")]


def test_a_conductor_that_does_not_know_a_step_says_so_and_leaves_it_to_one_that_does(
    site: Site, step: FileStep, tmp_path: Path
) -> None:
    knowing = site.conductor(steps={"file": step})
    uuid = bound(site, knowing)
    site.delete(uuid)
    site.conductor(name="conductor-2").take_up_work()
    assert site.states(uuid) == ["Deleting"]
    assert site.request(uuid).reason == "conductor conductor-2 knows no step 'file'; it knows []"
    site.clock.pass_(seconds=LIMIT_SECONDS)
    knowing.take_up_work()
    assert (site.left(), site.held(), files(tmp_path)) == (0, 0, {})


def test_work_that_the_database_does_not_take_is_left_and_taken_up_after_its_deadline(
    database: Database, tmp_path: Path
) -> None:
    """SQLite's one writer at a time stands for an outage."""
    site = Site(database)
    site.report(site.gpu())
    url, directory = url_of(database), tmp_path / "files"
    directory.mkdir()
    with opened(url, DatabaseOptions(attempts=1, lock_timeout_seconds=0)) as impatient:
        step = OutageStep(directory, clock=site.clock, database=database)
        [uuid] = site.make()
        with step.outage:
            site.conductor(steps={"file": step}, database=impatient).change_requests(site.binds([uuid]))
    assert (site.states(uuid), site.held(), files(directory)) == (["BindStarted"], 1, {"step": uuid})
    site.clock.pass_(seconds=LIMIT_SECONDS)
    site.conductor(steps={"file": step}).take_up_work()
    assert (site.states(uuid), site.held(), files(directory)) == (["BindFailed"], 0, {})


# --- something else is wanted meanwhile ---


def test_what_is_unbound_while_it_is_being_bound_is_undone_and_never_reported_as_bound(
    site: Site, tmp_path: Path
) -> None:
    slow = StuckStep(tmp_path, clock=site.clock)
    conductor = site.conductor(steps={"file": slow})
    with stuck(site, slow, conductor) as uuid:
        site.conductor(steps={"file": slow}, name="conductor-2").change_requests(site.unbinds([uuid]))
        assert (site.states(uuid), site.held()) == (["UnbindStarted"], 1)
        conductor.take_up_work()
        assert site.states(uuid) == ["UnbindStarted"]
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["Unbound"], 0, {})
    assert kinds(site, uuid) == ["created", "bind_started", "unbind_started", "unbound"]
    assert site.notifications(uuid) == []


@pytest.mark.parametrize("is_unbound_first", [False, True])
def test_what_is_deleted_while_it_is_being_bound_is_undone_and_gone(
    is_unbound_first: bool,  # noqa: FBT001 - a parameter of the test
    site: Site,
    tmp_path: Path,
) -> None:
    slow = StuckStep(tmp_path, clock=site.clock)
    conductor = site.conductor(steps={"file": slow})
    with stuck(site, slow, conductor) as uuid:
        if is_unbound_first:
            conductor.change_requests(site.unbinds([uuid]))
        assert site.delete(uuid) == [uuid]
        conductor.take_up_work()
        assert site.states(uuid) == ["Deleting"]
    assert (site.left(), site.held(), files(tmp_path)) == (0, 0, {})
    assert kinds(site, uuid)[-2:] == ["deleting", "deleted"]


def test_what_is_being_bound_cannot_be_bound_once_more(site: Site, step: FileStep) -> None:
    later, [uuid] = Later(), site.make()
    conductor = site.conductor(steps={"file": step}, submit=later)
    conductor.change_requests(site.binds([uuid]))
    with pytest.raises(Conflict, match="is BindStarted: cannot bind"):
        conductor.change_requests(site.binds([uuid], instance="other"))
    later.run()
    assert site.states(uuid) == ["Bound"]


# --- conductors that die ---


def test_a_conductor_goes_on_when_it_starts_again_and_leaves_alone_what_others_are_at(
    site: Site, step: FileStep, tmp_path: Path
) -> None:
    site.report(site.gpu(handles=2))
    own, others = site.make(2)
    dead = Later()
    site.conductor(steps={"file": step}, submit=dead).change_requests(site.binds([own]))
    site.conductor(steps={"file": step}, submit=dead, name="conductor-2").change_requests(
        site.binds([others], instance="other")
    )
    site.conductor(steps={"file": step}).take_up_work(is_fresh=True)
    assert site.states(own, others) == ["Bound", "BindStarted"]
    assert files(tmp_path) == {"step": own}


def test_what_a_dead_conductor_was_to_undo_another_one_does_after_the_deadline(
    site: Site, step: FileStep, tmp_path: Path
) -> None:
    uuid = bound(site, site.conductor(steps={"file": step}))
    site.conductor(steps={"file": step}, submit=Later()).change_requests(site.unbinds([uuid]))
    other = site.conductor(steps={"file": step}, name="conductor-2")
    other.take_up_work(is_fresh=True)
    assert site.states(uuid) == ["UnbindStarted"]
    site.clock.pass_(seconds=LIMIT_SECONDS)
    other.take_up_work()
    assert (site.states(uuid), site.held(), files(tmp_path)) == (["Unbound"], 0, {})


def test_conductors_that_look_for_work_at_the_same_moment_do_each_piece_once(
    site: Site, step: FileStep, tmp_path: Path
) -> None:
    url = url_of(site.database)
    site.report(site.gpu(handles=4))
    conductor, uuids = site.conductor(steps={"file": step}), site.make(4)
    conductor.change_requests(site.binds(uuids))
    site.delete(*uuids)
    with opened(url) as first, opened(url) as second:
        conductors = [
            site.conductor(steps={"file": step}, name=f"conductor-{number}", database=database)
            for number, database in enumerate((first, second, first, second))
        ]
        at_once([conductor.take_up_work for conductor in conductors])
    assert (site.left(), site.held(), files(tmp_path)) == (0, 0, {})
    assert [kinds(site, uuid)[3:] for uuid in uuids] == [["deleting", "deleted"]] * 4
