"""What an explanation says to a person."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from support.placement import gpus, node, with_vfs

from accel.placement.explain import explain
from accel.placement.explanation import Explanation
from accel.placement.fleet import Fleet
from accel.placement.reading import of_body
from accel.placement.scores import DEFAULT
from accel.placement.snapshot import Card, Host, Obstacle
from accel.placement.words import short

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
H100 = {"resources": {"PGPU": 4}, "where": ["model ~ H100"]}


def ask(hosts: Iterable[Host], *groups: Mapping[str, Any], **more: Any) -> Explanation:
    return explain(of_body({"groups": groups, **more}), Fleet.of(hosts))


def leased(cards: tuple[Card, ...], number: int, until: datetime) -> tuple[Card, ...]:
    """The cards, of which one is held until some moment."""
    units = tuple(replace(unit, held_until=until) for unit in cards[number].units)
    return (*cards[:number], replace(cards[number], units=units), *cards[number + 1 :])


def broken(cards: tuple[Card, ...], number: int, obstacle: str, reason: str = "") -> tuple[Card, ...]:
    """The cards, one of which cannot be used."""
    return (*cards[:number], replace(cards[number], obstacle=obstacle, reason=reason), *cards[number + 1 :])


def test_the_nearest_miss_is_told_with_when_what_is_missing_is_given_back() -> None:
    hosts = [
        node("n6", *gpus("n6", "..xx..xx")),
        node("n7", *leased(gpus("n7", "x...xxxx"), 0, NOON)),
        node("n8", *gpus("n8", "x...xxxx")),
    ]

    explanation = ask(hosts, {**H100, "near": "numa"})

    assert short(explanation) == (
        "1 node has 4 H100 free, but no node has them on one NUMA node; the most is 3. "
        "The nearest is n7 with 3 of 4 H100 on one NUMA node; one is held until 2026-11-21T12:00:00+00:00. "
        "It would fit on 1 node without being on one NUMA node. It would fit on 3 nodes without anything being held."
    )


def test_who_holds_what_is_missing_is_told_in_the_words_that_the_caller_may_read() -> None:
    explanation = ask([node("n7", *gpus("n7", "x..."))], H100)

    assert "one is held." in short(explanation)
    assert "one is held by another project." in short(explanation, {"unit n7.0": "another project"})


def test_what_cannot_be_used_is_told_with_its_reason() -> None:
    cards = broken(gpus("n7", "...."), 2, Obstacle.UNHEALTHY, "ECC errors")

    explanation = ask([node("n7", *cards)], H100)

    assert short(explanation) == (
        "No node has 4 H100 free; the most on one is 3. "
        "The nearest is n7 with 3 of 4 H100; one is unhealthy (ECC errors). "
        "It would fit on 1 node with 3 H100 in place of 4. "
        "It would fit on 1 node without any device being lost, disabled or not healthy."
    )


def test_what_is_missing_for_the_same_reason_is_told_once() -> None:
    explanation = ask([node("n7", *gpus("n7", ".xxxxxxx"))], {"resources": {"PGPU": 8}})

    assert "with 1 of 8 PGPU; 7 are held." in short(explanation)


def test_what_is_missing_for_many_reasons_is_told_in_short() -> None:
    cards = gpus("n7", ".xx.....")
    for number, reason in enumerate(["ECC errors", "XID 79", "ECC errors", "too hot", "XID 48"], start=3):
        cards = broken(cards, number, Obstacle.UNHEALTHY, reason)

    explanation = ask([node("n7", *cards)], {"resources": {"PGPU": 8}})

    assert (
        "with 1 of 8 PGPU; 2 are held, 2 are unhealthy (ECC errors), one is unhealthy (XID 79), 2 more cannot be taken."
    ) in short(explanation)


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ({"groups": [{"resources": {"FPGA": 1}}]}, "resource_class", "Of 9 devices on 2 nodes, none offers FPGA."),
        (
            {"groups": [{"resources": {"PGPU": 1}, "required": ["B", "A"], "forbidden": ["C"]}]},
            "trait",
            "Of 8 devices on 1 node, none has A and B without C.",
        ),
        (
            {"groups": [{"count": 1, "any_of": [["B", "A"]]}]},
            "any_of",
            "Of 9 devices on 2 nodes, none has one of A, B.",
        ),
        (
            {"groups": [{"count": 1, "where": ["memory >= 1TiB", "type = GPU"]}]},
            "where",
            "Of 9 devices on 2 nodes, none has memory_bytes >= 1TiB and type = GPU.",
        ),
        (
            {"groups": [{"resources": {"SRIOV_NET_VF": 1}}]},
            "held",
            "Of 1 device with SRIOV_NET_VF on 1 node, none is free (1 held).",
        ),
        (
            {"groups": [{"resources": {"PGPU": 9}}]},
            "too_large",
            "No node has 9 PGPU, free or not; the most on one is 8, of which 7 are free.",
        ),
        ({"groups": [{"resources": {"PGPU": 8}}]}, "too_few_free", "No node has 8 PGPU free; the most on one is 7."),
        (
            {"groups": [{"resources": {"PGPU": 5}, "near": "numa"}]},
            "not_near",
            (
                "1 node has 5 PGPU free, but no node has them on one NUMA node; the most is 4. "
                "Nor would it be otherwise if all were free."
            ),
        ),
        (
            {"groups": [{"resources": {"PGPU": 1}}], "labels": {"zone": "b", "rack": "r1"}},
            "label",
            "Of 2 nodes online, none has rack=r1 and zone=b.",
        ),
        (
            {"groups": [{"resources": {"PGPU": 1}}], "exclude_nodes": ["n1", "n2"]},
            "excluded",
            "Of 2 nodes left, all are excluded by the question.",
        ),
        (
            {"groups": [{"resources": {"PGPU": 1}}], "nodes": 3},
            "too_few_nodes",
            "3 nodes are wanted, and it fits on 1.",
        ),
        (
            {"groups": [{"resources": {"PGPU": 4}}, {"resources": {"PGPU": 4}, "where": ["model ~ H100"]}]},
            "too_few_free",
            "Of 1 node, none has enough free for all groups at once, though some have for each alone.",
        ),
        (
            {"groups": [{"resources": {"PGPU": 1}}, {"resources": {"SRIOV_NET_VF": 1}}]},
            "resource_class",
            "On 2 nodes there is something for some groups, and for all of them on none.",
        ),
    ],
)
def test_the_blocker_is_told_with_figures(body: Mapping[str, Any], code: str, text: str) -> None:
    hosts = [node("n1", *gpus("n1", ".......x")), node("n2", with_vfs("n2", free=0, held=4))]

    blocker = explain(of_body(body), Fleet.of(hosts)).blocker

    assert blocker is not None
    assert (blocker.code, blocker.text) == (code, text)


def test_a_node_that_has_enough_and_not_as_near_as_it_is_wanted_is_short_of_no_number() -> None:
    groups = ({"resources": {"PGPU": 2}}, {"resources": {"PGPU": 2}})
    hosts = [node("n1", *gpus("n1", ".x.x..")), node("n2", *gpus("n2", ".xx"))]

    explanation = ask(hosts, *groups, together=[{"groups": [0, 1], "near": "numa"}])

    assert explanation.nearest is None
    assert short(explanation).startswith(
        "Of 1 node with enough for each group, none has it as near as the groups are to be to one another."
    )


def test_a_fleet_without_nodes_is_told() -> None:
    assert short(ask([], H100)) == "There are no nodes. Nothing that is left out alone would help."


def test_silent_nodes_are_told() -> None:
    explanation = ask([node("n1", *gpus("n1", "...."), is_online=False)], H100)

    assert short(explanation) == "Of 1 node, none is online. It would fit on 1 node without any node being silent."


def test_the_filters_of_the_operator_are_told() -> None:
    fleet = Fleet.of([node("n1", *gpus("n1", "....x"))])

    explanation = explain(of_body({"groups": [H100]}), fleet, policy=replace(DEFAULT, filters=("idle-node",)))

    assert explanation.blocker is not None
    assert explanation.blocker.text == "Of 1 node left, none passes the filters that the operator has set: idle-node."
    assert [one.relaxation.code for one in explanation.counterfactuals] == ["released", "everything"]


def test_what_fits_is_told() -> None:
    assert short(ask([node("n1", *gpus("n1", "...."))], H100)) == "It fits on 1 node."


def test_each_step_tells_why_it_has_stopped_what_it_has_stopped() -> None:
    cards = broken(gpus("n1", ".x.....", traits=["A"]), 2, Obstacle.DISABLED)
    hosts = [node("n1", *cards), node("n2", *gpus("n2", "..")), node("n3", is_online=False)]

    explanation = ask(hosts, {"resources": {"PGPU": 6}, "required": ["A"]})

    told = {
        passed.filter: (passed.nodes, passed.devices, [(reason.count, reason.text) for reason in passed.reasons])
        for passed in explanation.steps
    }
    assert told["online"] == (2, 9, [(1, "is offline")])
    assert told["class"] == (2, 9, [])
    assert told["traits"] == (1, 7, [(2, "lacks A")])
    assert told["usable"] == (1, 6, [(1, "is disabled")])
    assert told["free"] == (1, 5, [(1, "is held")])
    assert told["count"] == (0, 0, [(1, "has 5 of 6 PGPU")])


def test_of_the_changes_to_the_question_the_one_that_is_about_the_blocker_is_told() -> None:
    hosts = [node("n1", *gpus("n1", "....", traits=["A"])), node("n2", *gpus("n2", "........"))]

    explanation = ask(hosts, {"resources": {"PGPU": 8}, "required": ["A"]})

    assert [one.text for one in explanation.counterfactuals] == [
        "It would fit on 1 node without trait A.",
        "It would fit on 1 node with 4 PGPU in place of 8.",
    ]
    assert short(explanation).endswith("with 4 PGPU in place of 8.")
