"""One node's providers in a real OpenStack Placement: made, changed, kept and taken away again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.openstack_placement import RealPlacement, Refusal, connected, running_placement

from accel.conductor.placement import Placement, Refused
from accel.conductor.providers import Outcome, Reconciler, RootMissing
from accel.errors import ConfigurationError, PlacementUnavailable
from accel.model.provider import OWNER_TRAIT, Known, Part, Provider, provider_uuid, wanted

MARKS = frozenset({OWNER_TRAIT})
CLASS = "PGPU"
CUSTOM = "CUSTOM_MIG_1G_10GB"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPlacement]:
    """One for all tests of the module: each has a node of its own."""
    with running_placement(tmp_path_factory.mktemp("placement")) as placement:
        yield placement


@pytest.fixture
def client(real: RealPlacement, tmp_path: Path) -> Placement:
    return connected(tmp_path, real.section())


class World:
    """A node, what Placement was told of it, and Nova."""

    def __init__(self, real: RealPlacement, client: Placement) -> None:
        self.real = real
        self.node = f"node-{uuid4().hex[:8]}"
        self.root = real.boot_node(self.node)
        self.known = Known()
        self.reconciler = Reconciler(client)

    def part(self, slot: int = 1, *, count: int = 1, **changed: Any) -> Part:
        """A card with so many handles, usable unless changed."""
        name = f"{self.node}_{slot}"
        handles = frozenset(f"{name}/{number}" for number in range(count))
        usable = Part(provider=provider_uuid(name), name=name, resource_class=CLASS, total=count, handles=handles)
        return replace(usable, **changed)

    def agree(self, *parts: Part) -> Outcome:
        """Tell Placement that these are there."""
        outcome = self.reconciler.agree(self.node, wanted(parts, marks=MARKS), self.known)
        self.known = outcome.known
        return outcome

    def there(self) -> dict[str, Provider]:
        """What Placement has."""
        return self.real.below(self.root)


@pytest.fixture
def world(real: RealPlacement, client: Placement) -> World:
    return World(real, client)


# --- what is told ---


def test_each_deployable_is_a_child_of_its_node(world: World) -> None:
    parts = [
        world.part(1, traits=frozenset({"CUSTOM_A100", "HW_GPU_API_VULKAN"})),
        world.part(2, count=7, resource_class=CUSTOM),
        world.part(3, count=0),
        world.part(4, is_offered=False),
    ]
    outcome = world.agree(*parts)

    assert outcome.kept == ()
    assert world.there() == wanted(parts, marks=MARKS)
    assert world.agree(*parts) == outcome


def test_nova_is_offered_what_is_offered(world: World) -> None:
    first, second = world.part(1), world.part(2)
    world.agree(first, second)
    assert {first.provider, second.provider} <= world.real.candidates(CLASS)

    world.agree(replace(first, is_offered=False), second)

    assert {first.provider, second.provider} & world.real.candidates(CLASS) == {second.provider}


def test_a_change_is_told(world: World) -> None:
    world.agree(world.part(1), world.part(2, traits=frozenset({"CUSTOM_OLD"})))
    after = [world.part(1, resource_class=CUSTOM), world.part(2, count=3, traits=frozenset({"CUSTOM_NEW"}))]

    world.agree(*after)

    assert world.there() == wanted(after, marks=MARKS)


def test_what_is_gone_goes(world: World) -> None:
    world.agree(world.part(1), world.part(2))
    world.agree(world.part(2))
    assert world.there().keys() == {world.part(2).provider}


def test_a_node_that_nova_does_not_know_waits(client: Placement) -> None:
    with pytest.raises(RootMissing, match="no provider named nobody"):
        Reconciler(client).agree("nobody", {}, Known())


# --- what is allocated ---


def test_what_is_allocated_is_kept_and_offered_to_nobody_until_it_is_free(world: World) -> None:
    card = world.part(count=2)
    world.agree(card)
    server = world.real.allocate(card.provider, CLASS)

    assert world.agree().kept
    assert world.there() == wanted([replace(card, is_offered=False)], marks=MARKS)
    with pytest.raises(Refusal):
        world.real.allocate(card.provider, CLASS)

    world.real.free(server)
    assert not world.agree().kept
    assert world.there() == {}


def test_what_comes_back_while_it_is_allocated_is_offered_again(world: World) -> None:
    card = world.part(count=2)
    world.agree(card)
    world.real.allocate(card.provider, CLASS)
    world.agree()

    assert not world.agree(card).kept
    assert card.provider in world.real.candidates(CLASS)


@pytest.mark.parametrize("changed", [{"resource_class": CUSTOM}, {"count": 0}])
def test_an_allocated_inventory_that_should_go_is_reserved_beside_the_new_one(
    changed: dict[str, Any], world: World
) -> None:
    world.agree(world.part())
    server = world.real.allocate(world.part().provider, CLASS)
    after = world.part(**changed)

    assert world.agree(after).kept
    [there] = world.there().values()
    assert there.inventories.pop(CLASS).reserved == 1
    assert there.inventories == wanted([after])[after.provider].inventories

    world.real.free(server)
    assert not world.agree(after).kept
    assert world.there() == wanted([after], marks=MARKS)


# --- what others do ---


def test_somebody_elses_traits_and_providers_stay_and_their_inventories_do_not(world: World) -> None:
    card = world.part(traits=frozenset({"CUSTOM_OURS"}))
    world.agree(card)
    other = world.real.call(
        "POST", "/resource_providers", {"name": f"{world.node}_nic", "parent_provider_uuid": world.root}
    )["uuid"]
    world.real.set_traits(card.provider, {"CUSTOM_THEIRS", "CUSTOM_OURS", OWNER_TRAIT})
    world.real.set_inventories(card.provider, VCPU=5, PGPU=9)

    world.agree(world.part())

    there = world.there()
    assert there.keys() == {card.provider, other}
    assert there[card.provider].traits == {"CUSTOM_THEIRS", OWNER_TRAIT}
    assert there[card.provider].inventories == wanted([card])[card.provider].inventories


def test_a_provider_that_somebody_has_renamed_or_deleted_is_as_it_was(world: World) -> None:
    cards = [world.part(1), world.part(2)]
    world.agree(*cards)
    world.real.call("PUT", f"/resource_providers/{cards[0].provider}", {"name": f"{world.node}-renamed"})
    world.real.call("DELETE", f"/resource_providers/{cards[1].provider}")

    world.agree(*cards)

    assert world.there() == wanted(cards, marks=MARKS)


def test_a_compute_service_that_comes_back_under_another_uuid_is_found(world: World) -> None:
    world.agree(world.part())
    world.real.call("DELETE", f"/resource_providers/{world.part().provider}")
    world.real.call("DELETE", f"/resource_providers/{world.root}")
    world.root = world.real.boot_node(world.node)

    world.agree(world.part())

    assert world.there() == wanted([world.part()], marks=MARKS)


def test_a_provider_below_a_node_that_was_renamed_comes_along_with_its_allocations(world: World) -> None:
    world.agree(world.part())
    server = world.real.allocate(world.part().provider, CLASS)
    world.real.call("PUT", f"/resource_providers/{world.root}", {"name": f"{world.node}-old"})
    world.root = world.real.boot_node(world.node)

    world.agree(world.part())

    assert world.there() == wanted([world.part()], marks=MARKS)
    assert world.real.call("GET", f"/allocations/{server}")["allocations"].keys() == {world.part().provider}


def test_what_another_accelerator_service_has_left_is_taken_over(world: World) -> None:
    left, card = world.part(2), world.part(1)
    for one in (left, card):
        body = {"name": one.name, "uuid": one.provider, "parent_provider_uuid": world.root}
        world.real.call("POST", "/resource_providers", body)

    world.agree(card)

    assert world.there() == wanted([card], marks=MARKS)


def test_a_name_that_somebody_else_has_is_told_and_nothing_is_taken_from_them(world: World) -> None:
    theirs = world.real.boot_node(world.part().name)

    with pytest.raises(Refused, match="already exists"):
        world.agree(world.part())

    assert world.real.call("GET", f"/resource_providers/{theirs}")["name"] == world.part().name


def test_a_trait_that_is_gone_from_placement_is_made_again_the_next_time(world: World) -> None:
    trait = f"CUSTOM_{uuid4().hex.upper()}"
    world.agree(world.part(traits=frozenset({trait})))
    world.agree(world.part())
    world.real.call("DELETE", f"/traits/{trait}")

    with pytest.raises(Refused, match="No such trait"):
        world.agree(world.part(traits=frozenset({trait})))
    world.agree(world.part(traits=frozenset({trait})))

    assert trait in world.there()[world.part().provider].traits


def test_a_standard_trait_that_placement_does_not_know_is_left_out(world: World) -> None:
    world.agree(world.part(traits=frozenset({"HW_OF_THE_NEXT_CENTURY", "CUSTOM_A"})))
    assert world.there()[world.part().provider].traits == {"CUSTOM_A", OWNER_TRAIT}


# --- at the same time ---


class Meddler(Placement):
    """A Placement in which somebody else does something right before each of our changes."""

    def __init__(self, client: Placement, times: int, meddle: Any) -> None:
        super().__init__(client._adapter)
        self.times = times
        self.meddle = meddle

    def set_inventories(self, uuid: str, generation: int, inventories: Any) -> int:
        if self.times:
            self.times -= 1
            self.meddle(uuid)
        return super().set_inventories(uuid, generation, inventories)


def test_somebody_who_changes_the_same_provider_meanwhile_is_noticed(world: World, client: Placement) -> None:
    card = world.part()
    world.agree(card)
    theirs = iter([{"CUSTOM_1"}, {"CUSTOM_1", "CUSTOM_2"}])
    world.reconciler = Reconciler(
        Meddler(client, 2, lambda uuid: world.real.set_traits(uuid, {OWNER_TRAIT, *next(theirs)}))
    )

    world.agree(replace(card, is_offered=False))

    [there] = world.there().values()
    assert there.inventories[CLASS].reserved == 1
    assert there.traits == {OWNER_TRAIT, "CUSTOM_1", "CUSTOM_2"}


def test_a_provider_that_vanishes_while_it_is_changed_is_made_again(world: World, client: Placement) -> None:
    card = world.part()
    world.agree(card)
    world.reconciler = Reconciler(
        Meddler(client, 1, lambda uuid: world.real.call("DELETE", f"/resource_providers/{uuid}"))
    )

    world.agree(replace(card, is_offered=False))

    assert world.there() == wanted([replace(card, is_offered=False)], marks=MARKS)


def test_nova_that_allocates_while_we_take_away_keeps_what_it_has(world: World, client: Placement) -> None:
    card = world.part()
    world.agree(card)
    world.reconciler = Reconciler(Meddler(client, 1, lambda uuid: world.real.allocate(uuid, CLASS)))

    assert world.agree(replace(card, total=0, handles=frozenset())).kept
    [there] = world.there().values()
    assert there.inventories[CLASS].reserved == 1


def test_who_changes_it_all_the_time_does_not_keep_us_for_ever(world: World, client: Placement) -> None:
    world.agree(world.part())
    traits = iter([{f"CUSTOM_{number}"} for number in range(100)])
    world.reconciler = Reconciler(Meddler(client, 100, lambda uuid: world.real.set_traits(uuid, next(traits))))

    with pytest.raises(Refused, match="all the time"):
        world.agree(world.part(count=2))


# --- what it costs ---


class Counted(Placement):
    """A Placement that counts what it is asked."""

    def __init__(self, client: Placement) -> None:
        super().__init__(client._adapter)
        self.asked: list[str] = []

    def _ask(self, method: str, path: str, *rest: Any, **more: Any) -> Any:
        self.asked.append(f"{method} {path}")
        return super()._ask(method, path, *rest, **more)


def test_to_compare_a_node_that_nobody_has_changed_is_one_request_however_many_devices_it_has(
    world: World, client: Placement
) -> None:
    cards = [world.part(slot) for slot in range(6)]
    world.agree(*cards)
    counted = Counted(client)
    counted.known_traits(MARKS)
    world.reconciler = Reconciler(counted)
    counted.asked.clear()

    world.agree(*cards)
    assert counted.asked == [f"GET /resource_providers?in_tree={world.root}"]

    world.agree(replace(cards[0], is_offered=False), *cards[1:])
    assert counted.asked[2:] == [f"PUT /resource_providers/{cards[0].provider}/inventories"]


# --- when it is not there ---


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"endpoint": "http://127.0.0.1:1"}, "cannot be asked"),
        ({"token": "nobody"}, "answers 403"),
        ({"endpoint": "{way}/elsewhere"}, "answers 404"),
    ],
)
def test_a_placement_that_does_not_answer_is_away(
    options: dict[str, str], said: str, real: RealPlacement, tmp_path: Path
) -> None:
    way = f"http://127.0.0.1:{real.way.port}"
    section = real.section(**{name: value.format(way=way) for name, value in options.items()})

    with pytest.raises(PlacementUnavailable, match=said):
        connected(tmp_path, section).providers()


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="placement"):
        connected(tmp_path, "[placement]\nauth_type = nonsense\n")
