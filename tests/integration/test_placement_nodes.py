"""Which nodes Placement is told of, and when: no change is lost, on each database."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Thread

import pytest
from sqlalchemy import delete, select
from support import holding
from support.choices import choose, new_claim
from support.claims import terms
from support.databases import counted_statements
from support.pretend_placement import TERMS, PretendPlacement, recorded, reporter_of
from support.site import Site

from accel.conductor.manager import Limits, Manager
from accel.conductor.reporter import Reporter
from accel.db import attributes, placement_nodes, releasing, taking
from accel.db.engine import Database
from accel.db.scope import EVERYTHING
from accel.db.tables import AttachHandle, Deployable, PlacementNode
from accel.db.taking import Intent
from accel.model.device import Health, Presence
from accel.model.node import DeviceStatus
from accel.model.provider import SyncState


@pytest.fixture
def site(any_database: Database) -> Site:
    return Site(any_database)


@pytest.fixture
def placement() -> PretendPlacement:
    return PretendPlacement()


@pytest.fixture
def reporter(site: Site, placement: PretendPlacement) -> Reporter:
    return reporter_of(site.database, placement, site.clock)


class DeathError(Exception):
    """Nobody catches this."""


def die(_node: str) -> None:
    raise DeathError


def state(site: Site) -> tuple[str, str]:
    with site.database.reader() as connection:
        return tuple(connection.execute(select(PlacementNode.state, PlacementNode.reason)).one())  # type: ignore[return-value]


def total(site: Site, placement: PretendPlacement) -> list[tuple[int, int]]:
    """Total and reserved of each provider, in the order of their names."""
    found = sorted(placement.has[site.node].values(), key=lambda one: one.name)
    return [(one.total, one.reserved) for provider in found for one in provider.inventories.values()]


# --- what is told ---


def hold(site: Site, kind: str) -> str:
    first = (
        select(AttachHandle.uuid).join(Deployable).where(Deployable.name == f"{site.name}_1").order_by(AttachHandle.id)
    )
    with site.database.writer() as connection:
        uuid = connection.scalars(first).first()
        return holding.hold(connection, uuid, kind=kind, name="somebody", project_id=None, now=site.clock())


CHANGES: dict[str, tuple[Callable[[Site], object], list[tuple[int, int]]]] = {
    "another card": (lambda site: site.report(site.gpu(1, handles=2), site.gpu(2)), [(2, 0), (1, 0)]),
    "fewer handles": (lambda site: site.report(site.gpu(1)), [(1, 0)]),
    "unhealthy": (lambda site: site.report(site.gpu(1, handles=2, health=Health.UNHEALTHY, reason="hot")), [(2, 2)]),
    "gone": (lambda site: site.report(), [(2, 2)]),
    "lost": (
        lambda site: site.report(
            site.gpu(1, handles=2, presence=Presence.LOST, health=Health.UNKNOWN, reason="fell off the bus")
        ),
        [(2, 2)],
    ),
    "disabled": (lambda site: site.set_status(DeviceStatus.MAINTAINING), [(2, 2)]),
    "reserved by somebody": (lambda site: hold(site, "reservation"), [(2, 1)]),
    "held by a pod": (lambda site: hold(site, "pod"), [(2, 1)]),
    "held by an instance": (lambda site: hold(site, "instance"), [(2, 0)]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_that_concerns_placement_is_told(
    what: str, site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    change, expected = CHANGES[what]
    site.report(site.gpu(1, handles=2))
    reporter.tell_due()
    assert total(site, placement) == [(2, 0)]

    change(site)
    reporter.tell_due()

    assert total(site, placement) == expected
    assert placement.has[site.node] == recorded(site.database, site.node)


def test_what_is_enabled_given_back_or_returns_is_offered_again(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    site.report(site.gpu(1, handles=2))
    site.set_status(DeviceStatus.MAINTAINING)
    holder = hold(site, "reservation")
    site.report()
    reporter.tell_due()
    assert total(site, placement) == [(2, 2)]

    site.report(site.gpu(1, handles=2))
    site.set_status(DeviceStatus.ENABLED)
    reporter.tell_due()
    assert total(site, placement) == [(2, 1)]

    site.database.write(partial(holding.release, holder_uuid=holder, now=site.clock()))
    reporter.tell_due()
    assert total(site, placement) == [(2, 0)]


@pytest.mark.parametrize("how", ["released", "expired", "undone"])
def test_what_a_claim_of_placement_holds_is_reserved_until_it_is_given_back(
    how: str, site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    site.report(site.gpu(1, handles=3))
    reporter.tell_due()
    steps = ["boot"] if how == "undone" else []
    made, _ = site.database.write(
        partial(
            taking.take,
            intent=Intent(
                new_claim(site.project, lease_seconds=60), choose(site.database, 2, node=site.node), site.origin
            ),
            terms=terms(steps=steps),
        )
    )
    reporter.tell_due()
    assert total(site, placement) == [(3, 2)]

    if how == "expired":
        site.clock.pass_(minutes=5)
        site.conductor().release_expired_claims()
    else:
        give_back = partial(releasing.release, uuid=made.uuid, scope=EVERYTHING, origin=site.origin)
        assert bool(site.database.write(give_back)) is bool(steps)
    reporter.tell_due()
    if steps:
        assert total(site, placement) == [(3, 2)]
        site.conductor(steps={"boot": NoWork()}).take_up_work()
        reporter.tell_due()
    assert total(site, placement) == [(3, 0)]


class NoWork:
    """A step that is done at once."""

    def do(self, task: object) -> None:
        """Nothing."""

    def undo(self, task: object) -> None:
        """Nothing."""


def test_what_is_removed_at_the_end_of_its_grace_time_is_gone_from_placement(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    site.report(site.gpu(1))
    site.report()
    site.clock.pass_(hours=2)
    Manager(site.database, site.clock, Limits()).remove_expired_devices()

    reporter.tell_due()

    assert placement.has == {site.node: {}}


def test_what_does_not_concern_placement_is_not_told(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    site.report(site.gpu(1))
    reporter.tell_due()
    placement.told.clear()

    [request] = site.make()
    conductor = site.conductor()
    conductor.change_requests(site.binds([request]))
    conductor.change_requests(site.unbinds([request]))
    part = site.database.read(lambda connection: connection.scalar(select(Deployable.id)))
    added = partial(attributes.create, deployable=part, key="traits9", value="CUSTOM_THEIRS", origin=site.origin)
    attribute = site.database.write(added)
    site.database.write(partial(attributes.remove, uuid=attribute.uuid, origin=site.origin))
    site.report(site.gpu(1))
    reporter.tell_due()

    assert placement.told == []


def test_a_change_that_makes_no_difference_to_placement_costs_it_no_request(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    site.report(site.gpu(1))
    reporter.tell_due()
    site.report(site.gpu(1, kernel_driver="vfio-pci"))
    reporter.tell_due()
    assert placement.told == [site.node]


def test_a_node_that_nothing_changes_is_compared_from_time_to_time(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    site.report(site.gpu(1))
    reporter.tell_due()
    site.clock.pass_(seconds=TERMS.compare_interval.total_seconds())
    reporter.tell_due()
    reporter.tell_due()
    assert placement.told == [site.node] * 2


def test_a_node_that_a_conductor_of_the_release_before_has_added_is_told(
    site: Site, placement: PretendPlacement
) -> None:
    site.report(site.gpu(1))
    with site.database.writer() as connection:
        connection.execute(delete(PlacementNode))
    reporter_of(site.database, placement, site.clock).tell_due()
    assert placement.told == [site.node]


@pytest.mark.parametrize("count", [1, 64])
def test_to_tell_of_a_node_costs_the_same_statements_however_many_devices_it_has(
    count: int, site: Site, reporter: Reporter
) -> None:
    reporter.tell_due()
    site.report(*(site.gpu(slot) for slot in range(count)))
    with counted_statements(site.database) as statements:
        reporter.tell_due()
    assert len(statements) == 7


# --- nothing is lost ---


def test_what_changes_while_placement_is_told_is_told_after_it(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    changes = iter([lambda: site.set_status(DeviceStatus.MAINTAINING)])
    placement.meanwhile = lambda _node: next(changes, lambda: None)()
    site.report(site.gpu(1))

    reporter.tell_due()

    assert placement.has[site.node] == recorded(site.database, site.node)
    assert total(site, placement) == [(1, 1)]


def test_whoever_comes_too_late_does_not_have_the_last_word(site: Site, placement: PretendPlacement) -> None:
    """One conductor has read, and hangs; another one tells what is newer; then the first one tells what is old."""
    slow, fast = PretendPlacement(), reporter_of(site.database, placement, site.clock)
    slow.has = placement.has

    def hang(node: str) -> None:
        slow.meanwhile = lambda _node: None
        old = placement.has[node]
        site.clock.pass_(seconds=TERMS.lease.total_seconds())
        site.set_status(DeviceStatus.MAINTAINING)
        fast.tell_due()
        placement.has[node] = old

    slow.meanwhile = hang
    site.report(site.gpu(1))
    reporter_of(site.database, slow, site.clock).tell_due()

    assert placement.has[site.node] == recorded(site.database, site.node)


def test_what_a_conductor_was_at_when_it_died_is_told_by_another_one(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    site.report(site.gpu(1))
    placement.meanwhile = die
    with pytest.raises(DeathError):
        reporter.tell_due()
    placement.meanwhile = lambda _node: None

    reporter.tell_due()
    assert len(placement.told) == 1
    site.clock.pass_(seconds=TERMS.lease.total_seconds())
    reporter.tell_due()
    assert len(placement.told) == 2


def test_what_changes_back_after_a_conductor_has_died_is_told(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    site.report(site.gpu(1))
    reporter.tell_due()
    site.set_status(DeviceStatus.MAINTAINING)
    placement.meanwhile = die
    with pytest.raises(DeathError):
        reporter.tell_due()
    placement.meanwhile = lambda _node: None
    site.set_status(DeviceStatus.ENABLED)

    reporter.tell_due()

    assert placement.has[site.node] == recorded(site.database, site.node)


def test_what_was_put_there_is_known_for_ours_even_if_nobody_lived_to_say_so(site: Site) -> None:
    site.report(site.gpu(1))

    def take(connection: object) -> object:
        now = site.clock()
        return placement_nodes.take(connection, now=now, until=now)  # type: ignore[arg-type]

    placement = PretendPlacement()
    placement.is_away = True
    reporter_of(site.database, placement, site.clock).tell_due()

    taken = site.database.write(take)
    assert isinstance(taken, placement_nodes.Taken)
    assert taken.known.providers.keys() == {site.provider()}


def test_conductors_and_changes_at_the_same_time_lose_nothing(site: Site, placement: PretendPlacement) -> None:
    sites = [replace(site, name=f"{site.name}{number}") for number in range(4)]
    for each in sites:
        each.report(each.gpu(1, handles=3), each.gpu(2))

    def change(each: Site) -> None:
        for _ in range(6):
            each.set_status(DeviceStatus.MAINTAINING)
            each.report(each.gpu(1, handles=2))
            each.set_status(DeviceStatus.ENABLED)
            each.report(each.gpu(1, handles=3), each.gpu(2))

    def tell() -> None:
        reporter = reporter_of(site.database, placement, site.clock)
        for _ in range(12):
            reporter.tell_due()

    threads = [Thread(target=change, args=(each,)) for each in sites] + [Thread(target=tell) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reporter_of(site.database, placement, site.clock).tell_due()

    assert placement.has == {each.node: recorded(site.database, each.node) for each in sites}


# --- when it is not taken ---


def test_while_placement_is_away_it_is_asked_less_and_less_often_and_then_told_everything(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    others = [replace(site, name=f"{site.name}{number}") for number in range(3)]
    for each in others:
        each.report(each.gpu(1))
    placement.is_away = True
    for _ in range(60):
        reporter.tell_due()
        site.clock.pass_(seconds=1)
    assert len(placement.told) <= 10

    placement.is_away = False
    site.clock.pass_(seconds=8)
    reporter.tell_due()
    assert placement.has.keys() == {each.node for each in others}


@pytest.mark.parametrize(
    ("what", "expected"),
    [("unknown", SyncState.WAITING), ("refuses", SyncState.REFUSED), ("keeps", SyncState.KEPT)],
)
def test_a_node_that_cannot_be_told_says_why_and_is_tried_again_less_and_less_often(
    what: str, expected: SyncState, site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    getattr(placement, what).add(site.node)
    site.report(site.gpu(1))
    for _ in range(60):
        reporter.tell_due()
        site.clock.pass_(seconds=1)
    assert state(site)[0] == expected
    assert state(site)[1]
    assert len(placement.told) <= 10

    getattr(placement, what).clear()
    site.clock.pass_(seconds=8)
    reporter.tell_due()
    assert state(site) == (SyncState.AGREES, "")
    assert placement.has[site.node] == recorded(site.database, site.node)


def test_one_node_that_cannot_be_told_keeps_no_other_one_waiting(
    site: Site, placement: PretendPlacement, reporter: Reporter
) -> None:
    other = replace(site, name=f"{site.name}1")
    site.report(site.gpu(1))
    other.report(other.gpu(1))
    placement.refuses = {site.node}
    reporter.tell_due()
    assert placement.has.keys() == {other.node}


def test_how_nodes_stand_is_counted(site: Site, placement: PretendPlacement, reporter: Reporter) -> None:
    waiting, changed = (replace(site, name=f"{site.name}{number}") for number in range(2))
    for each in (site, waiting, changed):
        each.report(each.gpu(1))
    placement.unknown = {waiting.node}
    reporter.tell_due()
    changed.set_status(DeviceStatus.MAINTAINING)

    counts = site.database.read(placement_nodes.states)

    assert {str(state): count for state, count in counts.items() if count} == {"agrees": 1, "waiting": 1, "pending": 1}
