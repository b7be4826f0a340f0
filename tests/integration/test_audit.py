"""What an audit finds and mends, on every database. Each test breaks what constraints and transactions keep whole."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from support.databases import counted_statements
from support.races import Gate, at_once, overlapping
from support.site import Site

from accel.conductor.claims import Hooks
from accel.db import audit
from accel.db.engine import Database
from accel.db.tables import AcceleratorRequest, Event, Holder
from accel.errors import NovaUnavailable
from accel.model.audit import Audit, AuditWanted, Finding, FindingKind
from accel.model.request import Caller

K = FindingKind
CLIENTS, ROUNDS = 3, 12
ADMIN = Caller(request_id="req-9", user_id="ada", sees_all=True)


@pytest.fixture
def site(any_database: Database) -> Site:
    return Site(any_database)


class WorkStep:
    """A step that always succeeds."""

    def do(self, task: object) -> None: ...

    def undo(self, task: object) -> None: ...


def run(site: Site, *, fix: bool = False, gone: Iterable[str] | None = None) -> Audit:
    known = None if gone is None else frozenset(gone)
    hooks = Hooks(gone=None if known is None else lambda asked: known & set(asked))
    conductor = site.conductor(hooks=hooks, steps={"work": WorkStep()})
    return conductor.audit(AuditWanted(caller=ADMIN, fix=fix))


def kinds(found: Audit) -> list[tuple[str, bool]]:
    return [(str(finding.kind), finding.is_mended) for finding in found.findings]


def change(site: Site, statement: Any) -> None:
    site.database.write(lambda connection: connection.execute(statement))


def bound(site: Site, amount: int = 1, *, instance: str = "vm") -> list[str]:
    made = site.make(amount)
    site.conductor().change_requests(site.binds(made, instance=instance))
    return made


def held_by_nobody(site: Site) -> str:
    (uuid,) = bound(site)
    change(site, update(Holder).values(request_id=None))
    change(site, delete(AcceleratorRequest).where(AcceleratorRequest.uuid == uuid))
    return str(site.holders()[0].uuid)


def at_rest_with_handle(site: Site) -> str:
    (uuid,) = bound(site)
    change(site, update(AcceleratorRequest).values(state="Unbound", instance_uuid=None))
    return uuid


def without_handle(site: Site) -> str:
    (uuid,) = bound(site)
    change(site, delete(Holder))
    return uuid


def deleting_without_handle(site: Site) -> str:
    (uuid,) = bound(site)
    change(site, delete(Holder))
    change(site, update(AcceleratorRequest).values(state="Deleting", steps=["work"]))
    return uuid


def overdue(site: Site) -> str:
    (uuid,) = site.make()
    conductor = site.conductor(steps={"work": WorkStep()}, submit=lambda _work: None)  # it dies before it begins
    conductor.change_requests(site.binds([uuid]))
    site.clock.pass_(hours=1)
    return uuid


def held_but_lost(site: Site) -> str:
    (uuid,) = bound(site)
    site.report()
    return uuid


BREAKS: dict[FindingKind, Callable[[Site], str]] = {
    K.HOLDER_WITHOUT_REQUEST: held_by_nobody,
    K.REQUEST_AT_REST_HOLDS: at_rest_with_handle,
    K.REQUEST_HOLDS_NOTHING: without_handle,
    K.WORK_OVERDUE: overdue,
    K.HELD_BUT_LOST: held_but_lost,
}


@pytest.fixture(params=BREAKS, ids=str)
def kind(request: pytest.FixtureRequest) -> FindingKind:
    return FindingKind(request.param)


def events(site: Site, kind: str) -> list[Any]:
    with site.database.reader() as connection:
        return list(connection.execute(select(*Event.__table__.columns).where(Event.kind == kind)))


def test_where_all_is_well_nothing_is_found(site: Site) -> None:
    site.report(site.gpu(handles=3))
    bound(site, 2)
    site.make(1)

    found = run(site, fix=True, gone=[])

    assert found == Audit()
    assert site.held() == 2


def test_what_does_not_add_up_is_found_and_nothing_is_changed(kind: FindingKind, site: Site) -> None:
    site.report(site.gpu())
    subject = BREAKS[kind](site)
    before = (site.held(), site.left(), len(events(site, "holder.released")))

    found = run(site)
    again = run(site)

    (finding,) = found.findings
    assert (finding.kind, finding.subject, finding.node, finding.project_id) == (kind, subject, site.node, site.project)
    assert not finding.is_mended
    assert again == found
    assert (site.held(), site.left(), len(events(site, "holder.released"))) == before


@pytest.mark.parametrize(
    ("kind", "held", "state"),
    [
        (K.HOLDER_WITHOUT_REQUEST, 0, None),
        (K.REQUEST_AT_REST_HOLDS, 0, "Unbound"),
        (K.REQUEST_HOLDS_NOTHING, 0, "BindFailed"),
        (K.WORK_OVERDUE, 0, "BindFailed"),
    ],
)
def test_what_can_be_mended_is_and_then_nothing_is_left_to_find(
    kind: FindingKind, held: int, state: str | None, site: Site
) -> None:
    site.report(site.gpu())
    subject = BREAKS[kind](site)

    assert kinds(run(site, fix=True)) == [(kind, True)]

    assert run(site).findings == ()
    assert site.held() == held
    if state is not None:
        assert site.states(subject) == [state]
    bound(site, instance="another")


def test_what_is_lost_stays_whoever_s_it_is_and_is_his_when_it_comes_back(site: Site) -> None:
    site.report(site.gpu())
    uuid = held_but_lost(site)

    assert kinds(run(site, fix=True)) == [(K.HELD_BUT_LOST, False)]

    assert (site.held(), site.states(uuid)) == (1, ["Bound"])
    site.report(site.gpu())
    assert run(site).findings == ()


def test_a_holding_that_an_audit_ends_is_told_with_who_wanted_it(site: Site) -> None:
    site.report(site.gpu())
    subject = held_by_nobody(site)
    (holder,) = site.holders()

    run(site, fix=True)

    (event,) = events(site, "holder.released")
    assert (event.subject, event.source, event.request_id) == (subject, "api:ada", "req-9")
    assert (event.node, event.device_uuid, event.project_id) == (site.node, site.device(), site.project)
    assert event.before["handle"] == holder.handle
    assert event.after is None


def test_a_request_that_holds_nothing_fails_and_nova_is_told(site: Site) -> None:
    site.report(site.gpu())
    uuid = without_handle(site)

    run(site, fix=True)

    assert site.request(uuid).reason == "an audit has found that it holds nothing"
    assert site.notifications(uuid)[-1] == (f"vm-{site.name}", "failed")
    assert site.events(uuid)[-1].kind == "request.bind_failed"


def test_a_request_in_deletion_that_holds_nothing_goes(site: Site) -> None:
    site.report(site.gpu())
    uuid = deleting_without_handle(site)

    assert kinds(run(site, fix=True)) == [(K.REQUEST_HOLDS_NOTHING, True)]
    assert site.left() == 0
    assert site.events(uuid)[-1].kind == "request.deleted"


def test_requests_of_instances_that_are_gone_are_deleted(site: Site) -> None:
    site.report(site.gpu(handles=3))
    lost = bound(site, 2)
    (kept,) = bound(site, instance="other")
    gone = [f"vm-{site.name}"]

    found = run(site, gone=gone)
    assert kinds(found) == [(K.INSTANCE_GONE, False)] * 2
    assert [finding.subject for finding in found.findings] == lost
    assert site.left() == 3

    assert kinds(run(site, fix=True, gone=gone)) == [(K.INSTANCE_GONE, True)] * 2
    assert (site.left(), site.held(), site.states(kept)) == (1, 1, ["Bound"])


def test_what_needs_work_on_its_node_goes_when_that_is_done(site: Site) -> None:
    site.report(site.gpu())
    (uuid,) = site.make()
    conductor = site.conductor(steps={"work": WorkStep()}, hooks=Hooks(gone=set))
    conductor.change_requests(site.binds([uuid]))

    found = conductor.audit(AuditWanted(caller=ADMIN, fix=True))

    assert kinds(found) == [(K.INSTANCE_GONE, True)]
    assert (site.left(), site.held()) == (0, 0)
    assert [event.kind for event in site.events(uuid)][-2:] == ["request.deleting", "request.deleted"]


def test_without_a_nova_it_is_said_that_instances_were_not_looked_for(site: Site) -> None:
    (text,) = run(site).left_out

    assert text.startswith("requests for instances that are gone: ")
    assert "[nova]" in text


def test_a_nova_that_does_not_answer_spoils_nothing_else(site: Site) -> None:
    site.report(site.gpu())
    subject = without_handle(site)

    def away(_instances: Iterable[str]) -> set[str]:
        raise NovaUnavailable("Nova cannot be asked: it is away")

    found = site.conductor(hooks=Hooks(gone=away)).audit(AuditWanted(caller=ADMIN, fix=True))

    assert [finding.subject for finding in found.findings] == [subject]
    assert found.left_out == ("requests for instances that are gone: Nova cannot be asked: it is away",)


def test_a_nova_that_takes_long_is_asked_for_some_only(site: Site) -> None:
    for uuid in site.make(120):
        instance = {"instance_uuid": f"vm-{uuid}"}
        change(site, update(AcceleratorRequest).where(AcceleratorRequest.uuid == uuid).values(instance))
    asked: list[str] = []

    def slow(instances: Iterable[str]) -> set[str]:
        asked.extend(instances)
        site.clock.pass_(seconds=15)
        return set()

    found = site.conductor(hooks=Hooks(gone=slow)).audit(AuditWanted(caller=ADMIN))

    assert len(set(asked)) == 100
    assert "asked for 100 of 120" in found.left_out[0]


def test_a_finding_that_is_so_no_more_when_it_comes_to_mending_is_left_alone(site: Site) -> None:
    site.report(site.gpu())
    (uuid,) = bound(site)
    old = [
        Finding(kind=kind, subject=uuid, text="as it was")
        for kind in (K.REQUEST_AT_REST_HOLDS, K.REQUEST_HOLDS_NOTHING, K.INSTANCE_GONE)
    ]
    old.append(Finding(kind=K.HOLDER_WITHOUT_REQUEST, subject=site.holders()[0].uuid, text="as it was"))

    for finding in old:
        site.database.write(
            lambda connection, finding=finding: audit.mend(
                connection, finding, gone=["another"], terms=site.conductor()._terms, origin=site.origin
            )
        )

    assert (site.held(), site.states(uuid)) == (1, ["Bound"])


def test_an_audit_in_the_middle_of_a_claim_takes_nothing_from_it(site: Site) -> None:
    site.report(site.gpu())
    (uuid,) = site.make()
    gate = Gate("claim.written")
    conductor = site.conductor(hooks=Hooks(at=gate))

    _, found = overlapping(
        gate,
        lambda: conductor.change_requests(site.binds([uuid])),
        lambda: run(site, fix=True, gone=[]),
        of_second=site.database,
    )

    assert found == Audit()
    assert (site.held(), site.states(uuid)) == (1, ["Bound"])


def test_while_requests_come_and_go_audits_find_nothing_and_mend_nothing(site: Site) -> None:
    site.report(site.gpu(handles=CLIENTS))
    made = site.make(CLIENTS)

    def claim(uuid: str) -> list[Audit]:
        for _ in range(ROUNDS):
            site.conductor().change_requests(site.binds([uuid], instance=uuid))
            site.conductor().change_requests(site.unbinds([uuid]))
        return []

    def look() -> list[Audit]:
        return [run(site, fix=True, gone=["another"]) for _ in range(ROUNDS)]

    found = at_once([look, *(partial(claim, uuid) for uuid in made)])

    assert found[0] == [Audit()] * ROUNDS
    assert site.states(*made) == ["Unbound"] * CLIENTS
    assert events(site, "holder.released") == []


@pytest.mark.parametrize("count", [1, 12])
def test_an_audit_costs_the_same_however_much_there_is(count: int, site: Site) -> None:
    site.report(site.gpu(handles=20))
    bound(site, count)
    change(site, update(Holder).values(request_id=None))

    with counted_statements(site.database) as statements:
        found = run(site, gone=[f"vm-{site.name}"])

    assert len(found.findings) == 3 * count  # holders are nobody's; requests hold nothing, for an instance that is gone
    assert len(statements) == 7
