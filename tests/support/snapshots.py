"""A snapshot of the fleet that is kept by what history tells, and what the database says is free."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import select
from support.clocks import Clock

from accel.db import changed_nodes, counts, fleet, occupancy
from accel.db.changed_nodes import Position
from accel.db.engine import Database
from accel.db.tables import AttachHandle, Deployable, Device, Holder
from accel.placement.snapshot import Host


@dataclass
class KeptSnapshot:
    """The nodes by name; only those that history tells of are read anew."""

    database: Database
    clock: Clock
    hosts: dict[str, Host] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._position: Position = self.database.read(lambda it: changed_nodes.now_at(it, now=self.clock()))
        self._put(self.database.read(fleet.load))

    def refresh(self) -> frozenset[str]:
        """Read what has changed; gives the names of those nodes."""
        changes = self.database.read(lambda it: changed_nodes.since(it, self._position, now=self.clock()))
        assert changes.position is not None
        self._position = changes.position
        if changes.nodes:
            self._put(self.database.read(lambda it: fleet.load(it, changes.nodes)))
        if changes.occupied:
            found = self.database.read(lambda it: occupancy.read(it, changes.occupied))
            self._put(occupancy.occupied(self.hosts[name], its) for name, its in found.items())
        return changes.nodes | changes.occupied

    def _put(self, hosts: Iterable[Host]) -> None:
        self.hosts |= {host.name: host for host in hosts}


def whole(database: Database) -> dict[str, Host]:
    """All nodes as they are, by name."""
    return {host.name: host for host in database.read(fleet.load)}


def free_in(hosts: Iterable[Host]) -> set[str]:
    """The UUIDs of all handles that a snapshot says may be taken, were all nodes online."""
    units = [(card, unit) for host in hosts for card in host.cards for unit in card.units]
    return {handle.uuid for card, unit in units if not (card.obstacle or unit.obstacle) for handle in unit.free}


def free_in_database(database: Database) -> set[str]:
    """The UUIDs of all handles that the lists of the API say are free."""
    query = (
        select(AttachHandle.uuid)
        .join_from(AttachHandle, Deployable, Deployable.id == AttachHandle.deployable_id)
        .join(Device, Device.id == Deployable.device_id)
        .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
        .where(counts.IS_FREE_OF_FEW)
    )
    with database.reader() as connection:
        return set(connection.scalars(query))
