"""Whatever happens to nodes, to conductors and to a real OpenStack Placement, in whatever order: both agree in the end.

Cards come, go, fail, are cut, disabled and held; Nova allocates and frees; Placement is cut off and falls over;
conductors die between any two of their requests.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random as Chance
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select
from support import holding
from support.databases import migrated
from support.openstack_placement import RealPlacement, Refusal, connected, running_placement
from support.pretend_placement import TERMS, recorded, reporter_of
from support.reports import card, child, gpu, pci_handle
from support.site import Site
from support.waiting import until

from accel import conf as configuration
from accel.cmd.conductor_parts import make_reporter
from accel.conductor.manager import Limits, Manager
from accel.conductor.placement import Placement, connect
from accel.conductor.providers import Reconciler
from accel.db.engine import Database
from accel.db.tables import AttachHandle, Deployable, Holder
from accel.errors import Conflict
from accel.model.attribute import resource_class, traits
from accel.model.device import Device, Health
from accel.model.node import DeviceStatus
from accel.model.provider import OWNER_TRAIT

MARKS = frozenset({OWNER_TRAIT})
CLASSES = ("PGPU", "CUSTOM_CARD")
SLOTS = range(1, 4)
STEPS = 40


class DeathError(Exception):
    """Of a conductor."""


class Mortal(Placement):
    """The Placement of a conductor that dies right before or right after one of its requests."""

    def __init__(self, client: Placement, requests: int, *, is_after: bool) -> None:
        super().__init__(client._adapter)
        self.left = requests
        self.is_after = is_after

    def _ask(self, *asked: Any, **more: Any) -> Any:
        self.left -= 1
        if self.left < 0 and not self.is_after:
            raise DeathError
        answer = super()._ask(*asked, **more)
        if self.left < 0:
            raise DeathError
        return answer


@dataclass
class History:
    """Two nodes, a conductor, Nova and chance."""

    database: Database
    real: RealPlacement
    client: Placement
    chance: Chance
    sites: list[Site] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)
    servers: dict[str, str] = field(default_factory=dict)
    """What Nova's servers have: providers by consumer."""

    def __post_init__(self) -> None:
        first = Site(self.database)
        self.sites = [first, replace(first, name=f"{first.name}b")]
        self.reporter = self.conductor(self.client)

    def conductor(self, client: Placement) -> Any:
        terms = replace(TERMS, marks=MARKS)
        return reporter_of(self.database, Reconciler(client), self.sites[0].clock, terms=terms)

    # --- what happens ---

    def boot(self, site: Site) -> None:
        """nova-compute starts on the node, the first time."""
        if site.node not in self.roots:
            self.roots[site.node] = self.real.boot_node(site.node)

    def report(self, site: Site) -> None:
        slots = [slot for slot in SLOTS if self.chance.random() < 0.7]
        site.report(*(self._card(site, slot) for slot in slots))

    def _card(self, site: Site, slot: int) -> Device:
        name, kinds = f"{site.name}_{slot}", [resource_class(self.chance.choice(CLASSES))]
        kinds += traits(self.chance.sample(["CUSTOM_A", "CUSTOM_B", "HW_GPU_API_VULKAN"], self.chance.randrange(3)))
        if self.chance.random() < 0.3:
            parts = [card(slot, name=name, num_accelerators=0, handles=())]
            parts += [child(slot, n, name=f"{name}_mig{n}", parent=name) for n in range(self.chance.randrange(1, 3))]
        else:
            handles = tuple(pci_handle(slot, number) for number in range(self.chance.randrange(1, 4)))
            parts = [card(slot, name=name, num_accelerators=len(handles), handles=handles)]
        parts[0] = replace(parts[0], attributes=tuple(kinds))
        identity = f"GPU-{name}-{self.chance.randrange(2)}"
        is_well = self.chance.random() < 0.8
        health = {} if is_well else {"health": Health.UNHEALTHY, "reason": "hot"}
        return gpu(slot, identity=identity, deployables=tuple(parts), **health)

    def switch(self, site: Site) -> None:
        """An operator disables a device, or enables it."""
        found = site.database.read(lambda connection: connection.scalars(select(Deployable.name)).all())
        names = [name for name in found if name.startswith(f"{site.name}_") and "mig" not in name]
        if names:
            device = (
                site.device(int(self.chance.choice(names).rsplit("_", 1)[1])) if len(set(names)) == len(names) else ""
            )
            if device:
                site.set_status(self.chance.choice(list(DeviceStatus)), device=device)

    def hold(self, site: Site) -> None:
        """Somebody whom Nova has not sent takes a handle, or one of them gives it back."""
        with self.database.writer() as connection:
            held = list(connection.scalars(select(Holder.uuid)))
            free = list(connection.scalars(select(AttachHandle.uuid)))
            if held and self.chance.random() < 0.5:
                holding.release(connection, self.chance.choice(held), now=site.clock())
                return
            kind = self.chance.choice(["reservation", "pod"])
            try:
                if free:
                    uuid = self.chance.choice(free)
                    holding.hold(connection, uuid, kind=kind, name="x", project_id=None, now=site.clock())
            except Conflict:
                pass

    def allocate(self, _site: Site) -> None:
        """Nova schedules a server onto what it is offered."""
        ours = {row for root in self.roots.values() for row in self.real.below(root)}
        for name in CLASSES:
            for provider in sorted(self.real.candidates(name) & ours)[:1]:
                self.servers[self.real.allocate(provider, name)] = provider

    def free(self, _site: Site) -> None:
        """Nova deletes a server."""
        if self.servers:
            consumer = self.chance.choice(sorted(self.servers))
            del self.servers[consumer]
            self.real.free(consumer)

    def cut(self, _site: Site) -> None:
        """The network between conductors and Placement breaks."""
        self.real.way.cut()

    def mend(self, _site: Site) -> None:
        self.real.way.mend()

    def meddle(self, _site: Site) -> None:
        """Somebody else changes a provider of ours."""
        ours = sorted(row for root in self.roots.values() for row in self.real.below(root))
        if ours:
            try:
                self.real.set_inventories(self.chance.choice(ours), VCPU=2)
            except Refusal:
                return  # something is allocated of what would go

    def tell(self, _site: Site) -> None:
        self.reporter.tell_due()

    def die(self, _site: Site) -> None:
        """The conductor dies somewhere in between; another one takes its place."""
        mortal = Mortal(self.client, self.chance.randrange(6), is_after=self.chance.random() < 0.5)
        try:
            self.conductor(mortal).tell_due()
        except DeathError:
            self.reporter = self.conductor(self.client)

    def wait(self, site: Site) -> None:
        """Time passes, and what has been lost for long is removed."""
        site.clock.pass_(minutes=self.chance.choice([1, 20, 90]))
        Manager(self.database, site.clock, Limits()).remove_expired_devices()

    # --- what must hold ---

    def settle(self) -> None:
        """Everybody is there again and has all the time of the world."""
        self.real.way.mend()
        for site in self.sites:
            self.boot(site)
        for _ in range(3):
            self.sites[0].clock.pass_(seconds=TERMS.compare_interval.total_seconds())
            self.reporter.tell_due()

    def check_servers(self) -> None:
        """No server has lost what was allocated for it, and nothing more can be allocated of what is gone."""
        for consumer, provider in self.servers.items():
            assert self.real.call("GET", f"/allocations/{consumer}")["allocations"].keys() == {provider}
        for site in self.sites:
            wanted = recorded(self.database, site.node, marks=MARKS)
            for uuid, there in self.real.below(self.roots[site.node]).items():
                for name, inventory in there.inventories.items():
                    expected = wanted[uuid].inventories.get(name) if uuid in wanted else None
                    assert inventory == expected or inventory.reserved == inventory.total

    def check(self) -> None:
        """Both sides are equal."""
        for site in self.sites:
            assert self.real.below(self.roots[site.node]) == recorded(self.database, site.node, marks=MARKS)


ACTS = {
    History.report: 6,
    History.switch: 3,
    History.hold: 4,
    History.allocate: 4,
    History.free: 2,
    History.boot: 2,
    History.cut: 2,
    History.mend: 3,
    History.meddle: 1,
    History.tell: 8,
    History.die: 3,
    History.wait: 2,
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPlacement]:
    with running_placement(tmp_path_factory.mktemp("placement")) as placement:
        for name in CLASSES:
            if name.startswith("CUSTOM_"):
                placement.call("PUT", f"/resource_classes/{name}")
        yield placement


@pytest.mark.parametrize("seed", range(4))
def test_in_the_end_both_sides_are_equal_and_no_allocation_was_lost(
    seed: int, real: RealPlacement, tmp_path: Path
) -> None:
    with migrated("sqlite", tmp_path) as database:
        history = History(database, real, connected(tmp_path, real.section()), Chance(seed))  # noqa: S311 - the same history for the same seed
        acts = history.chance.choices(list(ACTS), list(ACTS.values()), k=STEPS)
        for act in acts:
            act(history, history.chance.choice(history.sites))
        history.settle()
        history.check_servers()
        for consumer in history.servers:
            real.free(consumer)
        history.settle()
        history.check()


def test_what_changes_while_placement_has_fallen_over_is_told_when_it_is_back(
    real: RealPlacement, tmp_path: Path
) -> None:
    with migrated("sqlite", tmp_path) as database:
        history = History(database, real, connected(tmp_path, real.section()), Chance(0))  # noqa: S311 - the same each time
        for site in history.sites:
            history.boot(site)
            history.report(site)
        history.reporter.tell_due()
        real.stop()
        for site in history.sites:
            history.report(site)
        history.reporter.tell_due()
        real.start()
        history.settle()
        history.check()


def test_a_conductor_tells_placement_as_it_is_configured(real: RealPlacement, tmp_path: Path) -> None:
    file = tmp_path / "accel.conf"
    file.write_text(real.section(owner_trait=False))
    conf = configuration.load([], prog="test", default_config_files=[str(file)])
    with migrated("sqlite", tmp_path) as database:
        site = Site(database, clock=lambda: datetime.now(UTC))  # type: ignore[arg-type]
        root = real.boot_node(site.node)
        reporter = make_reporter(database, connect(conf), conf, Event())
        assert reporter is not None
        reporter.start()
        site.report(site.gpu(1), site.gpu(2))
        until(lambda: real.below(root) == recorded(database, site.node))
        reporter.stop()
        assert not reporter.has_failed
