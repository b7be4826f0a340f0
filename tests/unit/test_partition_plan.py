"""Plans of partitioning: what is done, who is in the way, what it costs, and which devices of a pool are chosen."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from accel.model.layout import Rule
from accel.model.mig import mig_scheme
from accel.model.partition import Cut, Part, Profile, Scheme
from accel.placement.partition import ON_WHOLE, Held, InTheWay, Subject, plan_demand, plan_layout

A100 = mig_scheme("NVIDIA A100-SXM4-40GB", 40 << 30)
assert A100 is not None
MODES = Scheme(
    name="compute_partition",
    is_uniform=True,
    profiles=(
        Profile(name="spx", most=1, starts=(0,), size=8),
        Profile(name="cpx", most=8, starts=tuple(range(8)), size=1),
    ),
)


def gpu(
    name: str, *parts: str, held: dict[str, str] | None = None, obstacle: str = "", scheme: Scheme = A100
) -> Subject:
    """A GPU with parts like ``3g.20gb@4``, whose ids are their places; ``whole`` for none.

    :param held: who has what, by the places of parts
    """
    split = (text.split("@") for text in parts)
    cut = Cut(
        scheme=scheme,
        parts=None if parts == ("whole",) else tuple(Part(id=at, profile=name, start=int(at)) for name, at in split),
    )
    holders = tuple(Held(part, by) for part, by in (held or {}).items())
    return Subject(uuid=name, name=f"{name}/0000:07:00.0", model="A100", cut=cut, held=holders, obstacle=obstacle)


# --- one device ---


def test_a_plan_tells_each_step_and_how_it_is_undone() -> None:
    plan = plan_layout(gpu("n1", "1g.5gb@4", "1g.5gb@5", "3g.20gb@0"), {"3g.20gb": 2})

    assert [act.text for act in plan.acts] == [
        "take out 1g.5gb at slice 4",
        "take out 1g.5gb at slice 5",
        "make 3g.20gb at slice 4",
        "look at the device again and compare",
    ]
    assert plan.undo == plan.before == {"1g.5gb": 2, "3g.20gb": 1}
    assert (plan.after, plan.lost) == ({"3g.20gb": 2}, {"1g.5gb": 2})
    assert plan.can_be_applied
    assert plan.text == "n1/0000:07:00.0 comes from 1g.5gb=2, 3g.20gb=1 to 3g.20gb=2 in 4 steps."


def test_a_whole_device_is_lost_when_it_is_cut_and_offered_again_when_it_is_joined() -> None:
    cut = plan_layout(gpu("n1", "whole"), {"7g.40gb": 1})
    joined = plan_layout(gpu("n1", "1g.5gb@6"), {})

    assert [act.kind for act in cut.acts] == ["cut", "make", "verify"]
    assert (cut.lost, cut.after) == ({"whole": 1}, {"7g.40gb": 1})
    assert [act.kind for act in joined.acts] == ["destroy", "join", "verify"]
    assert (joined.lost, joined.after) == ({"1g.5gb": 1}, {"whole": 1})


def test_a_device_that_is_so_already_needs_nothing_whoever_has_it() -> None:
    plan = plan_layout(gpu("n1", "3g.20gb@0", held={"0": "pod a"}), {"3g.20gb": 1})

    assert plan.is_nothing
    assert (plan.acts, plan.in_the_way) == ((), ())
    assert "already" in plan.text


def test_everybody_who_has_a_part_is_in_the_way_and_it_is_told_whose_part_goes() -> None:
    device = gpu("n1", "3g.20gb@0", "1g.5gb@6", held={"0": "pod a", "6": "pod b"})

    plan = plan_layout(device, {"3g.20gb": 2})

    assert plan.in_the_way == (
        InTheWay("pod a", "3g.20gb at slice 0", goes=False),
        InTheWay("pod b", "1g.5gb at slice 6", goes=True),
    )
    assert not plan.can_be_applied
    assert "Not while it is held: pod a, pod b." in plan.text
    moved = plan_layout(device, {"3g.20gb": 1, "2g.10gb": 2})
    assert [one.goes for one in moved.in_the_way] == [True, True]


def test_who_has_the_whole_device_is_in_the_way() -> None:
    plan = plan_layout(gpu("n1", "whole", held={ON_WHOLE: "instance x"}), {"3g.20gb": 1})

    assert plan.in_the_way == (InTheWay("instance x", "whole", goes=True),)


def test_an_impossible_layout_says_why_and_an_obstacle_says_why_not_now() -> None:
    impossible = plan_layout(gpu("n1", "whole"), {"4g.20gb": 2})
    assert impossible.impossible is not None
    assert impossible.impossible.rule is Rule.TOO_MANY
    assert "cannot have 4g.20gb=2. It can have 1 of 4g.20gb at most" in impossible.text
    later = plan_layout(gpu("n1", "whole", obstacle="its node is offline"), {"4g.20gb": 1})
    assert not later.can_be_applied
    assert later.text.endswith("Not now: its node is offline.")


def test_a_plan_tells_what_there_is_room_for_afterwards() -> None:
    plan = plan_layout(gpu("n1", "whole"), {"3g.20gb": 1, "1g.5gb": 1})

    assert plan.room == {"1g.5gb": 3, "1g.5gb+me": 1, "1g.10gb": 1, "2g.10gb": 1}
    assert plan_layout(gpu("n1", "whole"), {"7g.40gb": 1}).room == {}
    assert plan_layout(gpu("n1", "3g.20gb@0"), {}).room == {}


# --- a pool ---


ONE = "1g.5gb"


def demand(count: int, *pool: Subject) -> dict[str, int]:
    found = plan_demand(pool, {ONE: count})
    return {plan.subject.uuid: plan.layout[ONE] for plan in found.plans}


def test_what_is_free_already_is_not_made() -> None:
    found = plan_demand([gpu("n1", "1g.5gb@0", "1g.5gb@1", held={"1": "pod a"})], {ONE: 1})

    assert (found.free, found.made, found.plans, found.missing) == ({ONE: 1}, {}, (), {})


def test_room_that_nobody_uses_goes_before_parts_and_these_before_whole_devices() -> None:
    whole, full, roomy = gpu("n1", "whole"), gpu("n2", "4g.20gb@0", "3g.20gb@4"), gpu("n3", "4g.20gb@0")

    assert demand(3, whole, full, roomy) == {"n3": 3}
    assert demand(4, whole, full, roomy) == {"n3": 4}
    assert set(demand(8, whole, full, roomy)) <= {"n2", "n3"}


def test_devices_that_somebody_has_go_last() -> None:
    held = gpu("n1", "4g.20gb@0", held={"0": "pod a"})

    assert demand(3, held, gpu("n2", "whole")) == {"n2": 3}
    found = plan_demand([held], {ONE: 3})
    assert [plan.can_be_applied for plan in found.plans] == [False]
    assert plan_demand([gpu("n1", "whole", held={ON_WHOLE: "pod a"})], {ONE: 1}).missing == {ONE: 1}


def test_what_no_device_gives_is_missing() -> None:
    pool = [gpu("n1", "whole"), gpu("n2", "whole", obstacle="its node is offline")]

    found = plan_demand(pool, {ONE: 10, "9g.90gb": 1})

    assert (found.made, found.missing) == ({ONE: 7}, {ONE: 3, "9g.90gb": 1})


def test_several_profiles_share_devices_largest_first() -> None:
    found = plan_demand([gpu("n1", "whole"), gpu("n2", "whole")], {"1g.5gb": 3, "4g.20gb": 1})

    assert [(plan.subject.uuid, dict(plan.layout)) for plan in found.plans] == [("n1", {"4g.20gb": 1, "1g.5gb": 3})]


def test_a_device_with_one_switch_is_cut_as_a_whole() -> None:
    found = plan_demand([gpu("n1", "spx@0", scheme=MODES), gpu("n2", "spx@0", scheme=MODES)], {"cpx": 3})

    assert [(plan.subject.uuid, dict(plan.layout)) for plan in found.plans] == [("n1", {"cpx": 8})]


KINDS = (
    ("whole",),
    (),
    ("4g.20gb@0",),
    ("4g.20gb@0", "3g.20gb@4"),
    ("2g.10gb@0", "2g.10gb@4"),
    ("1g.5gb@0", "1g.5gb@1"),
    ("7g.40gb@0",),
)


@settings(deadline=None, max_examples=60)
@given(
    kinds=st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), min_size=1, max_size=3),
    profile=st.sampled_from(["1g.5gb", "2g.10gb", "3g.20gb"]),
    count=st.integers(1, 9),
)
def test_no_other_choice_of_devices_costs_less(
    kinds: list[tuple[tuple[str, ...], bool]], profile: str, count: int
) -> None:
    pool = [
        gpu(f"n{number}", *parts, held={parts[0].split("@")[1]: "pod"} if is_held and "@" in "".join(parts) else None)
        for number, (parts, is_held) in enumerate(kinds)
    ]

    found = plan_demand(pool, {profile: count})

    need = count - found.free.get(profile, 0)
    ways = []
    for made in product(range(count + 1), repeat=len(pool)):
        if sum(made) <= need:
            plans = [_more(subject, profile, more) for subject, more in zip(pool, made, strict=True) if more]
            if all(plan.change is not None for plan in plans):
                ways.append((-sum(made), *_cost(plans)))
    best = min(ways)
    assert found.made.get(profile, 0) == -best[0]
    assert _cost(found.plans) == best[1:]


def _more(subject: Subject, profile: str, more: int):  # noqa: ANN202  # the plan, whose type is told elsewhere
    held = {one.part for one in subject.held}
    stays = [part.profile for part in subject.cut.parts or () if part.id in held or part.profile == profile]
    names = [*stays, *[profile] * more]
    return plan_layout(subject, {name: names.count(name) for name in names})


def _cost(plans) -> tuple[int, ...]:  # noqa: ANN001  # plans
    given_up = 0
    for plan in plans:
        sizes = {one.name: one.size for one in plan.subject.cut.scheme.profiles}
        given_up += sum(sizes[part.profile] for part in plan.change.destroyed) + 8 * plan.change.cuts
    return sum(len(plan.in_the_way) for plan in plans), given_up, sum(plan.change.cuts for plan in plans), len(plans)


def test_a_pool_of_a_thousand_devices_is_planned_for() -> None:
    pool = [gpu(f"n{number}", *KINDS[number % len(KINDS)]) for number in range(1000)]

    assert not plan_demand(pool, {"3g.20gb": 1000}).missing
