"""What OpenStack Placement is to have of a node, and the steps to it, rule by rule."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel.model.provider import (
    OWNER_TRAIT,
    Create,
    Inventory,
    Known,
    Part,
    Provider,
    Remove,
    Rename,
    Seen,
    SetInventories,
    SetTraits,
    Step,
    intended,
    is_as_told,
    is_ours,
    plan,
    provider_uuid,
    wanted,
)

ROOT = "the node's own"
CLASS = "PGPU"


def part(name: str = "n_1", *, count: int = 1, **changed: Any) -> Part:
    """A deployable with so many handles, usable unless changed."""
    handles = frozenset(f"{name}/{number}" for number in range(count))
    usable = Part(provider=provider_uuid(name), name=name, resource_class=CLASS, total=count, handles=handles)
    return replace(usable, **changed)


def inventory(*parts: Part) -> dict[str, Inventory]:
    """The inventories of the one provider of some deployables."""
    [provider] = wanted(parts).values()
    return dict(provider.inventories)


def reserved(*parts: Part) -> int:
    return inventory(*parts)[CLASS].reserved


def seen(*providers: Provider, **changed: Any) -> dict[str, Seen]:
    """Providers as Placement has them once it was told."""
    return {
        one.uuid: replace(
            Seen(
                uuid=one.uuid,
                name=one.name,
                parent=ROOT,
                generation=1,
                inventories=one.inventories,
                traits=one.traits,
                ours=one.traits,
            ),
            **changed,
        )
        for one in providers
    }


def done(steps: tuple[Step, ...], before: Mapping[str, Seen]) -> dict[str, Seen]:
    """What Placement has after some steps, of which nothing is allocated."""
    after = dict(before)
    for step in steps:
        match step:
            case Create():
                after[step.uuid] = Seen(uuid=step.uuid, name=step.name, parent=ROOT, generation=1)
            case Rename():
                after[step.uuid] = replace(after[step.uuid], name=step.name, parent=ROOT)
            case SetTraits():
                after[step.uuid] = replace(after[step.uuid], traits=step.traits, ours=step.ours)
            case SetInventories():
                after[step.uuid] = replace(after[step.uuid], inventories=step.inventories)
            case Remove():
                del after[step.uuid]
    return after


# --- what is wanted ---


def test_all_of_a_usable_deployable_is_offered() -> None:
    assert inventory(part(count=4)) == {CLASS: Inventory(total=4, reserved=0, max_unit=4)}


def test_nothing_is_offered_of_what_is_offered_to_nobody() -> None:
    assert reserved(part(count=4, is_offered=False)) == 4


def test_what_is_wholly_cut_into_parts_has_no_inventory() -> None:
    assert inventory(part(count=0)) == {}


def test_what_has_no_resource_class_has_no_inventory() -> None:
    assert inventory(part(resource_class="")) == {}


def test_what_placement_does_not_know_of_is_reserved() -> None:
    pool = part(count=4)
    assert reserved(replace(pool, held=frozenset({"n_1/0", "n_1/2"}))) == 2


def test_what_is_held_of_a_handle_that_is_gone_is_not_reserved_of_those_that_are_there() -> None:
    assert reserved(part(count=4, held=frozenset({"gone"}))) == 0


def test_a_slot_has_the_inventory_of_the_card_that_can_be_used() -> None:
    lost = part(is_lost=True, is_offered=False)
    assert inventory(lost, part(count=2)) == inventory(part(count=2), lost) == inventory(part(count=2))


def test_a_slot_whose_cards_are_all_lost_has_the_inventory_of_the_last() -> None:
    lost = part(is_lost=True, is_offered=False)
    assert inventory(lost, replace(lost, total=3))[CLASS].total == 3


def test_what_is_held_by_way_of_a_lost_card_is_reserved_of_the_card_that_took_its_slot() -> None:
    lost = part(is_lost=True, is_offered=False, held=frozenset({"n_1/0"}))
    assert reserved(lost, part()) == 1


def test_every_provider_has_the_marks_beside_the_traits_of_its_driver() -> None:
    [provider] = wanted([part(traits=frozenset({"CUSTOM_A"}))], marks=frozenset({OWNER_TRAIT})).values()
    assert provider.traits == {"CUSTOM_A", OWNER_TRAIT}


def test_a_provider_of_ours_is_known_by_its_name_and_uuid_alone() -> None:
    assert is_ours(provider_uuid("n_1"), "n_1")
    assert not is_ours(provider_uuid("n_1"), "n_2")


# --- the steps ---


def test_a_new_provider_has_its_traits_before_there_is_anything_to_allocate() -> None:
    steps = plan(wanted([part(traits=frozenset({"CUSTOM_A"}))]), {}, root=ROOT)
    assert [type(step) for step in steps] == [Create, SetTraits, SetInventories]


def test_what_takes_away_comes_before_what_adds() -> None:
    before = wanted([part("n_1"), part("n_2")])
    after = wanted([part("n_2", count=0), part("n_3")])
    steps = plan(after, seen(*before.values()), root=ROOT)
    assert [(type(step), step.name) for step in steps] == [
        (Remove, "n_1"),
        (SetInventories, "n_2"),
        (Create, "n_3"),
        (SetInventories, "n_3"),
    ]


def test_traits_of_others_stay() -> None:
    [provider] = wanted([part(traits=frozenset({"CUSTOM_NEW"}))]).values()
    there = seen(provider, traits=frozenset({"CUSTOM_OLD", "CUSTOM_THEIRS"}), ours=frozenset({"CUSTOM_OLD"}))
    [step] = plan({provider.uuid: provider}, there, root=ROOT)
    assert isinstance(step, SetTraits)
    assert step.traits == {"CUSTOM_NEW", "CUSTOM_THEIRS"}


def test_inventories_of_others_go() -> None:
    [provider] = wanted([part()]).values()
    theirs = {"CUSTOM_THEIRS": Inventory(total=5, max_unit=5)}
    [step] = plan({provider.uuid: provider}, seen(provider, inventories={**provider.inventories, **theirs}), root=ROOT)
    assert isinstance(step, SetInventories)
    assert step.inventories == provider.inventories
    assert step.otherwise["CUSTOM_THEIRS"].reserved == 5


def test_an_overcommitted_inventory_is_set_right() -> None:
    [provider] = wanted([part()]).values()
    there = seen(provider, inventories={CLASS: replace(provider.inventories[CLASS], allocation_ratio=16.0)})
    [step] = plan({provider.uuid: provider}, there, root=ROOT)
    assert isinstance(step, SetInventories)


@pytest.mark.parametrize(("changed", "has_moved"), [({"name": "other"}, False), ({"parent": "elsewhere"}, True)])
def test_a_provider_gets_its_name_and_its_place_back(changed: dict[str, str], has_moved: bool) -> None:  # noqa: FBT001
    [provider] = wanted([part()]).values()
    [step] = plan({provider.uuid: provider}, seen(provider, **changed), root=ROOT)
    assert isinstance(step, Rename)
    assert (step.name, step.has_moved) == ("n_1", has_moved)


def test_what_cannot_go_is_reserved_wholly() -> None:
    [step] = plan({}, seen(*wanted([part(count=4)]).values()), root=ROOT)
    assert isinstance(step, Remove)
    assert step.otherwise == inventory(part(count=4, is_offered=False))


NAMES = st.sampled_from(["n_1", "n_2", "n_3"])
TRAITS = st.frozensets(st.sampled_from(["CUSTOM_A", "CUSTOM_B", "CUSTOM_C"]))


@st.composite
def parts(draw: st.DrawFn) -> Part:
    """Any deployable."""
    any_part = part(draw(NAMES), count=draw(st.integers(0, 3)))
    return replace(
        any_part,
        resource_class=draw(st.sampled_from(["", CLASS, "CUSTOM_X"])),
        traits=draw(TRAITS),
        is_lost=draw(st.booleans()),
        is_offered=draw(st.booleans()),
        held=draw(st.frozensets(st.sampled_from(["n_1/0", "n_2/1"]))),
    )


@settings(max_examples=300, derandomize=True)
@given(before=st.lists(parts(), max_size=4), after=st.lists(parts(), max_size=4), theirs=TRAITS)
def test_the_steps_make_what_is_there_what_is_wanted(
    before: list[Part], after: list[Part], theirs: frozenset[str]
) -> None:
    was = seen(*wanted(before).values())
    was = {uuid: replace(one, traits=one.traits | theirs) for uuid, one in was.items()}
    target = wanted(after)

    now = done(plan(target, was, root=ROOT), was)

    assert is_as_told(target, Known(root=ROOT, providers=now))
    assert plan(target, now, root=ROOT) == ()
    for uuid in was.keys() & now.keys():
        assert now[uuid].traits - now[uuid].ours >= theirs - was[uuid].ours - now[uuid].ours


@settings(max_examples=100, derandomize=True)
@given(some=st.lists(parts(), max_size=4))
def test_never_is_more_offered_than_there_is(some: list[Part]) -> None:
    for provider in wanted(some).values():
        for one in provider.inventories.values():
            assert 0 <= one.reserved <= one.total == one.max_unit


# --- what is remembered ---


def test_nothing_has_been_told_before_the_node_itself_was_found() -> None:
    assert not is_as_told({}, Known())
    assert is_as_told({}, Known(root=ROOT))


def test_what_is_about_to_be_told_is_ours_already_and_is_looked_at_in_any_case() -> None:
    [provider] = wanted([part(traits=frozenset({"CUSTOM_NEW"}))]).values()
    known = Known(root=ROOT, providers=seen(provider, ours=frozenset({"CUSTOM_OLD"})))

    [told] = intended([provider], known).providers.values()

    assert told.ours == {"CUSTOM_OLD", "CUSTOM_NEW"}
    assert told.generation < 0
