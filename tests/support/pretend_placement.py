"""A Placement in memory, for tests of who tells it when: what it is told of a node is what it has."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Event, Lock

from accel.conductor.placement import Refused
from accel.conductor.providers import Outcome, Reconciler, RootMissing
from accel.conductor.reporter import Reporter, Terms
from accel.db import providers
from accel.db.engine import Database
from accel.errors import PlacementUnavailable
from accel.model.provider import Known, Provider, Seen, wanted

TERMS = Terms(lease=timedelta(minutes=2), longest_pause=timedelta(seconds=8), compare_interval=timedelta(hours=1))


class PretendPlacement(Reconciler):
    """Agrees with whatever it is told, unless a test says otherwise."""

    def __init__(self) -> None:
        self.has: dict[str, dict[str, Provider]] = {}
        """By node."""
        self.told: list[str] = []
        """The nodes that somebody wanted to tell of, in order."""
        self.is_away = False
        self.unknown: set[str] = set()
        self.refuses: set[str] = set()
        self.keeps: set[str] = set()
        self.meanwhile: Callable[[str], None] = lambda _node: None
        """What happens after it is told and before whoever has told hears of it."""
        self._lock = Lock()

    def agree(self, node: str, wanted: Mapping[str, Provider], known: Known) -> Outcome:  # noqa: ARG002 - as the real one
        """Have it."""
        self.told.append(node)
        if self.is_away:
            raise PlacementUnavailable("nobody answers")
        if node in self.unknown:
            raise RootMissing(f"no provider named {node}")
        if node in self.refuses:
            raise Refused("no")
        with self._lock:
            self.has[node] = dict(wanted)
        self.meanwhile(node)
        seen = {
            one.uuid: Seen(
                uuid=one.uuid,
                name=one.name,
                parent=node,
                generation=1,
                inventories=one.inventories,
                traits=one.traits,
                ours=one.traits,
            )
            for one in wanted.values()
        }
        return Outcome(known=Known(root=node, providers=seen), kept=("something",) if node in self.keeps else ())


def reporter_of(
    database: Database, placement: Reconciler, clock: Callable[[], datetime], *, terms: Terms = TERMS
) -> Reporter:
    """A conductor's reporter."""
    return Reporter(database, placement, clock, terms, stop=Event())


def recorded(database: Database, node: str, *, marks: frozenset[str] = frozenset()) -> dict[str, Provider]:
    """The providers that a node should have, by the record."""
    parts = database.read(lambda connection: providers.load(connection, [node]))
    return wanted(parts.get(node, []), marks=marks)
