"""Tells nodes with a kubelet that somebody has begun or ceased to hold something of theirs."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from accel.db import changed_nodes, heard, uses
from accel.db.changed_nodes import Position
from accel.db.engine import Connection, Database
from accel.rpc.agents import Agents


class Kubelets:
    """Follows history. Several conductors may: hearing it twice does no harm.

    :param clock: tells the time, with zone
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], agents: Agents) -> None:
        self._database = database
        self._clock = clock
        self._agents = agents
        self._position: Position | None = None

    def follow(self) -> None:
        """Look what has happened since the last time; on the nodes that it concerns, see to what pods use.

        Agents ask by themselves whenever they give a sign of life, so what is missed is heard then.

        :raises DatabaseUnavailable: it is looked for again
        """
        for node in self._database.read(self._changed):
            self._database.write(partial(self._settle, node=node))
            self._agents.holders_changed(node)

    def _changed(self, connection: Connection) -> list[str]:
        now = self._clock()
        if self._position is None:
            self._position = changed_nodes.now_at(connection, now=now)
            return []
        changes = changed_nodes.since(connection, self._position, now=now)
        self._position = changes.position
        return uses.with_kubelets(connection, changes.nodes | changes.occupied)

    def _settle(self, connection: Connection, *, node: str) -> None:
        if heard.lock(connection, node) is not None:
            uses.settle(connection, node, self._clock())
