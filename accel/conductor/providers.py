"""Makes what OpenStack Placement has of one node agree with what is recorded of it: ``accel.model.provider`` says how.

Placement is asked first for the providers below the node's, with their generations: what has the generation with which
it was seen last is as it was then, and is not read again. Whoever else changes a provider meanwhile is noticed by its
generation, and everything is looked at anew.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from accel.conductor.placement import Allocated, NameTaken, Placement, ProviderRow, Raced, Refused
from accel.errors import AccelError
from accel.model.provider import (
    Create,
    Inventory,
    Known,
    Provider,
    Remove,
    Rename,
    Seen,
    SetInventories,
    SetTraits,
    Step,
    is_ours,
    plan,
)

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 8
"""So often a node is looked at anew when somebody else changes its providers at the same time."""


class RootMissing(AccelError):
    """Placement has no provider for the node itself."""

    code = "accel.placement_root_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    known: Known
    kept: tuple[str, ...] = ()
    """What is not as it should be because something of it is allocated, in words."""


@dataclass(slots=True, kw_only=True)
class _Tree:
    """The providers of a node while they are changed."""

    root: str
    seen: dict[str, Seen]
    kept: list[str] = field(default_factory=list)

    def has(self, uuid: str, generation: int, inventories: Mapping[str, Inventory]) -> None:
        self.seen[uuid] = replace(self.seen[uuid], generation=generation, inventories=dict(inventories))


class Reconciler:
    """Makes Placement agree, node by node."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement

    def look(self, node: str, wanted: Mapping[str, Provider], known: Known) -> tuple[str, dict[str, Seen]]:
        """The UUID of a node's own provider, and those of ours below it as they are now.

        :param known: what is remembered of them
        :raises RootMissing: the node itself has none
        :raises Raced: somebody is changing one of them
        :raises PlacementUnavailable: Placement does not answer
        """
        root, rows = self._tree(node, known.root)
        ours = [
            row
            for row in rows
            if row.uuid != root and (row.uuid in wanted or row.uuid in known.providers or is_ours(row.uuid, row.name))
        ]
        return root, {row.uuid: self._seen(row, known.providers.get(row.uuid)) for row in ours}

    def agree(self, node: str, wanted: Mapping[str, Provider], known: Known) -> Outcome:
        """Make Placement agree.

        :param wanted: the providers that the node should have
        :param known: what is remembered of them
        :raises RootMissing: the node itself has no provider
        :raises Refused: Placement does not take it, or somebody changes the providers all the time
        :raises PlacementUnavailable: Placement does not answer
        """
        wanted = self._with_known_traits(node, wanted)
        for _ in range(_ATTEMPTS):
            try:
                return self._try(node, wanted, known)
            except Raced as error:
                _LOG.info("the providers of node %s are looked at again: %s", node, error)
                last = error
        raise Refused(f"somebody else changes the same providers all the time: {last}")

    def _try(self, node: str, wanted: Mapping[str, Provider], known: Known) -> Outcome:
        root, seen = self.look(node, wanted, known)
        tree = _Tree(root=root, seen=seen)
        for step in plan(wanted, seen, root=root):
            self._take(step, tree)
        return Outcome(known=Known(root=root, providers=tree.seen), kept=tuple(tree.kept))

    def _with_known_traits(self, node: str, wanted: Mapping[str, Provider]) -> dict[str, Provider]:
        """The same providers without traits that this Placement cannot give them."""
        traits = frozenset[str]().union(*(provider.traits for provider in wanted.values()))
        usable = self._placement.known_traits(traits)
        if usable != traits:
            unknown = ", ".join(sorted(traits - usable))
            _LOG.warning("Placement does not know the traits %s of node %s: it is older than they are", unknown, node)
        return {uuid: replace(provider, traits=provider.traits & usable) for uuid, provider in wanted.items()}

    def _tree(self, node: str, root: str | None) -> tuple[str, list[ProviderRow]]:
        """The provider of the node and all that is in its tree.

        One that is remembered is believed as long as it is there and has the node's name: a compute service that is
        deleted and comes back has another one.
        """
        if root is not None:
            rows = self._placement.providers(in_tree=root)
            if any((row.uuid, row.name) == (root, node) for row in rows):
                return root, rows
        named = self._placement.providers(name=node)
        if not named:
            raise RootMissing(f"Placement has no provider named {node}: nova-compute makes it when it starts there")
        return named[0].uuid, self._placement.providers(in_tree=named[0].uuid)

    def _seen(self, row: ProviderRow, known: Seen | None) -> Seen:
        if known is not None and known.generation == row.generation:
            return replace(known, name=row.name, parent=row.parent)
        return self._placement.seen(row, known.ours if known is not None else frozenset())

    def _take(self, step: Step, tree: _Tree) -> None:
        match step:
            case Create():
                self._create(step, tree)
            case Rename():
                row = self._place(step.uuid, step.name, tree.root if step.has_moved else None)
                now = replace(tree.seen[step.uuid], name=row.name, parent=row.parent, generation=row.generation)
                tree.seen[step.uuid] = now
            case SetTraits():
                self._set_traits(step, tree)
            case SetInventories():
                self._unless_allocated(step, tree, lambda: self._set_inventories(step.uuid, step.inventories, tree))
            case Remove():
                self._unless_allocated(step, tree, lambda: self._remove(step.uuid, tree))

    def _create(self, step: Create, tree: _Tree) -> None:
        """Make a provider; one that is in another tree is moved here: whose it is follows from its name."""
        try:
            row = self._placement.create(step.uuid, step.name, tree.root)
        except NameTaken:
            if not self._placement.providers(uuid=step.uuid):
                raise
            self._place(step.uuid, step.name, tree.root)
            raise Raced(f"provider {step.uuid} was elsewhere") from None
        tree.seen[step.uuid] = Seen(uuid=row.uuid, name=row.name, parent=row.parent, generation=row.generation)

    def _place(self, uuid: str, name: str, parent: str | None) -> ProviderRow:
        return self._placement.place(uuid, name, parent)

    def _set_traits(self, step: SetTraits, tree: _Tree) -> None:
        seen = tree.seen[step.uuid]
        generation = seen.generation
        if seen.traits != step.traits:
            generation = self._placement.set_traits(step.uuid, generation, step.traits)
        tree.seen[step.uuid] = replace(seen, generation=generation, traits=step.traits, ours=step.ours)

    def _set_inventories(self, uuid: str, inventories: Mapping[str, Inventory], tree: _Tree) -> None:
        if tree.seen[uuid].inventories != inventories:
            generation = self._placement.set_inventories(uuid, tree.seen[uuid].generation, inventories)
            tree.has(uuid, generation, inventories)

    def _remove(self, uuid: str, tree: _Tree) -> None:
        self._placement.remove(uuid)
        del tree.seen[uuid]

    def _unless_allocated(self, step: SetInventories | Remove, tree: _Tree, act: Callable[[], None]) -> None:
        """Do it; where something is allocated that would go, reserve that instead."""
        try:
            act()
        except Allocated:
            self._set_inventories(step.uuid, step.otherwise, tree)
            tree.kept.append(f"{step.name} (provider {step.uuid}) is gone or changed, and still allocated")
