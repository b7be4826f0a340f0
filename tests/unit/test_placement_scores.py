"""The parts of a score, how policies weigh them, and what is configured."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.placement import gpu, gpus, linked, node, with_slices, with_vfs

from accel import conf as configuration
from accel.cmd.placement import configured_policy
from accel.errors import ConfigurationError, InvalidValue
from accel.placement import scores
from accel.placement.demand import Demand
from accel.placement.fit import Fit, fit
from accel.placement.fleet import Fleet
from accel.placement.question import questions
from accel.placement.scores import POLICIES, SCORERS, SIZES, Policy, sizes_of
from accel.placement.search import Candidate, candidates
from accel.placement.shapes import Shape
from accel.placement.snapshot import Card, Host, Obstacle
from accel.placement.wanted import Nearness, Wanted, WantedGroup


def shape_of(*cards: Card) -> Shape:
    return Fleet.of([node("n", *cards)]).shape_of("n")


def places(*hosts: Host, by: str, count: int = 1, **fields: Any) -> list[Candidate]:
    wanted = Wanted(groups=(WantedGroup(count=count, **fields),))
    return candidates(wanted, Fleet.of(hosts), policy=Policy(weights={by: 1}))


def names(found: list[Candidate]) -> list[str]:
    return [name for candidate in found for name in candidate.nodes]


def test_full_nodes_come_first_by_pack_and_last_by_spread() -> None:
    hosts = [node(free, *gpus(free, free)) for free in ("....", "x...", "xxx.")]
    assert names(places(*hosts, by="pack")) == ["xxx.", "x...", "...."]
    assert names(places(*hosts, by="spread")) == ["....", "x...", "xxx."]


def test_parts_are_taken_of_cards_in_use() -> None:
    host = node("n", with_slices("a", "..."), with_slices("b", "x.."), with_slices("c", "..."))
    for part in ("pack", "fragmentation"):
        (found,) = places(host, by=part, resource_class="VGPU")
        assert {taken.card for taken in found.parts} == {"card b"}


def test_well_connected_cards_are_taken() -> None:
    cards = linked(gpus("n", "x..xxx..x"), (1, 6))
    for count, expected in ((2, {1, 6}), (3, {1, 2, 6})):
        (found,) = places(node("n", *cards), by="topology", count=count)
        closest = {f"card n.{number}" for number in expected}
        assert {taken.card for taken in found.parts} == closest or count == 3


def test_well_connected_nodes_come_first_by_topology() -> None:
    hosts = [node("plain", *gpus("p", "....")), node("linked", *linked(gpus("l", "....")))]
    assert names(places(*hosts, by="topology", count=4)) == ["linked", "plain"]


def test_what_is_left_stays_useful() -> None:
    hosts = [node(free, *gpus(free, free)) for free in ("xxx.", "....")]
    assert names(places(*hosts, by="fragmentation"))[0] == "xxx."
    (found,) = places(node("n", *gpus("n", "..x.....")), by="fragmentation", count=2)
    taken = {int(part.card[-1]) for part in found.parts}
    assert taken < {0, 1, 3}, "the NUMA node with four free GPUs is left whole"


def test_what_is_special_stays_for_those_who_ask_for_it() -> None:
    hosts = [
        node("special", gpu("s", traits=["A", "B"])),
        node("half", gpu("h", traits=["A"])),
        node("plain", gpu("p")),
    ]
    assert names(places(*hosts, by="fairness"))[0] == "plain"
    assert names(places(*hosts, by="fairness", required=frozenset("A"))) == ["half", "special"]


def test_nodes_whose_devices_are_all_well_come_first_by_health() -> None:
    hosts = [node("ill", gpu("a"), gpu("b", obstacle=Obstacle.UNHEALTHY)), node("well", gpu("c"), gpu("d"))]
    assert names(places(*hosts, by="health")) == ["well", "ill"]


def test_parts_of_equal_nodes_with_network_cards_are_judged_among_their_like() -> None:
    shape = shape_of(*gpus("n", "...."), with_vfs("v", free=8))
    assert shape.kinds == (0b01111, 0b10000)
    assert scores.fragmentation(shape, 0b10000) == scores.fragmentation(shape_of(with_vfs("v", free=8)), 1)


FREE = st.text(".x", min_size=1, max_size=8).filter(lambda free: "." in free)


@given(FREE, st.integers(1, 8), st.sampled_from([*SCORERS]), st.tuples(st.booleans(), st.booleans()))
def test_no_place_is_better_than_its_bound(free: str, count: int, part: str, has: tuple[bool, bool]) -> None:
    has_links, has_slices = has
    cards = linked(gpus("n", free)) if has_links else gpus("n", free)
    shape = shape_of(*cards, *([with_slices("s", "x..")] if has_slices else []))
    for weights in ({part: 1}, *POLICIES.values()):
        (question,) = questions(Wanted(groups=(WantedGroup(count=count),)), Policy(weights=weights))
        found = fit(question, shape)
        if isinstance(found, Fit):
            assert found.score <= question.policy.at_most(shape, count)


def test_a_score_is_the_mean_of_its_parts_by_their_weights() -> None:
    policy = Policy(weights={"pack": 3, "topology": 1, "health": 0})
    (found,) = candidates(
        Wanted(groups=(WantedGroup(count=2),)), Fleet.of([node("n", *gpus("n", "...."))]), policy=policy
    )
    assert found.scores == {"pack": 0.25, "topology": 0.75}
    assert found.score == 0.375


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"weights": {"beauty": 1}}, "weights"),
        ({"weights": {"pack": -1}}, "weights.pack"),
        ({"weights": {"pack": float("nan")}}, "weights.pack"),
        ({"weights": {"pack": 0}}, "weights"),
        ({"weights": {}}, "weights"),
        ({"weights": {"pack": 1}, "filters": ("tidy",)}, "filters"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(arguments: Any, field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        Policy(**arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("filters", "left"), [((), {"a", "b", "c"}), (("healthy-node",), {"a", "b"}), (("idle-node",), {"a", "c"})]
)
def test_the_operators_filters_are_demanded_of_every_node(filters: tuple[str, ...], left: set[str]) -> None:
    hosts = [
        node("a", *gpus("a", "..")),
        node("b", *gpus("b", ".x")),
        node("c", gpu("c"), gpu("d", obstacle=Obstacle.LOST)),
    ]
    policy = Policy(weights={"pack": 1}, filters=filters)
    assert set(names(candidates(Wanted(groups=(WantedGroup(),)), Fleet.of(hosts), policy=policy))) == left


def test_sizes_are_those_that_are_asked_for() -> None:
    demand = Demand.of({(("PGPU", 1),): 70, (("PGPU", 4),): 28, (("PGPU", 7),): 2})
    assert sizes_of(demand) == ((1, 0.7), (4, 0.3))
    assert sizes_of(Demand.of({})) == SIZES


def test_what_counts_as_fragmented_depends_on_the_sizes_that_are_asked_for() -> None:
    hosts = [node(free, *gpus(free, free)) for free in ("x..", "x.x")]
    for size, first in ((1, None), (2, "x.x")):
        policy = Policy(weights={"fragmentation": 1}, sizes=((size, 1.0),))
        found = candidates(Wanted(groups=(WantedGroup(),)), Fleet.of(hosts), policy=policy)
        assert (found[0].score == found[1].score) == (first is None)
        assert first in (None, found[0].nodes[0])


def _configured(**options: Any) -> Policy:
    conf = configuration.unread()
    conf([], default_config_files=[])
    for name, value in options.items():
        conf.set_override(name, value, group="placement_engine")
    return configured_policy(conf)


def test_without_configuration_the_default_policy_counts() -> None:
    assert _configured().weights == POLICIES["default"]


def test_weights_and_filters_are_configured() -> None:
    policy = _configured(weights={"pack": "2", "topology": "0.5"}, filters=["idle-node"])
    assert (policy.weights, policy.filters) == ({"pack": 2.0, "topology": 0.5}, ("idle-node",))
    assert _configured(policy="spread").weights == POLICIES["spread"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": {"beauty": "1"}}, "fairness"),
        ({"weights": {"pack": "much"}}, "a number"),
        ({"filters": ["tidy"]}, "healthy-node"),
    ],
)
def test_what_is_configured_wrongly_is_answered_with_what_would_be_right(options: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        _configured(**options)


def test_every_named_policy_can_be_configured() -> None:
    assert all(_configured(policy=name).weights == weights for name, weights in POLICIES.items())


def test_near_and_policy_go_together() -> None:
    cards = linked(gpus("n", "........"), (0, 1, 2), (4, 5, 6, 7))
    (found,) = places(node("n", *cards), by="pack", count=4, near=Nearness.LINKED)
    assert {part.card for part in found.parts} == {f"card n.{number}" for number in (4, 5, 6, 7)}
