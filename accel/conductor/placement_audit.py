"""Compares what OpenStack Placement has with what is recorded, both wholly, and makes Placement agree where asked.

Nothing remembered is believed: every provider is read anew. All that there are is one request, what is in each of them
and allocated of it is three, so of a very large fleet each audit looks at some nodes, by chance, for as long as whoever
wants it can wait.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from accel.conductor.placement import CUSTOM, Placement, ProviderRow, Raced
from accel.conductor.reporter import Reporter
from accel.db import placement_nodes, providers
from accel.db.engine import Connection, Database
from accel.db.providers import BoundRequest
from accel.model.audit import MENDS, Audit, AuditWanted, Finding, FindingKind
from accel.model.provider import (
    Create,
    Known,
    Provider,
    Remove,
    Seen,
    differences,
    is_ours,
    plan,
    wanted,
)

_LOG = logging.getLogger(__name__)
_PATIENCE = timedelta(seconds=20)
_AT_ONCE = 20
"""So many nodes are read of the database at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """What is recorded of a node."""

    name: str
    uuid: str
    wanted: Mapping[str, Provider]
    known: Known
    bound: tuple[BoundRequest, ...]


class _There:
    """All providers that there are."""

    def __init__(self, rows: Iterable[ProviderRow]) -> None:
        self.roots: dict[str, str] = {}
        """The UUIDs of those that are below none, by name."""
        self.trees: dict[str, list[ProviderRow]] = {}
        """Those that are below one, by the UUID of the root."""
        for row in rows:
            if row.uuid == row.root:
                self.roots[row.name] = row.uuid
            else:
                self.trees.setdefault(row.root, []).append(row)


class PlacementAuditor:
    """One audit after the other, while everything goes on.

    :param reporter: makes Placement agree about a node
    :param clock: tells the time, with zone
    """

    def __init__(
        self, database: Database, placement: Placement, reporter: Reporter, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._placement = placement
        self._reporter = reporter
        self._clock = clock
        self._chance = Random()  # noqa: S311 - nobody gains by guessing which nodes are looked at first

    def audit(self, wanted: AuditWanted) -> Audit:
        """What does not agree, and if that is wanted, what of it is mended.

        :raises PlacementUnavailable: it does not answer; some of it may be mended
        :raises DatabaseUnavailable: the same
        """
        names = self._database.read(placement_nodes.names)
        found, left_out = self._find(names)
        if not wanted.fix:
            return Audit(findings=tuple(found), left_out=left_out)
        to_mend = sorted({one.node for one in found if one.node is not None and MENDS[one.kind] is not None})
        for node in to_mend:
            self._reporter.tell(node)
        left = [one for one in found if one.node not in to_mend]
        if to_mend:
            left += [one for one in self._find(to_mend)[0] if one.node is not None]
        still = {(one.kind, one.subject) for one in left}
        mended = [replace(one, is_mended=True) for one in found if (one.kind, one.subject) not in still]
        return Audit(findings=(*mended, *left), left_out=left_out)

    def _find(self, names: list[str]) -> tuple[list[Finding], tuple[str, ...]]:
        there = _There(self._placement.providers())
        found = list(_orphans(there, set(self._database.read(placement_nodes.names))))
        until = self._clock() + _PATIENCE
        names = list(names)
        self._chance.shuffle(names)
        for begin in range(0, len(names), _AT_ONCE):
            for node in self._recorded(names[begin : begin + _AT_ONCE]):
                if self._clock() >= until:
                    said = f"nodes: {begin} of {len(names)} or a few more were compared, by chance; audit again"
                    return found, (said,)
                found += self._compared(node, there)
        return sorted(found, key=lambda one: (one.node or "", one.kind, one.subject)), ()

    def _recorded(self, names: list[str]) -> list[_Node]:
        def read(connection: Connection) -> list[_Node]:
            parts, uuids = providers.load(connection, names), providers.node_uuids(connection, names)
            known, bound = placement_nodes.remembered(connection, names), providers.bound(connection, names)
            rows = {name: wanted(parts.get(name, []), marks=self._reporter.marks) for name in uuids}
            return [
                _Node(
                    name=name,
                    uuid=uuids[name],
                    wanted=rows[name],
                    known=known[name],
                    bound=tuple(one for one in bound if one.provider in rows[name]),
                )
                for name in uuids
            ]

        return self._database.read(read)

    def _compared(self, node: _Node, there: _There) -> Iterator[Finding]:
        root = there.roots.get(node.name)
        if root is None:
            if node.wanted:
                text = f"Placement has no provider named {node.name}, so none of its {len(node.wanted)} deployables"
                yield Finding(kind=FindingKind.NODE_UNKNOWN, subject=node.uuid, node=node.name, text=text)
            return
        ours = [
            row
            for row in there.trees.get(root, [])
            if row.uuid in node.wanted or row.uuid in node.known.providers or is_ours(row.uuid, row.name)
        ]
        try:
            seen = {row.uuid: self._seen(row, node.known) for row in ours}
            consumers = {row.uuid: self._placement.allocations(row.uuid) for row in ours}
        except Raced as error:
            _LOG.info("node %s is being changed in Placement while it is audited: %s", node.name, error)
            return
        yield from _of_providers(node, self._usable(node), seen, root)
        yield from _of_allocations(node, consumers)

    def _usable(self, node: _Node) -> dict[str, Provider]:
        """What is wanted, without standard traits that this Placement is too old for."""
        traits = frozenset[str]().union(*(provider.traits for provider in node.wanted.values()))
        standard = {name for name in traits if not name.startswith(CUSTOM)}
        unknown = self._placement.unknown_traits(standard)
        return {uuid: replace(one, traits=one.traits - unknown) for uuid, one in node.wanted.items()}

    def _seen(self, row: ProviderRow, known: Known) -> Seen:
        before = known.providers.get(row.uuid)
        return self._placement.seen(row, before.ours if before is not None else frozenset())


def _of_providers(
    node: _Node, usable: Mapping[str, Provider], seen: Mapping[str, Seen], root: str
) -> Iterator[Finding]:
    steps = plan(usable, seen, root=root)
    for step in steps:
        match step:
            case Create():
                text = f"deployable {step.name} has none"
                yield Finding(kind=FindingKind.PROVIDER_MISSING, subject=step.uuid, node=node.name, text=text)
            case Remove():
                text = f"{step.name} is no deployable of the node"
                yield Finding(kind=FindingKind.PROVIDER_SURPLUS, subject=step.uuid, node=node.name, text=text)
    for uuid, text in differences(steps).items():
        if uuid in seen:
            named = f"{usable[uuid].name}: {text}"
            yield Finding(kind=FindingKind.PROVIDER_DIFFERS, subject=uuid, node=node.name, text=named)


def _of_allocations(node: _Node, consumers: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Iterator[Finding]:
    bound = {(one.provider, one.instance) for one in node.bound}
    for provider, allocations in consumers.items():
        for consumer, resources in allocations.items():
            if (provider, consumer) not in bound:
                amount = ", ".join(f"{count} {name}" for name, count in sorted(resources.items()))
                text = f"it has {amount} of provider {provider} and no bound request: Nova is at it, or has lost it"
                kind = FindingKind.ALLOCATION_WITHOUT_REQUEST
                yield Finding(kind=kind, subject=consumer, node=node.name, text=text)
    for one in node.bound:
        if one.instance not in consumers.get(one.provider, {}):
            yield Finding(
                kind=FindingKind.REQUEST_WITHOUT_ALLOCATION,
                subject=one.uuid,
                node=node.name,
                project_id=one.project_id,
                text=f"it is bound for instance {one.instance}, which has nothing of provider {one.provider}",
            )


def _orphans(there: _There, names: set[str]) -> Iterator[Finding]:
    known = {uuid for name, uuid in there.roots.items() if name in names}
    for root, rows in there.trees.items():
        for row in rows if root not in known else ():
            if is_ours(row.uuid, row.name):
                text = f"{row.name} is below provider {root}, which is none of our nodes"
                yield Finding(kind=FindingKind.PROVIDER_ORPHANED, subject=row.uuid, text=text)
