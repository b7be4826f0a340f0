"""The real steps of work on nodes, done by the desk of an agent: programmed, prepared, given back, scrubbed, fenced."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faulty_drivers import faulty_drivers
from support.steps import Later
from support.worked_node import WorkedNode

from accel.conductor.claims import Hooks
from accel.db import jobs
from accel.db.engine import Database
from accel.db.scope import EVERYTHING
from accel.errors import Conflict
from accel.model.steps import WorkPolicy

__all__ = ["faulty_drivers"]  # a fixture
pytestmark = pytest.mark.usefixtures("faulty_drivers")

PROGRAMMED = {"accel__bitstream_id": "8d1e5f3c-0000-4000-8000-000000000001"}
SCRUBBED = WorkPolicy(scrub={"GPU": "zero"})
PREPARED = WorkPolicy(prepare=frozenset({"PCI"}))
ALL = WorkPolicy(prepare=frozenset({"PCI"}), scrub={"GPU": "zero"})


@pytest.fixture
def node(database: Database, tmp_path: Path) -> Iterator[WorkedNode]:
    return WorkedNode(database, tmp_path)


def unbind(node: WorkedNode, uuid: str) -> None:
    node.conductor().change_requests(node.site.unbinds([uuid]))


def again(node: WorkedNode) -> str:
    """Whether somebody else can have the first card."""
    uuid = node.make()
    try:
        node.conductor().change_requests(node.binds(uuid))
    except Conflict as error:
        return str(error)
    return node.site.request(uuid).reason or node.site.states(uuid)[0]


# --- as it should be ---


def test_what_needs_no_work_is_bound_in_one_transaction_and_makes_no_job(node: WorkedNode) -> None:
    points: list[str] = []
    node.bound(node.conductor(hooks=Hooks(at=points.append)))

    assert points == ["claim.written", "claim.committed"]
    assert node.all_jobs() == []


def test_a_profile_that_names_an_image_has_it_loaded_before_it_counts_as_bound(node: WorkedNode) -> None:
    later, uuid = Later(), node.make(**PROGRAMMED)
    node.conductor(submit=later).change_requests(node.binds(uuid))
    assert (node.site.states(uuid), node.says("loaded")) == (["BindStarted"], "")
    later.run()

    assert (node.site.states(uuid), node.says("loaded")) == (["Bound"], "nic")
    [job] = node.all_jobs(uuid)
    assert (job.kind, job.state, job.project_id) == ("program", "done", node.site.project)


def test_a_handle_is_made_ready_and_given_back(node: WorkedNode) -> None:
    node.policy = PREPARED
    uuid = node.bound()
    assert node.says("prepared") == node.site.request(uuid).handle_uuid
    unbind(node, uuid)

    assert (node.site.states(uuid), node.says("prepared"), node.holders()) == (["Unbound"], "", [])
    assert node.told() == [("prepare", "done"), ("release", "done")]


def test_steps_are_undone_in_their_order_and_scrubbed_last(node: WorkedNode) -> None:
    node.policy = ALL
    uuid = node.bound(**PROGRAMMED)
    node.file("dirt").write_text("secrets")
    unbind(node, uuid)

    assert [kind for kind, _ in node.told()] == ["program", "prepare", "release", "scrub"]
    assert (node.says("dirt"), node.holders(), again(node)) == ("", [], "Bound")


def test_what_is_bound_once_more_is_worked_on_once_more(node: WorkedNode) -> None:
    node.policy = ALL
    uuid = node.bound()
    unbind(node, uuid)
    node.conductor().change_requests(node.binds(uuid))
    unbind(node, uuid)

    assert [kind for kind, _ in node.told()] == ["prepare", "release", "scrub"] * 2


def test_a_handle_is_nobody_elses_while_it_is_scrubbed(node: WorkedNode) -> None:
    node.policy, later = SCRUBBED, Later()
    uuid = node.bound()
    node.conductor(submit=later).change_requests(node.site.unbinds([uuid]))

    assert "0 free of 1" in again(node)
    later.run()
    assert (node.site.states(uuid), again(node)) == (["Unbound"], "Bound")


# --- failures on the way ---


def test_an_image_that_is_refused_fails_the_bind_and_leaves_nothing(node: WorkedNode) -> None:
    node.fail("program", "refuse")
    uuid = node.make(**PROGRAMMED)
    node.conductor().change_requests(node.binds(uuid))

    assert node.site.request(uuid).reason == "program: program: not this card"
    assert (node.site.states(uuid), node.told(), node.holders()) == (["BindFailed"], [("program", "failed")], [])


def test_what_was_loaded_halfway_is_taken_out_again(node: WorkedNode) -> None:
    node.fail("program")
    uuid = node.make(**PROGRAMMED)
    node.conductor().change_requests(node.binds(uuid))

    assert (node.site.states(uuid), node.says("half-program"), node.holders()) == (["BindFailed"], "", [])
    assert node.told() == [("program", "failed"), ("blank", "done")]
    node.fail("program", "")
    assert again(node) == "Bound"


def test_a_step_that_fails_undoes_those_before_it(node: WorkedNode) -> None:
    node.policy = PREPARED
    node.fail("prepare")
    uuid = node.make(**PROGRAMMED)
    node.conductor().change_requests(node.binds(uuid))

    assert node.site.request(uuid).reason == "prepare: prepare: it broke"
    assert node.told() == [("program", "done"), ("prepare", "failed"), ("release", "done"), ("blank", "done")]
    assert (node.says("half-prepare"), node.says("loaded"), node.holders()) == ("", "", [])


def test_what_nobody_has_had_is_not_scrubbed(node: WorkedNode) -> None:
    node.policy = ALL
    node.fail("prepare", "refuse")
    uuid = node.make()
    node.conductor().change_requests(node.binds(uuid))

    assert (node.site.states(uuid), node.told()) == (["BindFailed"], [("prepare", "failed")])


# --- fences ---


@pytest.mark.parametrize("how", ["it broke", "refuse"])
def test_a_scrub_that_fails_fences_the_handle_and_frees_the_request(how: str, node: WorkedNode) -> None:
    node.policy = SCRUBBED
    uuid = node.bound()
    node.fail("scrub", how)
    unbind(node, uuid)

    [job] = node.all_jobs()
    assert (node.site.states(uuid), node.holders()) == (["Unbound"], [("fence", job.uuid)])
    assert f"0 free of 1 attach handles, and 1 fenced by jobs on device {job.device_uuid}" in again(node)


def test_an_operator_does_a_failed_scrub_again_and_the_handle_is_offered(node: WorkedNode) -> None:
    node.policy = SCRUBBED
    uuid = node.bound()
    node.fail("scrub")
    unbind(node, uuid)
    node.fail("scrub", "")
    retry(node)

    assert node.told()[-1] == ("scrub", "done")
    assert (node.holders(), again(node)) == ([], "Bound")


def retry(node: WorkedNode, uuid: str = "") -> None:
    """Order a failed job again, by default the one that fences, and have it done."""
    fencing = uuid or next(name for kind, name in node.holders() if kind == "fence")
    node.database.write(lambda connection: jobs.retry(connection, fencing, scope=EVERYTHING, origin=node.site.origin))
    node.jobs().take_up_work()


def test_a_fence_is_lifted_only_when_all_is_mended(node: WorkedNode) -> None:
    """Both giving back and scrubbing have failed: mending one of them leaves the other."""
    node.policy = ALL
    uuid = node.bound()
    node.fail("scrub")
    node.fail("release")
    unbind(node, uuid)
    assert (node.site.states(uuid), [kind for kind, _ in node.holders()]) == (["Unbound"], ["fence"])
    node.fail("scrub", "")
    node.fail("release", "")

    retry(node)
    assert [kind for kind, _ in node.holders()] == ["fence"]
    retry(node)
    assert (node.holders(), node.says("prepared"), again(node)) == ([], "", "Bound")


def test_a_request_that_is_deleted_leaves_a_fence_where_it_could_not_be_given_back(node: WorkedNode) -> None:
    node.policy = PREPARED
    uuid = node.bound()
    node.fail("release")
    node.site.delete(uuid)
    node.conductor().take_up_work()

    assert node.site.left() == 0
    assert [kind for kind, _ in node.holders()] == ["fence"]


def test_what_is_lost_when_it_is_to_be_scrubbed_is_fenced_and_not_offered_when_it_is_back(node: WorkedNode) -> None:
    node.policy = SCRUBBED
    uuid = node.bound()
    (node.host.root / "card").unlink()
    node.report()
    unbind(node, uuid)
    assert (node.site.states(uuid), node.told()) == (["Unbound"], [("scrub", "failed")])

    (node.host.root / "card").touch()
    node.report()
    assert "0 free of 1" in again(node)
    retry(node)
    assert again(node) == "Bound"


def test_tidying_up_cannot_be_called_off(node: WorkedNode) -> None:
    node.policy = SCRUBBED
    uuid = node.bound()
    node.is_away = True
    unbind(node, uuid)
    [job] = node.all_jobs()

    with pytest.raises(Conflict, match="tidies up after a request"):
        node.database.write(
            lambda connection: jobs.cancel(connection, job.uuid, scope=EVERYTHING, origin=node.site.origin)
        )


# --- agents that are away ---


def test_while_the_agent_is_away_what_is_to_be_given_back_waits_and_says_why(node: WorkedNode) -> None:
    node.policy = SCRUBBED
    uuid = node.bound()
    node.is_away = True
    unbind(node, uuid)

    held_up = node.site.request(uuid)
    assert held_up.state == "UnbindStarted"
    assert "waiting for its node: there is no agent" in held_up.reason
    node.is_away = False
    node.site.clock.pass_(seconds=120)
    node.conductor().take_up_work()
    assert (node.site.states(uuid), node.told(), node.holders()) == (["Unbound"], [("scrub", "done")], [])


def test_what_was_never_begun_is_cancelled_when_the_bind_is_over(node: WorkedNode) -> None:
    node.policy, node.is_away = PREPARED, True
    uuid = node.make()
    node.conductor().change_requests(node.binds(uuid))

    assert (node.site.states(uuid), node.told(), node.holders()) == (["BindFailed"], [("prepare", "cancelled")], [])
    assert "waiting for its node" in node.site.request(uuid).reason
