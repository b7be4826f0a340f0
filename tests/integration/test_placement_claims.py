"""Claims of placement on every database we support: taken whole or not at all, renewed, released, expired."""

from collections import Counter
from functools import partial
from typing import Any

import pytest
from support.choices import choose, new_claim
from support.claims import terms
from support.databases import counted_statements
from support.races import Gate, at_once, outcome, overlapping
from support.site import Site
from support.steps import FileStep

from accel.db import placement_claims, quotas, releasing, taking, transitions
from accel.db.engine import Connection, Database
from accel.db.placement_claims import Claim
from accel.db.releasing import EXPIRED_AT_ONCE
from accel.db.scope import EVERYTHING, Scope
from accel.db.taking import Chosen, Intent, NewClaim
from accel.errors import Conflict, InvalidValue, NotFound, Overtaken
from accel.model.audit import AuditWanted, FindingKind
from accel.model.node import DeviceStatus
from accel.model.request import RequestState

HANDLES = 6


@pytest.fixture
def site(any_database: Database) -> Site:
    site = Site(any_database)
    site.report(site.gpu(handles=HANDLES))
    return site


def take(site: Site, new: NewClaim, chosen: list[Chosen], **agreed: Any) -> tuple[Claim, bool]:
    return site.database.write(
        lambda it: taking.take(it, Intent(new, chosen, site.origin), terms=terms(**agreed)),
    )


def claim(site: Site, amount: int = 1, **changed: Any) -> Claim:
    """A new claim of the site's project."""
    made, is_new = take(site, new_claim(site.project, **changed), choose(site.database, amount, node=site.node))
    assert is_new
    return made


def release(site: Site, uuid: str, *, scope: Scope = EVERYTHING) -> list[str]:
    return list(site.database.write(lambda it: releasing.release(it, uuid, scope=scope, origin=site.origin)))


def renew(site: Site, uuid: str, seconds: int | None = None) -> Claim:
    return site.database.write(lambda it: releasing.renew(it, uuid, seconds, scope=EVERYTHING, origin=site.origin))


def get(site: Site, uuid: str, *, scope: Scope = EVERYTHING) -> Claim:
    return site.database.read(lambda it: placement_claims.get(it, uuid, scope=scope))


def used(site: Site) -> int:
    key = (site.project, "PGPU")
    return site.database.read(lambda it: quotas.usage(it, {key: None})).get(key, 0)


def kinds(site: Site, uuid: str) -> list[tuple[str, str]]:
    return [(event.kind, event.node) for event in site.events(uuid)]


def test_what_is_claimed_is_held_by_requests_like_all_others(site: Site) -> None:
    made = claim(site, 3, consumer="training")

    assert get(site, made.uuid) == made
    requests = [one.request_uuid for one in made.allocations]
    assert site.states(*requests) == ["Bound"] * 3
    assert {site.request(uuid).hostname for uuid in requests} == {site.node}
    held = Counter(row.handle for row in site.holders())
    assert held == Counter(one.handle_uuid for one in made.allocations)
    assert {(row.name, row.project_id) for row in site.holders()} == {("training", site.project)}
    assert used(site) == 3
    assert site.notifications(*requests) == []


def test_a_released_claim_leaves_nothing(site: Site) -> None:
    made = claim(site, 3)

    assert release(site, made.uuid) == []
    assert (site.held(), site.left(), used(site)) == (0, 0, 0)
    with pytest.raises(NotFound):
        get(site, made.uuid)
    with pytest.raises(NotFound):
        release(site, made.uuid)


def test_history_tells_of_a_claim_on_each_of_its_nodes(site: Site) -> None:
    other = f"{site.node}-b"
    site.report(site.gpu(2, deployables=site.gpu(2).deployables), node=other)
    chosen = choose(site.database, 1, node=site.node) + choose(site.database, 1, node=other)
    made, _ = take(site, new_claim(site.project, lease_seconds=60), chosen)
    renew(site, made.uuid)
    release(site, made.uuid)

    told = kinds(site, made.uuid)
    assert told == [
        (f"claim.{kind}", node) for kind in ("created", "renewed", "released") for node in (site.node, other)
    ]
    first = made.allocations[0]
    assert kinds(site, first.request_uuid) == [("request.bound", site.node), ("request.deleted", site.node)]
    assert {event.project_id for event in site.events(made.uuid)} == {site.project}


@pytest.mark.parametrize(
    "happens",
    [
        lambda site: site.hold(),
        lambda site: site.set_status(DeviceStatus.MAINTAINING),
        lambda site: site.report(),
        lambda site: site.report(site.gpu(handles=HANDLES, health="unhealthy")),
        lambda site: site.database.write(
            lambda it: heard_mark_offline(it, site),
        ),
    ],
    ids=["somebody has it", "its device is disabled", "its device is lost", "its device is unwell", "its node is away"],
)
def test_what_was_chosen_and_cannot_be_had_any_more_is_not_taken(happens: Any, site: Site) -> None:
    chosen = choose(site.database, 2, node=site.node)
    happens(site)
    held = site.held()

    with pytest.raises(Overtaken):
        take(site, new_claim(site.project), chosen)
    assert (site.held(), site.left()) == (held, 0)


def heard_mark_offline(connection: Connection, site: Site) -> None:
    from accel.db import heard  # noqa: PLC0415

    site.clock.pass_(hours=1)
    heard.mark_offline(connection, heard_before=site.clock(), now=site.clock())


def test_a_quota_is_for_claims_and_binds_together(site: Site) -> None:
    site.limit(3)
    claim(site, 2)
    [uuid] = site.make()
    site.conductor().change_requests(site.binds([uuid]))

    with pytest.raises(Conflict, match="3 of PGPU, 3 held and 1 more wanted"):
        claim(site, 1)


def test_the_same_request_with_the_same_key_is_the_same_claim(site: Site) -> None:
    new = new_claim(site.project, idempotency_key="k")
    first, _ = take(site, new, choose(site.database, 1, node=site.node))
    again, is_new = take(site, new, choose(site.database, 1, node=site.node))

    assert (again, is_new) == (first, False)
    assert site.held() == 1
    other, _ = take(site, new_claim(f"{site.project}-b", idempotency_key="k"), choose(site.database, 1, node=site.node))
    assert other.uuid != first.uuid


def test_another_request_with_the_same_key_is_refused(site: Site) -> None:
    chosen = choose(site.database, 2, node=site.node)
    take(site, new_claim(site.project, idempotency_key="k"), chosen[:1])

    with pytest.raises(Conflict, match="has been used for claim"):
        take(site, new_claim(site.project, idempotency_key="k", request_hash="1" * 64), chosen[1:])


def test_of_the_same_request_sent_twice_at_the_same_time_one_makes_the_claim(site: Site) -> None:
    new = new_claim(site.project, idempotency_key="k")
    chosen = choose(site.database, 4, node=site.node)
    found = at_once([partial(take, site, new, [one]) for one in chosen])

    assert sorted(is_new for _, is_new in found) == [False, False, False, True]
    assert len({made.uuid for made, _ in found}) == 1
    assert (site.held(), site.left()) == (1, 1)


def test_two_that_choose_the_same_do_not_both_get_it(site: Site) -> None:
    chosen = choose(site.database, HANDLES, node=site.node)
    calls = [partial(take, site, new_claim(f"p{number}"), chosen[:2]) for number in range(4)]
    found = at_once([partial(outcome, call, Overtaken) for call in calls])

    assert sum(isinstance(result, Overtaken) for result in found) == 3
    assert site.held() == 2


def test_a_claim_that_dies_in_between_leaves_nothing(site: Site) -> None:
    chosen = choose(site.database, 2, node=site.node)

    def dies(connection: Connection) -> None:
        taking.take(connection, Intent(new_claim(site.project), chosen, site.origin), terms=terms())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        site.database.write(dies)
    assert (site.held(), site.left(), used(site)) == (0, 0, 0)
    assert claim(site, HANDLES)


def test_a_claim_is_seen_by_its_project_only(site: Site) -> None:
    made = claim(site)
    other = Scope(project_id="other")

    for act in (partial(get, site, made.uuid, scope=other), partial(release, site, made.uuid, scope=other)):
        with pytest.raises(NotFound):
            act()
    assert get(site, made.uuid, scope=Scope(project_id=site.project)) == made


def test_a_lease_that_nobody_renews_ends(site: Site) -> None:
    kept = claim(site)
    short = claim(site, 2, lease_seconds=60)
    site.clock.pass_(seconds=59)
    assert site.conductor().release_expired_claims() == 0
    site.clock.pass_(seconds=1)
    assert site.conductor().release_expired_claims() == 1

    assert (site.held(), used(site)) == (1, 1)
    assert kinds(site, short.uuid)[-1] == ("claim.expired", site.node)
    assert get(site, kept.uuid) == kept


def test_a_renewed_lease_begins_anew(site: Site) -> None:
    made = claim(site, lease_seconds=60)
    site.clock.pass_(seconds=59)
    renew(site, made.uuid)
    site.clock.pass_(seconds=59)
    assert site.conductor().release_expired_claims() == 0
    assert renew(site, made.uuid, 3600).row.lease_seconds == 3600
    site.clock.pass_(seconds=60)
    assert site.conductor().release_expired_claims() == 0


def test_without_a_lease_a_renewal_must_say_one(site: Site) -> None:
    made = claim(site)

    with pytest.raises(InvalidValue, match="lease_seconds"):
        renew(site, made.uuid)
    renew(site, made.uuid, 60)
    site.clock.pass_(seconds=60)
    assert site.conductor().release_expired_claims() == 1


def test_who_renews_when_the_lease_ends_either_keeps_it_or_is_told(site: Site) -> None:
    made = claim(site, lease_seconds=60)
    site.clock.pass_(seconds=61)
    gate = Gate()

    def renew_slowly(connection: Connection) -> None:
        releasing.renew(connection, made.uuid, 60, scope=EVERYTHING, origin=site.origin)
        gate()

    if site.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    _, released = overlapping(
        gate,
        lambda: site.database.write(renew_slowly),
        site.conductor(database=site.database).release_expired_claims,
        of_second=site.database,
    )
    assert released == 0
    assert get(site, made.uuid).allocations == made.allocations


def test_many_leases_end_in_one_round(any_database: Database) -> None:
    site = Site(any_database)
    amount = EXPIRED_AT_ONCE + 3
    site.report(*(site.gpu(slot) for slot in range(1, amount + 1)))
    for chosen in choose(site.database, amount, node=site.node):
        take(site, new_claim(site.project, lease_seconds=1), [chosen])
    site.clock.pass_(seconds=1)

    assert site.conductor().release_expired_claims() == amount
    assert (site.held(), site.left()) == (0, 0)


def test_one_of_a_claims_requests_cannot_be_changed_alone(site: Site) -> None:
    made = claim(site, 2)
    uuid = made.allocations[0].request_uuid

    with pytest.raises(Conflict, match=f"belongs to claim {made.uuid}"):
        site.conductor().change_requests(site.unbinds([uuid]))
    rows = site.database.write(lambda it: transitions.lock(it, [uuid], scope=EVERYTHING))
    with pytest.raises(Conflict, match="release the claim"):
        transitions.check_alone(rows)
    assert site.states(uuid) == ["Bound"]


def test_a_lost_device_shows_in_the_claim_and_is_no_leak(site: Site) -> None:
    made = claim(site)
    site.report()

    [lost] = get(site, made.uuid).allocations
    assert "is lost" in lost.problem
    findings = site.conductor().audit(AuditWanted(caller=site.wanted().caller, fix=True)).findings
    assert [found.kind for found in findings if found.subject == lost.request_uuid] == [FindingKind.HELD_BUT_LOST]
    assert get(site, made.uuid).allocations == [lost]
    site.report(site.gpu(handles=HANDLES))
    assert get(site, made.uuid) == made


def test_an_audit_finds_nothing_wrong_with_a_claim(site: Site) -> None:
    made = claim(site, 2, lease_seconds=60)
    found = site.conductor().audit(AuditWanted(caller=site.wanted().caller, fix=True)).findings

    assert [finding for finding in found if finding.node == site.node] == []
    assert get(site, made.uuid) == made


def test_work_on_the_node_is_left_to_a_conductor_and_undone_by_one(site: Site, tmp_path: Any) -> None:
    step = FileStep(tmp_path, "file", site.clock)
    made, _ = take(site, new_claim(site.project), choose(site.database, 2, node=site.node), steps=["file"], worker="")
    requests = [one.request_uuid for one in made.allocations]
    assert site.states(*requests) == [RequestState.BIND_STARTED] * 2
    conductor = site.conductor(steps={"file": step})
    site.clock.pass_(seconds=0)
    conductor.take_up_work()
    assert site.states(*requests) == [RequestState.BOUND] * 2

    assert sorted(release(site, made.uuid)) == sorted(requests)
    with pytest.raises(NotFound):
        get(site, made.uuid)
    conductor.take_up_work()
    assert (site.held(), site.left(), list(tmp_path.glob("*.file"))) == (0, 0, [])


def test_a_claim_costs_the_same_number_of_statements_for_any_number_of_accelerators(any_database: Database) -> None:
    site = Site(any_database)
    site.report(*(site.gpu(slot) for slot in range(1, 80)))
    site.limit(1000)

    def costs(amount: int) -> dict[str, int]:
        chosen = choose(site.database, amount, node=site.node)
        made: list[Claim] = []
        return {
            "take": cost(any_database, lambda: made.append(take(site, new_claim(site.project), chosen)[0])),
            "show": cost(any_database, lambda: get(site, made[0].uuid)),
            "renew": cost(any_database, lambda: renew(site, made[0].uuid, 60)),
            "release": cost(any_database, lambda: release(site, made[0].uuid)),
        }

    found = [costs(amount) for amount in (1, 8, 64)]
    assert found == [found[0]] * 3
    take_costs = 5 if any_database.engine.dialect.name == "postgresql" else 9
    assert found[0] == {"take": take_costs, "show": 2, "renew": 5, "release": 10}


def cost(database: Database, call: Any) -> int:
    with counted_statements(database) as statements:
        call()
    return len(statements)
