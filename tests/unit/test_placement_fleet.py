"""The index of the nodes by their shapes."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.placement import gpus, linked, node, with_vfs

from accel.placement.fleet import Fleet
from accel.placement.snapshot import Host

NAMES = st.sampled_from(["a", "b", "c", "d"])
HOSTS = st.builds(
    lambda name, free, labels, rack, is_online: node(
        name, *gpus(name, free), labels=labels, rack=rack, is_online=is_online
    ),
    NAMES,
    st.text(".x", min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["zone", "rack"]), st.sampled_from(["1", "2"])),
    st.sampled_from(["", "1", "2"]),
    st.booleans(),
)
STEPS = st.lists(HOSTS | NAMES, max_size=12)


def _contents(fleet: Fleet) -> Any:
    """All that a fleet says, free of what tells one index from another."""
    shapes = [(sorted(fleet.names_of(shape)), list(shape.offer.values())) for shape in fleet.shapes]
    offering = [
        sorted(name for shape in fleet.offering([spec]) for name in fleet.names_of(shape)) for spec in fleet.specs()
    ]
    labelled = [sorted(fleet.labelled({key: value})) for key in ("zone", "rack") for value in ("1", "2")]
    return dict(fleet.hosts), sorted(shapes), sorted(offering), labelled


def _play(fleet: Fleet, steps: Sequence[Host | str]) -> None:
    for step in steps:
        if isinstance(step, Host):
            fleet.replace(step)
        else:
            fleet.remove(step)


@given(STEPS)
def test_an_index_that_was_changed_is_equal_to_one_made_anew(steps: list[Host | str]) -> None:
    fleet = Fleet()
    _play(fleet, steps)
    assert _contents(fleet) == _contents(Fleet.of(fleet.hosts.values()))
    assert all(
        fleet.labelled(labels) == {host.name for host in fleet.hosts.values() if host.has_labels(labels)}
        for labels in ({"zone": "1"}, {"rack": "2"}, {"zone": "2", "rack": "1"}, {})
    )


@given(STEPS, STEPS, STEPS)
def test_a_copy_and_its_original_change_apart(
    before: list[Host | str], here: list[Host | str], there: list[Host | str]
) -> None:
    fleet = Fleet()
    _play(fleet, before)
    copy = fleet.copy()
    _play(fleet, here)
    _play(copy, there)
    expected = Fleet()
    _play(expected, [*before, *there])
    assert _contents(copy) == _contents(expected)
    assert _contents(fleet) == _contents(Fleet.of(fleet.hosts.values()))


def test_nodes_that_differ_in_names_and_labels_only_are_of_one_shape() -> None:
    fleet = Fleet.of(node(name, *linked(gpus(name, "..x.")), labels={"name": name}, rack=name) for name in "abc")
    assert [sorted(fleet.names_of(shape)) for shape in fleet.shapes] == [["a", "b", "c"]]


@pytest.mark.parametrize(
    "other",
    [
        node("b", *gpus("b", ".x..")),
        node("b", *linked(gpus("b", "..x."))),
        node("b", *gpus("b", "..x.", model="A100")),
        node("b", *gpus("b", "..x.", traits=["T"])),
        node("b", *gpus("b", "..x."), is_online=False),
        node("b", *gpus("b", "..x."), with_vfs("b", free=1)),
    ],
)
def test_nodes_that_placement_can_tell_apart_are_of_different_shapes(other: Host) -> None:
    assert len(Fleet.of([node("a", *gpus("a", "..x.")), other]).shapes) == 2


def test_full_nodes_and_those_that_are_not_online_offer_nothing() -> None:
    fleet = Fleet.of([node("full", *gpus("full", "xx")), node("away", *gpus("away", ".."), is_online=False)])
    assert len(fleet.shapes) == 2
    assert not list(fleet.specs())


def test_each_start_gives_all_nodes_in_an_order_of_its_own() -> None:
    fleet = Fleet.of(node(f"n{number}", *gpus("n", "..")) for number in range(50))
    (shape,) = fleet.shapes
    orders = {tuple(fleet.ring(shape, start << 58)) for start in range(64)}
    assert all(sorted(order) == sorted(fleet.hosts) for order in orders)
    assert len(orders) > 20
