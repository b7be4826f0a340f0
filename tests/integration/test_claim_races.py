"""Claims that race with one another and with what else changes what they claim, on every database we support."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.databases import opened_beside
from support.races import Gate, at_once, outcome, overlapping
from support.reports import answer, report
from support.site import Site

from accel.conductor.claims import Claims, Hooks
from accel.conductor.manager import Limits, Manager
from accel.db import heard
from accel.db.engine import Connection, Database, DatabaseOptions
from accel.errors import Conflict, InvalidValue, NotFound
from accel.model.report import Verdict
from accel.model.request import RequestChanges

REFUSALS = (Conflict, InvalidValue, NotFound)


@pytest.fixture
def other_database(shared_database: Database) -> Iterator[Database]:
    """The same database by connections of another service, which tries nothing twice."""
    with opened_beside(shared_database, DatabaseOptions(attempts=1)) as database:
        yield database


@pytest.fixture
def site(shared_database: Database) -> Site:
    return Site(shared_database)


@pytest.fixture
def gate() -> Gate:
    return Gate("claim.written")


def tell(conductor: Claims, wanted: RequestChanges) -> Any:
    return outcome(lambda: conductor.change_requests(wanted), *REFUSALS)


def test_of_two_binds_of_one_request_the_first_wins_and_the_second_is_told_so(
    site: Site, other_database: Database, gate: Gate
) -> None:
    site.report(site.gpu(handles=2))
    first = site.conductor(hooks=Hooks(at=gate))
    second = site.conductor(database=other_database)
    [uuid] = site.make()
    done, refused = overlapping(
        gate,
        lambda: first.change_requests(site.binds([uuid], instance="a")),
        lambda: second.change_requests(site.binds([uuid], instance="b")),
        of_second=other_database,
    )
    assert (done, type(refused)) == (None, Conflict)
    assert "is Bound: cannot bind" in str(refused)
    assert (site.states(uuid), site.held()) == (["Bound"], 1)


def test_of_two_binds_to_one_handle_the_first_wins_and_the_second_is_told_so(
    site: Site, other_database: Database, gate: Gate
) -> None:
    site.report(site.gpu())
    winner, loser = site.make(2)
    first = site.conductor(hooks=Hooks(at=gate))
    second = site.conductor(database=other_database)
    done, refused = overlapping(
        gate,
        lambda: first.change_requests(site.binds([winner], instance="a")),
        lambda: second.change_requests(site.binds([loser], instance="b")),
        of_second=other_database,
    )
    assert (done, type(refused)) == (None, Conflict)
    assert "0 free of 1 attach handles" in str(refused)
    assert (site.states(winner, loser), site.held()) == (["Bound", "Initial"], 1)


def test_of_two_calls_that_bind_to_one_instance_the_first_wins_and_the_second_is_told_so(
    site: Site, other_database: Database, gate: Gate
) -> None:
    site.report(site.gpu(1), site.gpu(2))
    winner, loser = site.make(2)
    first = site.conductor(hooks=Hooks(at=gate))
    second = site.conductor(database=other_database)
    done, refused = overlapping(
        gate,
        lambda: first.change_requests(site.binds([winner], 1)),
        lambda: second.change_requests(site.binds([loser], 2)),
        of_second=other_database,
    )
    assert (done, type(refused)) == (None, InvalidValue)
    assert (site.states(winner, loser), site.held()) == (["Bound", "Initial"], 1)


def test_what_is_deleted_while_it_is_bound_is_gone_and_its_handle_free(
    site: Site, other_database: Database, gate: Gate
) -> None:
    site.report(site.gpu())
    [uuid] = site.make()
    elsewhere = replace(site, database=other_database)
    conductor = site.conductor(hooks=Hooks(at=gate))
    done = overlapping(
        gate,
        lambda: conductor.change_requests(site.binds([uuid])),
        lambda: elsewhere.delete(uuid),
        of_second=other_database,
    )
    assert done == (None, [])
    assert (site.left(), site.held()) == (0, 0)
    assert [event.kind for event in site.events(uuid)] == ["request.created", "request.bound", "request.deleted"]


def test_what_is_bound_while_it_is_deleted_is_not_there(site: Site, other_database: Database) -> None:
    site.report(site.gpu())
    [uuid] = site.make()
    gate = Gate()
    conductor = site.conductor(database=other_database)
    _, refused = overlapping(
        gate,
        lambda: site.delete(uuid, then=gate),
        lambda: conductor.change_requests(site.binds([uuid])),
        of_second=other_database,
    )
    assert type(refused) is NotFound
    assert (site.left(), site.held()) == (0, 0)


def test_what_is_deleted_while_a_report_finds_its_card_lost_is_gone_and_the_card_is_lost(
    site: Site, other_database: Database
) -> None:
    site.report(site.gpu(), site.gpu(2))
    [uuid] = site.make()
    site.conductor().change_requests(site.binds([uuid]))
    gate, elsewhere = Gate(), replace(site, database=other_database)
    seen = report(answer(site.gpu(2)), sequence=site.sequence + 1, name=site.node)

    def take(connection: Connection) -> Verdict:
        taken = heard.take_report(connection, seen, content_hash="new", now=site.clock())
        gate()
        return taken.verdict

    done = overlapping(
        gate, lambda: site.database.write(take), lambda: elsewhere.delete(uuid), of_second=other_database
    )
    assert done == (Verdict.ACCEPTED, [])
    assert (site.left(), site.held()) == (0, 0)
    with pytest.raises(Conflict, match="is lost"):
        site.conductor().change_requests(site.binds(site.make()))


def test_a_report_that_comes_while_a_request_is_deleted_finds_the_handle_free_or_held_but_is_taken(
    site: Site, other_database: Database
) -> None:
    site.report(site.gpu(), site.gpu(2))
    [uuid] = site.make()
    site.conductor().change_requests(site.binds([uuid]))
    gate, manager = Gate(), Manager(other_database, site.clock, Limits())
    seen = report(answer(site.gpu(2)), sequence=site.sequence + 1, name=site.node)
    _, taken = overlapping(
        gate, lambda: site.delete(uuid, then=gate), lambda: manager.report(seen), of_second=other_database
    )
    assert getattr(taken, "verdict", taken) is Verdict.ACCEPTED
    assert (site.left(), site.held()) == (0, 0)


def test_a_profile_cannot_be_deleted_while_a_request_is_made_under_it(site: Site, other_database: Database) -> None:
    [old] = site.make()
    site.delete(old)
    gate, elsewhere = Gate(), replace(site, database=other_database)
    made, refused = overlapping(gate, lambda: site.make(then=gate), elsewhere.delete_profile, of_second=other_database)
    assert type(refused) is Conflict
    assert isinstance(made, list)
    assert made[0] in str(refused)
    assert site.states(*made) == ["Initial"]


def test_a_request_cannot_be_made_while_its_profile_is_deleted(site: Site, shared_database: Database) -> None:
    [old] = site.make()
    site.delete(old)
    gate = Gate()
    with opened_beside(shared_database) as database:
        elsewhere = replace(site, database=database, has_profile=True)
        gone, refused = overlapping(gate, lambda: site.delete_profile(then=gate), elsewhere.make, of_second=database)
    assert gone is None
    assert type(refused) is NotFound
    assert site.left() == 0


@pytest.mark.parametrize("limit", [0, 3])
def test_concurrent_claims_never_take_more_than_the_quota(limit: int, site: Site, other_database: Database) -> None:
    site.limit(limit)
    site.report(*(site.gpu(slot) for slot in range(8)))
    conductors = [site.conductor(), site.conductor(database=other_database)]
    uuids = site.make(8)
    told = at_once(
        [
            lambda slot=slot, uuid=uuid: tell(conductors[slot % 2], site.binds([uuid], slot, instance=f"vm{slot}"))
            for slot, uuid in enumerate(uuids)
        ]
    )
    assert told.count(None) == limit
    assert all("quota of project" in str(refusal) for refusal in told if refusal is not None)
    assert Counter(site.states(*uuids)) == Counter(["Bound"] * limit + ["Initial"] * (8 - limit))
    assert site.held() == limit


def test_of_forty_claims_to_twenty_handles_twenty_win(site: Site, other_database: Database) -> None:
    site.report(site.gpu(handles=20))
    conductors = [site.conductor(), site.conductor(database=other_database)]
    told = at_once(
        [
            lambda number=number, uuid=uuid: tell(conductors[number % 2], site.binds([uuid], instance=f"vm{number}"))
            for number, uuid in enumerate(site.make(40))
        ]
    )
    assert told.count(None) == site.held() == 20
    assert all("0 free of 20" in str(refusal) for refusal in told if refusal is not None)


def test_claims_and_reports_of_one_node_wait_for_one_another_and_never_deadlock(
    site: Site, other_database: Database
) -> None:
    site.report(site.gpu(handles=6))
    uuids = site.make(6)
    conductor = site.conductor(database=other_database)
    manager = Manager(other_database, site.clock, Limits())
    reports = [
        report(answer(site.gpu(handles=6, reason=f"look {number}")), sequence=site.sequence + number, name=site.node)
        for number in range(1, 7)
    ]
    calls = [lambda uuid=uuid: tell(conductor, site.binds([uuid], instance=uuid)) for uuid in uuids]
    calls += [lambda seen=seen: manager.report(seen) and None for seen in reports]
    assert at_once(calls) == [None] * 12
    assert site.held() == 6
