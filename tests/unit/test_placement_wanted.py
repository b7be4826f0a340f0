"""What is wanted: how profiles and bodies of calls are read, which groups share a node, what cannot be meant."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from accel.errors import InvalidValue
from accel.placement.comparison import read_comparison
from accel.placement.reading import of_body, of_profile, placed
from accel.placement.wanted import DIFFERENT_NODE, Nearness, Together, Wanted, WantedGroup

PLAIN: Mapping[str, Any] = {"resources": {"PGPU": 1}}


def apart(*groups: int) -> Together:
    return Together(groups=groups, near=DIFFERENT_NODE)


def tied(*groups: int, near: Nearness = Nearness.NODE) -> Together:
    return Together(groups=groups, near=near)


def test_a_profile_and_a_body_that_ask_for_the_same_are_read_alike() -> None:
    profile = {
        "resources:PGPU": "4",
        "trait:CUSTOM_A": "required",
        "trait:CUSTOM_B": "forbidden",
        "accel:near": "linked",
        "accel:any_of": "CUSTOM_C, CUSTOM_D; CUSTOM_E",
        "accel:where": "memory >= 40GiB, model ~ H100",
    }
    body = {
        "resources": {"PGPU": 4},
        "required": ["CUSTOM_A"],
        "forbidden": ["CUSTOM_B"],
        "any_of": [["CUSTOM_C", "CUSTOM_D"], ["CUSTOM_E"]],
        "where": ["memory >= 40GiB", "model ~ H100"],
        "near": "linked",
    }
    (one,), (other,) = of_profile((profile,)).groups, of_body({"groups": [body]}).groups
    assert replace(one, text={}) == replace(other, text={})


def test_the_text_of_a_group_asks_for_one_accelerator() -> None:
    (group,) = of_profile(({"resources:PGPU": "4", "trait:CUSTOM_A": "required"},)).groups
    assert group.text == {"resources:PGPU": "1", "trait:CUSTOM_A": "required"}


def test_what_a_body_says_of_one_accelerator_can_be_read_as_a_profile() -> None:
    body = {**PLAIN, "required": ["CUSTOM_A"], "any_of": [["CUSTOM_B", "CUSTOM_C"]], "where": ["memory >= 40GiB"]}
    (group,) = of_body({"groups": [body]}).groups
    assert of_profile((group.text,)).groups == (group,)


def test_a_group_of_two_resource_classes_becomes_two_that_are_tied() -> None:
    wanted = of_profile(({"resources:PGPU": "1", "resources:FPGA": "2", "accel:near": "numa"},))
    assert [(group.resource_class, group.count, group.number) for group in wanted.groups] == [
        ("PGPU", 1, 0),
        ("FPGA", 2, 0),
    ]
    assert wanted.together == (tied(0, 1, near=Nearness.NUMA),)


def test_relations_speak_of_groups_as_they_were_given() -> None:
    groups = [{"resources": {"PGPU": 1, "FPGA": 1}}, PLAIN]
    wanted = of_body({"groups": groups, "together": [{"groups": [0, 1], "near": "switch"}]})
    assert wanted.together[-1] == tied(0, 1, 2, near=Nearness.SWITCH)


def test_a_group_without_resources_is_of_any_class() -> None:
    (group,) = of_body({"groups": [{"count": 3, "where": ["type = GPU"]}]}).groups
    assert (group.count, group.resource_class, group.comparisons) == (3, None, (read_comparison("type = GPU"),))


def test_nodes_labels_and_excluded_nodes_belong_to_the_question_and_not_to_a_group() -> None:
    wanted = placed(of_profile(({"resources:PGPU": "1"},)), {"nodes": 2, "labels": {"a": "b"}, "exclude_nodes": ["n"]})
    assert (wanted.nodes, wanted.labels, wanted.exclude_nodes) == (2, {"a": "b"}, frozenset({"n"}))


@pytest.mark.parametrize(
    ("together", "parts"),
    [
        ((), ((0, 1, 2, 3),)),
        ((tied(0, 1, near=Nearness.NUMA),), ((0, 1, 2, 3),)),
        ((apart(0, 1),), ((0, 2, 3), (1,))),
        ((apart(1, 2),), ((0, 1, 3), (2,))),
        ((apart(1, 2), tied(2, 3)), ((0, 1), (2, 3))),
        ((apart(0, 1, 2, 3),), ((0,), (1,), (2,), (3,))),
        ((apart(0, 1), apart(2, 3)), ((0,), (1,), (2,), (3,))),
        ((tied(1, 2), tied(2, 3), apart(0, 3)), ((0,), (1, 2, 3))),
    ],
)
def test_groups_share_a_node_unless_they_are_to_be_apart(together: tuple[Together, ...], parts: Any) -> None:
    assert Wanted(groups=(WantedGroup(),) * 4, together=together).parts == parts


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"groups": []}, "groups"),
        ({"groups": [{"resources": {"PGPU": 0}}]}, "groups[0].count"),
        ({"groups": [{**PLAIN, "count": 2}]}, "groups[0].count"),
        ({"groups": [{**PLAIN, "near": "close"}]}, "groups[0].near"),
        ({"groups": [PLAIN, {**PLAIN, "where": ["memory", "x"]}]}, "groups[1].where[0]"),
        ({"groups": [{**PLAIN, "required": ["A"], "forbidden": ["A"]}]}, "groups[0].forbidden"),
        ({"groups": [PLAIN], "together": [{"groups": [0, 1], "near": "numa"}]}, "together[0].groups"),
        ({"groups": [PLAIN], "together": [{"groups": [], "near": "numa"}]}, "together[0].groups"),
        ({"groups": [PLAIN, PLAIN], "together": [{"groups": [0, 1], "near": "close"}]}, "together[0].near"),
        (
            {
                "groups": [PLAIN, PLAIN],
                "together": [{"groups": [0, 1], "near": "numa"}, {"groups": [0, 1], "near": "different_node"}],
            },
            "together[1].groups",
        ),
        ({"groups": [PLAIN], "nodes": 0}, "nodes"),
    ],
)
def test_a_mistake_names_its_field(body: Mapping[str, Any], field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        of_body(body)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("group", "field"),
    [
        ({"resources:PGPU": "1", "accel:near": "close"}, "groups[0].accel:near"),
        ({"resources:PGPU": "1", "accel:where": "memory"}, "groups[0].accel:where"),
        ({"resources:PGPU": "-1"}, "groups"),
    ],
)
def test_a_mistake_in_a_profile_names_its_field(group: Mapping[str, str], field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        of_profile((group,))
    assert caught.value.field == field
