"""Audits of a real OpenStack Placement: what somebody has changed on either side is found, and mended on request."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import update
from support.cli import run
from support.clocks import Clock
from support.openstack_placement import RealPlacement, connected, running_placement
from support.pretend_placement import TERMS, recorded, reporter_of
from support.served import served_application
from support.site import Site

from accel import conf as configuration
from accel.api.app import make_app
from accel.conductor.claims import Claims, Hooks
from accel.conductor.placement_audit import PlacementAuditor
from accel.conductor.providers import Reconciler
from accel.conductor.reporter import Reporter
from accel.db.engine import Database
from accel.db.tables import AcceleratorRequest, PlacementNode
from accel.errors import PlacementUnavailable
from accel.model.audit import Audit, AuditSubject, AuditWanted, FindingKind
from accel.model.node import DeviceStatus
from accel.model.provider import OWNER_TRAIT, provider_uuid
from accel.model.request import Caller
from accel.rpc.local import LocalClaims

MARKS = frozenset({OWNER_TRAIT})
ADMIN = Caller(request_id="req-1", user_id="ada", sees_all=True)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPlacement]:
    with running_placement(tmp_path_factory.mktemp("placement")) as placement:
        yield placement


@dataclass
class Both:
    """A node on both sides, of which each test changes one."""

    site: Site
    real: RealPlacement
    claims: Claims
    reporter: Reporter
    root: str = ""
    servers: list[str] = field(default_factory=list)

    def audit(self, *, fix: bool = False) -> Audit:
        return self.claims.audit(AuditWanted(caller=ADMIN, fix=fix, of=AuditSubject.PLACEMENT))

    def found(self) -> list[tuple[str, str]]:
        """What is the matter with the node; others are of other tests."""
        found = [one for one in self.audit().findings if one.node == self.site.node]
        return [(one.kind, one.subject) for one in found]

    def agrees(self) -> bool:
        return self.real.below(self.root) == recorded(self.site.database, self.site.node, marks=MARKS)


@pytest.fixture
def both(real: RealPlacement, database: Database, tmp_path: Path) -> Both:
    """Both sides are equal: three cards."""
    site = Site(database)
    placement = connected(tmp_path, real.section())
    reporter = reporter_of(database, Reconciler(placement), site.clock, terms=replace(TERMS, marks=MARKS))
    auditor = PlacementAuditor(database, placement, reporter, site.clock)
    both = Both(site, real, site.conductor(hooks=Hooks(audit_placement=auditor.audit)), reporter)
    both.root = real.boot_node(site.node)
    site.report(*(site.gpu(slot, handles=2) for slot in (1, 2, 3)))
    reporter.tell_due()
    assert both.agrees()
    assert both.found() == []
    return both


def _delete(both: Both) -> None:
    both.real.call("DELETE", f"/resource_providers/{both.site.provider(1)}")


def _enlarge(both: Both) -> None:
    both.real.set_inventories(both.site.provider(1), PGPU=8)


def _take_traits(both: Both) -> None:
    both.real.set_traits(both.site.provider(1), ())


def _rename(both: Both) -> None:
    both.real.call("PUT", f"/resource_providers/{both.site.provider(1)}", {"name": f"x-{both.site.name}"})


def _leave_one(both: Both) -> None:
    name = f"{both.site.name}_9"
    body = {"name": name, "uuid": provider_uuid(name), "parent_provider_uuid": both.root}
    both.real.call("POST", "/resource_providers", body)


DAMAGES: dict[str, tuple[Callable[[Both], object], FindingKind, int]] = {
    "a provider is deleted": (_delete, FindingKind.PROVIDER_MISSING, 1),
    "an inventory is changed": (_enlarge, FindingKind.PROVIDER_DIFFERS, 1),
    "a trait is taken away": (_take_traits, FindingKind.PROVIDER_DIFFERS, 1),
    "a provider is renamed": (_rename, FindingKind.PROVIDER_DIFFERS, 1),
    "a provider is left over": (_leave_one, FindingKind.PROVIDER_SURPLUS, 9),
    "a change has not been told": (
        lambda both: both.site.set_status(DeviceStatus.MAINTAINING),
        FindingKind.PROVIDER_DIFFERS,
        1,
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_what_does_not_agree_is_found_and_only_mended_when_that_is_asked_for(what: str, both: Both) -> None:
    damage, kind, slot = DAMAGES[what]
    damage(both)
    expected = [(kind, both.site.provider(slot))]
    assert both.found() == both.found() == expected
    assert not both.agrees()

    mended = both.audit(fix=True)

    assert [(one.kind, one.subject) for one in mended.findings if one.is_mended] == expected
    assert both.found() == []
    assert both.agrees()


def test_what_is_remembered_is_not_believed(both: Both) -> None:
    """Placement's database is put back: generations are what they were, what was seen with them is not."""
    _enlarge(both)
    generation = both.real.call("GET", f"/resource_providers/{both.site.provider(1)}")["generation"]
    with both.site.database.writer() as connection:
        known = dict(connection.scalars(PlacementNode.__table__.select().with_only_columns(PlacementNode.known)).one())
        known["providers"][both.site.provider(1)]["generation"] = generation
        connection.execute(update(PlacementNode).values(known=known))

    assert both.found() == [(FindingKind.PROVIDER_DIFFERS, both.site.provider(1))]
    both.audit(fix=True)
    assert both.agrees()


def test_what_is_gone_and_allocated_stays_a_finding_until_it_is_free(both: Both) -> None:
    _leave_one(both)
    left = both.site.provider(9)
    both.real.set_inventories(left, PGPU=1)
    server = both.real.allocate(left, "PGPU")
    both.audit(fix=True)
    assert (FindingKind.PROVIDER_SURPLUS, left) in both.found()
    assert left not in both.real.candidates("PGPU")

    both.real.free(server)
    both.audit(fix=True)
    assert both.found() == []


def test_a_node_that_nova_has_not_made_is_found(both: Both) -> None:
    other = replace(both.site, name=f"{both.site.name}b")
    other.report(other.gpu(1))
    [finding] = [one for one in both.audit(fix=True).findings if one.node == other.node]
    assert (finding.kind, finding.is_mended) == (FindingKind.NODE_UNKNOWN, False)


def test_a_provider_below_a_node_that_is_not_recorded_is_found_and_left(both: Both) -> None:
    root = both.real.boot_node(f"elsewhere-{both.site.name}")
    name = f"elsewhere-{both.site.name}_1"
    body = {"name": name, "uuid": provider_uuid(name), "parent_provider_uuid": root}
    both.real.call("POST", "/resource_providers", body)

    found = [one for one in both.audit(fix=True).findings if one.subject == provider_uuid(name)]

    assert [(one.kind, one.is_mended) for one in found] == [(FindingKind.PROVIDER_ORPHANED, False)]
    assert both.real.below(root)


def bound(both: Both, instance: str) -> str:
    """A request that is bound for an instance of that very UUID."""
    (uuid,) = both.site.make()
    both.site.conductor().change_requests(both.site.binds([uuid]))
    change = update(AcceleratorRequest).where(AcceleratorRequest.uuid == uuid).values(instance_uuid=instance)
    both.site.database.write(lambda connection: connection.execute(change))
    return uuid


def test_who_has_only_an_allocation_or_only_a_request_is_found_and_left_to_a_person(both: Both) -> None:
    right, allocated, past_nova = (str(uuid4()) for _ in range(3))
    for server in (right, allocated):
        both.real.allocate(both.site.provider(1 if server == right else 2), "PGPU", consumer=server)
    bound(both, right)
    request = bound(both, past_nova)

    assert sorted(both.found()) == [
        (FindingKind.ALLOCATION_WITHOUT_REQUEST, allocated),
        (FindingKind.REQUEST_WITHOUT_ALLOCATION, request),
    ]
    assert not any(one.is_mended for one in both.audit(fix=True).findings)


def test_of_more_nodes_than_can_be_compared_in_time_some_are_left_out_and_that_is_said(
    real: RealPlacement, database: Database, tmp_path: Path
) -> None:
    class Impatient(Clock):
        """A clock by which all that is asked for takes long."""

        def __call__(self) -> object:
            self.pass_(seconds=15)
            return super().__call__()

    site, placement = Site(database), connected(tmp_path, real.section())
    for number in range(3):
        each = replace(site, name=f"{site.name}{number}")
        each.report(each.gpu(1))
    reporter = reporter_of(database, Reconciler(placement), site.clock)
    audit = PlacementAuditor(database, placement, reporter, Impatient()).audit

    assert "of 3" in audit(AuditWanted(caller=ADMIN, of=AuditSubject.PLACEMENT)).left_out[0]


def test_a_placement_that_is_away_is_said(both: Both) -> None:
    both.real.way.cut()
    try:
        with pytest.raises(PlacementUnavailable):
            both.audit()
    finally:
        both.real.way.mend()


def test_on_the_command_line_it_is_an_audit_like_the_other(both: Both) -> None:
    conf = configuration.load([], prog="accel-api", default_config_files=[])
    application = make_app(both.site.database, conf, LocalClaims(both.claims))
    _enlarge(both)
    with served_application(application) as url:
        looked = run("audit", "placement", "-f", "json", endpoint=url)
        mended = run("audit", "placement", "--fix", endpoint=url)
    assert (FindingKind.PROVIDER_DIFFERS, both.site.provider(1)) in [
        (one["kind"], one["subject"]) for one in looked.json
    ]
    assert "accel audit placement --fix mends 1" in looked.err
    assert mended.lines[1].split()[0::3][:2] != []
    assert both.agrees()
