"""What parts a device can have at once, how it comes to them, and why it cannot: published tables, and by trial."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement, permutations
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from accel.errors import InvalidValue
from accel.model.layout import Change, Impossible, Rule, after, change, impossible, making_order, room
from accel.model.mig import mig_scheme
from accel.model.partition import (
    Cut,
    Layout,
    Part,
    Place,
    Profile,
    Scheme,
    layout_text,
    read_layout,
)
from accel.model.partition_facts import facts, read_facts

GIB = 1 << 30


def scheme_of(model: str, gib: float) -> Scheme:
    scheme = mig_scheme(model, int(gib * GIB))
    assert scheme is not None
    return scheme


A100 = scheme_of("NVIDIA A100-SXM4-40GB", 40)
A30 = scheme_of("NVIDIA A30", 24)
RTX = scheme_of("NVIDIA RTX PRO 6000 Blackwell Server Edition", 95.6)
SCHEMES = {"A100": A100, "A30": A30, "H100": scheme_of("NVIDIA H100 80GB HBM3", 79.6), "RTX PRO 6000": RTX}
MODES = Scheme(
    name="compute_partition",
    is_uniform=True,
    profiles=(
        Profile(name="spx", most=1, starts=(0,), size=8),
        Profile(name="cpx", most=8, starts=tuple(range(8)), size=1),
    ),
)
PUBLISHED = yaml.safe_load((Path(__file__).parents[1] / "data/mig-layouts.yaml").read_text())
ANY_SCHEME = st.sampled_from(list(SCHEMES.values()))


def cut(scheme: Scheme, *parts: str) -> Cut:
    """A device with parts like ``3g.20gb@4``; their ids are their numbers."""
    made = (text.split("@") for text in parts)
    return Cut(
        scheme=scheme,
        parts=tuple(Part(id=str(number), profile=name, start=int(start)) for number, (name, start) in enumerate(made)),
    )


def changed(before: Cut, layout: Layout, *held: str) -> Change:
    found = change(before, layout, held=held)
    assert isinstance(found, Change), found
    return found


def refused(before: Cut, layout: Layout, *held: str) -> Impossible:
    found = change(before, layout, held=held)
    assert isinstance(found, Impossible), found
    return found


def sized(scheme: Scheme, compute: Sequence[int]) -> Layout:
    """A layout of the plain profiles of so many compute slices."""
    names = {
        profile.takes["compute"]: profile.name
        for profile in reversed(scheme.profiles)
        if "+" not in profile.name and "-" not in profile.name
    }
    return Counter(names[slices] for slices in compute)


def by_trial(scheme: Scheme, layout: Layout, kept: Sequence[Part] = ()) -> bool:
    """Whether a layout is possible: every part is put at every place that it may have."""
    profiles = {profile.name: profile for profile in scheme.profiles}
    have: Counter[str] = Counter(layout)
    if any(count > profiles[name].most for name, count in have.items()):
        return False
    for what, limit in scheme.has.items():
        if sum(profiles[name].takes.get(what, 0) * count for name, count in have.items()) > limit:
            return False
    missing = list((have - Counter(part.profile for part in kept)).elements())
    fixed = [slice_ for part in kept for slice_ in Place(part.start, profiles[part.profile].size).slices]
    return len(set(fixed)) == len(fixed) and any_way([profiles[name] for name in missing], frozenset(fixed))


def any_way(profiles: Sequence[Profile], taken: frozenset[int]) -> bool:
    return not profiles or any(
        any_way(profiles[1:], taken | place.slices) for place in profiles[0].places if not taken & place.slices
    )


def may_get_stuck(scheme: Scheme, names: Sequence[str], taken: frozenset[int]) -> bool:
    """Whether a device that puts the parts where it likes may leave no place for one of them."""
    if not names:
        return False
    free = [place for place in _profile(scheme, names[0]).places if not taken & place.slices]
    return not free or any(may_get_stuck(scheme, names[1:], taken | place.slices) for place in free)


def layouts(scheme: Scheme, size: int) -> Iterator[Layout]:
    names = [profile.name for profile in scheme.profiles]
    for count in range(1, size + 1):
        yield from map(Counter, combinations_with_replacement(names, count))


# --- which layouts there are ---


@pytest.mark.parametrize("name", list(SCHEMES))
def test_exactly_the_published_layouts_and_their_parts_are_possible(name: str) -> None:
    scheme = SCHEMES[name]
    published = [Counter(slices) for slices in PUBLISHED["four slices" if scheme.slices == 4 else "seven slices"]]
    for count in range(1, 8):
        for slices in combinations_with_replacement((1, 2, 3, 4, 7) if scheme.slices == 8 else (1, 2, 4), count):
            is_published = any(Counter(slices) <= whole for whole in published)
            assert (impossible(scheme, sized(scheme, slices)) is None) == is_published, slices


@pytest.mark.parametrize("name", list(SCHEMES))
def test_a_layout_is_possible_where_trying_all_places_finds_one(name: str) -> None:
    for layout in layouts(SCHEMES[name], 4):
        assert (impossible(SCHEMES[name], layout) is None) == by_trial(SCHEMES[name], layout), layout


@pytest.mark.parametrize(
    ("layout", "rule", "words"),
    [
        ({"5g.30gb": 1}, Rule.UNKNOWN_PROFILE, "1g.5gb, 1g.5gb+me, 1g.10gb"),
        ({"4g.20gb": 2}, Rule.TOO_MANY, "1 of 4g.20gb at most, and 2 are wanted"),
        ({"3g.20gb": 2, "1g.5gb": 1}, Rule.SLICES, "9 slices (1 × 1 + 2 × 4), and it has 8"),
        ({"2g.10gb": 2, "3g.20gb": 1, "1g.5gb": 1}, Rule.SLICES, "9 slices"),
        ({"1g.5gb": 7, "1g.5gb+me": 1}, Rule.SHARED, "8 compute slices, and it has 7"),
    ],
)
def test_an_impossible_layout_names_the_rule_that_it_breaks(layout: Layout, rule: Rule, words: str) -> None:
    found = refused(Cut(scheme=A100, parts=None), layout)

    assert found.rule is rule
    assert words in found.text


def test_one_engine_is_not_given_twice() -> None:
    assert refused(Cut(scheme=A30, parts=None), {"1g.6gb+me": 1, "2g.12gb+me": 1}).rule is Rule.SHARED
    assert refused(Cut(scheme=RTX, parts=None), {"1g.24gb+me.all": 1, "1g.24gb": 1}).rule is Rule.SHARED
    assert changed(Cut(scheme=RTX, parts=None), {"1g.24gb+me.all": 1, "1g.24gb-me": 3}).made


def test_a_layout_may_fit_by_its_numbers_and_not_by_its_places() -> None:
    """Three of the four pairs of memory are left, and a half is not among them."""
    assert impossible(A100, {"4g.20gb": 1, "1g.10gb": 1, "2g.10gb": 1}) is None
    odd = Scheme(
        name="odd",
        profiles=(
            Profile(name="middle", most=1, starts=(1,), size=2),
            Profile(name="half", most=2, starts=(0, 2), size=2),
        ),
    )
    found = refused(Cut(scheme=odd, parts=None), {"middle": 1, "half": 1})
    assert found.rule is Rule.PLACES
    assert "middle begins at 1 and takes 2; half begins at 0, 2 and takes 2" in found.text


def test_a_device_with_one_switch_has_all_parts_of_one_kind() -> None:
    assert refused(Cut(scheme=MODES, parts=None), {"cpx": 4}).rule is Rule.ONE_PROFILE
    assert refused(Cut(scheme=MODES, parts=None), {"cpx": 7, "spx": 1}).rule is Rule.ONE_PROFILE
    assert len(changed(Cut(scheme=MODES, parts=None), {"cpx": 8}).made) == 8


# --- the smallest change ---


def test_what_is_there_and_wanted_stays() -> None:
    before = cut(A100, "3g.20gb@0", "1g.5gb@4", "1g.5gb@5")

    found = changed(before, {"3g.20gb": 1, "1g.5gb": 1, "2g.10gb": 1})

    assert [part.profile for part in found.kept] == ["3g.20gb"]
    assert [str(new.profile) for new in found.made] == ["2g.10gb", "1g.5gb"]
    assert len(found.destroyed) == 2


def test_a_layout_that_is_there_is_no_change() -> None:
    assert changed(cut(A100, "3g.20gb@0"), {"3g.20gb": 1}).is_nothing
    assert changed(Cut(scheme=A100, parts=None), {}).is_nothing
    assert changed(Cut(scheme=A100, parts=()), {}).joins


def test_what_is_held_stays_and_is_named_where_it_is_in_the_way() -> None:
    before = cut(A100, "1g.5gb@0", "1g.5gb@6")

    assert changed(before, {"1g.5gb": 1, "4g.20gb": 1}, "1").kept == (before.parts or ())[1:]
    found = refused(before, {"1g.5gb": 1, "4g.20gb": 1}, "0")
    assert (found.rule, found.held) == (Rule.HELD, (before.parts or ())[:1])
    assert "1g.5gb at slice 0" in found.text
    assert refused(before, {"2g.10gb": 1}, "0").rule is Rule.HELD
    assert refused(before, {}, "0").rule is Rule.HELD


def test_new_parts_leave_the_largest_places_free() -> None:
    (new,) = changed(Cut(scheme=A100, parts=None), {"1g.5gb": 1}).made

    assert new.place.start == 6
    assert room(cut(A100, "1g.5gb@6"), "4g.20gb") == 1


@settings(deadline=None)
@given(data=st.data(), scheme=ANY_SCHEME)
def test_a_change_keeps_what_is_held_and_gives_up_as_little_as_trying_everything_does(
    data: st.DataObject, scheme: Scheme
) -> None:
    before = _reached(data, scheme, "before")
    held = set(data.draw(st.lists(st.sampled_from(["0", "1", "2"]), max_size=2), label="held")) & {
        part.id for part in before.parts or ()
    }
    layout = Counter(part.profile for part in _reached(data, scheme, "wanted").parts or ())

    found = change(before, layout, held=held)

    kept = [
        chosen
        for count in range(len(before.parts or ()) + 1)
        for chosen in combinations(before.parts or (), count)
        if held <= {part.id for part in chosen}
        and Counter(part.profile for part in chosen) <= layout
        and by_trial(scheme, layout, chosen)
    ]
    if not layout:
        assert isinstance(found, Impossible) == bool(held)
    elif isinstance(found, Impossible):
        assert not kept
        assert found.rule is Rule.HELD
    else:
        assert _size(scheme, found.kept) == max(_size(scheme, chosen) for chosen in kept)
        assert {*found.kept, *found.destroyed} == set(before.parts or ())
        then = [
            *((part.profile, part.start) for part in found.kept),
            *((n.profile, n.place.start) for n in found.made),
        ]
        assert Counter(name for name, _ in then) == layout
        slices = [Place(start, _profile(scheme, name).size).slices for name, start in then]
        assert sum(map(len, slices)) == len(frozenset().union(*slices))
        assert all(start in _profile(scheme, name).starts for name, start in then)


@settings(deadline=None)
@given(data=st.data(), scheme=ANY_SCHEME)
def test_an_order_of_making_is_safe_wherever_the_device_puts_each_part(data: st.DataObject, scheme: Scheme) -> None:
    layout = Counter(part.profile for part in _reached(data, scheme, "wanted").parts or ())

    order = making_order(scheme, layout)

    if order is None:
        assert all(may_get_stuck(scheme, names, frozenset()) for names in set(permutations(layout.elements())))
        return
    assert Counter(order) == layout
    taken: frozenset[int] = frozenset()
    for name in order:
        free = [place for place in _profile(scheme, name).places if taken.isdisjoint(place.slices)]
        taken |= data.draw(st.sampled_from(free)).slices


def test_some_layouts_are_reached_in_one_order_only_and_some_in_none() -> None:
    assert making_order(A100, {"3g.20gb": 1, "1g.10gb": 2}) == ("3g.20gb", "1g.10gb", "1g.10gb")
    assert making_order(A100, {"3g.20gb": 1, "2g.10gb": 2}) is None
    assert making_order(A100, {"1g.5gb": 1, "2g.10gb": 3}) == ("2g.10gb", "2g.10gb", "2g.10gb", "1g.5gb")


def test_a_card_with_many_functions_is_cut_as_one_with_few() -> None:
    functions = tuple(range(64))
    scheme = Scheme(
        name="vgpu",
        profiles=tuple(
            Profile(name=f"L40S-{size}C", most=48 // size, starts=functions, size=1, takes={"gigabytes": size})
            for size in (1, 2, 4)
        ),
    )
    before = cut(scheme, *(f"L40S-1C@{number}" for number in range(40)))

    found = changed(before, {"L40S-1C": 20, "L40S-2C": 10, "L40S-4C": 2})

    assert (len(found.kept), len(found.destroyed), len(found.made)) == (20, 20, 12)
    assert len({part.start for part in found.kept} | {new.place.start for new in found.made}) == 32
    assert refused(before, {"L40S-4C": 10, "L40S-1C": 20}).rule is Rule.SHARED
    assert room(before, "L40S-4C") == 2


# --- how many more ---


@settings(deadline=None)
@given(data=st.data(), scheme=ANY_SCHEME)
def test_the_room_for_a_profile_is_what_trying_finds(data: st.DataObject, scheme: Scheme) -> None:
    before = _reached(data, scheme, "before")
    name = data.draw(st.sampled_from([profile.name for profile in scheme.profiles]))
    there = Counter(part.profile for part in before.parts or ())

    fits = [count for count in range(8) if by_trial(scheme, there + Counter({name: count}), before.parts or ())]

    assert room(before, name) == max(fits)


def test_a_whole_device_has_no_room_and_one_with_one_switch_has_it_all_or_not() -> None:
    assert room(Cut(scheme=A100, parts=None), "1g.5gb") == room(cut(A100), "9g.99gb") == 0
    assert room(cut(MODES), "cpx") == 8
    assert room(cut(MODES, "spx@0"), "cpx") == 0


def test_a_change_leads_where_it_says() -> None:
    before = cut(A100, "3g.20gb@0", "1g.5gb@4")

    assert after(before, changed(before, {"3g.20gb": 2})).layout == {"3g.20gb": 2}
    assert after(before, changed(before, {})).parts is None
    whole = Cut(scheme=A100, parts=None)
    assert after(whole, changed(whole, {})) == whole
    assert after(whole, changed(whole, {"7g.40gb": 1})).layout == {"7g.40gb": 1}


# --- in words ---


@pytest.mark.parametrize(
    "before", [Cut(scheme=MODES, parts=None), cut(A100), cut(RTX, "1g.24gb+me.all@2", "2g.48gb-me@0")]
)
def test_what_a_device_tells_is_read_as_it_was_meant(before: Cut) -> None:
    assert read_facts(facts(before)) == before


def test_profiles_are_named_by_their_table_where_one_has_them() -> None:
    fewer = Scheme(name="mig", profiles=A100.profiles[1:])

    assert facts(Cut(scheme=A100, parts=None)) == {"partition_scheme": "mig a100-40gb", "partition_layout": "whole"}
    assert facts(cut(fewer, "3g.20gb@0"))["partition_profiles"].startswith("1g.5gb+me 1x 0,1,2,3,4,5,6:1 compute=1 ")


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"partition_scheme": "mig"},
        {"partition_scheme": "mig of-tomorrow"},
        {"partition_scheme": "mig", "partition_profiles": "of a later version"},
    ],
)
def test_what_nobody_understands_is_nothing_told(told: dict[str, str]) -> None:
    assert read_facts(told) is None


def test_a_layout_is_read_as_it_is_written() -> None:
    layout = {"3g.20gb": 1, "1g.5gb+me": 1}
    assert read_layout([layout_text(layout)]) == layout
    assert read_layout(["3g.20gb=1", "1g.5gb+me=1"]) == layout
    assert read_layout(["whole"]) == {}


@pytest.mark.parametrize(
    "text", ["3g.20gb", "3g.20gb=0", "3g.20gb=-1", "=2", "3g.20gb=x", "1g.5gb=1,1g.5gb=2", "a=99999"]
)
def test_what_is_no_layout_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="layout"):
        read_layout([text])


# --- the tables ---


@pytest.mark.parametrize(
    ("model", "mib", "smallest", "largest"),
    [
        ("NVIDIA A100-SXM4-40GB", 40960, "1g.5gb", "7g.40gb"),
        ("NVIDIA A100 80GB PCIe", 81920, "1g.10gb", "7g.80gb"),
        ("NVIDIA A800-SXM4-80GB", 81920, "1g.10gb", "7g.80gb"),
        ("NVIDIA A30", 24576, "1g.6gb", "4g.24gb"),
        ("NVIDIA H100 80GB HBM3", 81559, "1g.10gb", "7g.80gb"),
        ("NVIDIA H100 NVL", 95830, "1g.12gb", "7g.94gb"),
        ("NVIDIA GH200 480GB", 97871, "1g.12gb", "7g.96gb"),
        ("NVIDIA H20", 97871, "1g.12gb", "7g.96gb"),
        ("NVIDIA H200", 143771, "1g.18gb", "7g.141gb"),
        ("NVIDIA B200", 183359, "1g.23gb", "7g.180gb"),
        ("NVIDIA GB200", 189471, "1g.23gb", "7g.186gb"),
        ("NVIDIA B300 SXM6 AC", 275040, "1g.34gb", "7g.269gb"),
    ],
)
def test_a_gpu_has_the_profiles_of_its_memory(model: str, mib: int, smallest: str, largest: str) -> None:
    scheme = mig_scheme(model, mib << 20)
    assert scheme is not None
    assert (scheme.profiles[0].name, scheme.profiles[-1].name) == (smallest, largest)


@pytest.mark.parametrize(("model", "gib"), [("Tesla P100-SXM2-16GB", 16), ("NVIDIA A300", 24), ("NVIDIA H100", 200)])
def test_a_gpu_that_the_tables_do_not_know_has_none(model: str, gib: int) -> None:
    assert mig_scheme(model, gib * GIB) is None


def _reached(data: st.DataObject, scheme: Scheme, label: str) -> Cut:
    """A device with parts that were made one after the other, each where there was room for it."""
    taken: frozenset[int] = frozenset()
    parts: list[Part] = []
    for wanted in data.draw(st.lists(st.sampled_from(scheme.profiles), max_size=5), label=label):
        layout = Counter([*(part.profile for part in parts), wanted.name])
        free = [place for place in wanted.places if taken.isdisjoint(place.slices)]
        if free and by_trial(scheme, layout, parts):
            place = data.draw(st.sampled_from(free))
            taken |= place.slices
            parts.append(Part(id=str(len(parts)), profile=wanted.name, start=place.start))
    return Cut(scheme=scheme, parts=tuple(parts))


def _profile(scheme: Scheme, name: str) -> Profile:
    profile = scheme.profile(name)
    assert profile is not None
    return profile


def _size(scheme: Scheme, parts: Sequence[Part]) -> int:
    return sum(_profile(scheme, part.profile).size for part in parts)
