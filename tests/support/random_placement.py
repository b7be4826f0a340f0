"""Small fleets and questions about them, at random: small enough to try all that can be taken."""

from dataclasses import replace
from itertools import combinations
from typing import Any

from hypothesis import strategies as st
from support.placement import card, node, unit

from accel.errors import InvalidValue
from accel.placement.comparison import read_comparison
from accel.placement.snapshot import Host, Obstacle
from accel.placement.wanted import DIFFERENT_NODE, Nearness, Together, Wanted, WantedGroup

TRAITS = st.sampled_from([frozenset(), frozenset("T"), frozenset("U"), frozenset("TU"), frozenset("TU")])


def seldom(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Mostly the usual value: where everything is asked for at once, nothing ever fits."""
    return st.sampled_from([usual] * 5 * len(others) + list(others))


COMPARISONS = ["memory >= 80", "memory < 80", "model ~ h1", "model = A100", "kind != card", "type = GPU"]


@st.composite
def hosts(draw: st.DrawFn, name: str) -> Host:
    units = st.tuples(
        seldom("A", "B"),
        TRAITS,
        seldom({"memory_bytes": "80"}, {}, {"memory_bytes": "40"}),
        st.sampled_from([0, 1, 1, 1, 2]),
        st.integers(0, 1),
        seldom(Obstacle.NONE, Obstacle.LOST),
    )
    count = draw(st.integers(2, 4))
    links = draw(st.sets(st.sampled_from([*combinations(range(4), 2)])))
    made = []
    for number in range(count):
        parts = draw(st.lists(units, min_size=1, max_size=2))
        about = {
            "obstacle": draw(seldom(Obstacle.NONE, Obstacle.DISABLED)),
            "numa_node": draw(st.sampled_from([None, 0, 0, 1])),
            "pci_path": ("pci0000:00", draw(st.sampled_from(["s0", "s1"])), f"port {number}"),
            "model": draw(st.sampled_from(["H100", "A100"])),
            "links": {f"card {name}{b}": 1 for a, b in links if a == number},
        }
        own = [
            unit(
                f"{name}{number}{place}",
                resource_class=rc,
                traits=traits,
                figures=figures,
                free=free,
                held=held,
                obstacle=lost,
            )
            for place, (rc, traits, figures, free, held, lost) in enumerate(parts)
        ]
        made.append(card(f"{name}{number}", *own, **about))
    labels = draw(st.dictionaries(st.just("zone"), st.sampled_from(["1", "2"])))
    return node(name, *made, labels=labels, is_online=draw(st.integers(0, 9)) > 0)


@st.composite
def fleets(draw: st.DrawFn) -> list[Host]:
    some = [draw(hosts(name)) for name in "ab"[: draw(st.integers(1, 2))]]
    twin = replace(some[0], name="c")  # of the same shape, with the same handles: it cannot be told apart but by name
    return [*some, twin] if draw(st.booleans()) else some


@st.composite
def questions(draw: st.DrawFn) -> Wanted:
    count = draw(st.sampled_from([1, 1, 2, 2, 3]))
    groups = tuple(
        WantedGroup(
            count=draw(st.sampled_from([1, 1, 2] if count > 1 else [1, 2, 2, 3, 4])),
            resource_class=draw(seldom("A", None, "B")),
            required=draw(seldom(frozenset(), frozenset("T"))),
            forbidden=draw(seldom(frozenset(), frozenset("U"))),
            any_of=draw(seldom((), (frozenset("TU"),))),
            comparisons=tuple(map(read_comparison, draw(seldom([], *([one] for one in COMPARISONS))))),
            near=draw(st.sampled_from(Nearness)),
        )
        for _ in range(count)
    )
    members = st.lists(st.integers(0, count - 1), min_size=1, unique=True).map(tuple)
    ties = st.builds(
        lambda groups, near: Together(groups=groups, near=near), members, st.sampled_from([*Nearness, DIFFERENT_NODE])
    )
    try:
        return Wanted(
            groups=groups,
            together=tuple(draw(st.lists(ties, max_size=2))),
            nodes=draw(st.sampled_from([1, 1, 1, 2])),
            labels=draw(seldom({}, {"zone": "1"})),
            exclude_nodes=draw(seldom(frozenset(), frozenset("a"))),
        )
    except InvalidValue:
        return Wanted(groups=groups)
