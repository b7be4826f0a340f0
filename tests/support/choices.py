"""Claims of placement in tests of the database: what to take is chosen in the order of the rows."""

from collections.abc import Sequence
from typing import Any

from accel.db import fleet
from accel.db.engine import Database
from accel.db.taking import Chosen, NewClaim


def choose(database: Database, amount: int = 1, *, node: str = "", resource_class: str = "PGPU") -> list[Chosen]:
    """The first so many accelerators that are free, on a node or anywhere."""
    free = [
        Chosen(0, {f"resources:{unit.resource_class}": "1"}, unit.resource_class, host.name, handle.uuid)
        for host in database.read(lambda it: fleet.load(it, [node] if node else None))
        for card in host.cards
        for unit in card.units
        for handle in unit.free
        if unit.resource_class == resource_class
    ]
    assert len(free) >= amount
    return free[:amount]


def new_claim(project_id: str, **changed: Any) -> NewClaim:
    """A claim of a project; the same values are the same request."""
    values = {"user_id": "mia", "request": {"groups": [{"count": 1}]}, "request_hash": "0" * 64}
    return NewClaim(project_id=project_id, **(values | changed))


def nodes_of(chosen: Sequence[Chosen]) -> set[str]:
    """The names of the nodes that these are on."""
    return {one.node for one in chosen}
