"""Which layouts a device can have, how it comes from the one that it has to one that is wanted, and why it cannot.

Pure functions over ``accel.model.partition``, for every scheme alike. Where a device has a handful of slices, all is
tried: an answer is exact, and the change that is found is the smallest there is. Where it has many, as a card has
virtual functions, they are alike, and the first way that is found is as good as any. What is kept stays as it is, with
whoever has it; what is held is never moved.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations, islice

from accel.model.partition import Cut, Layout, Part, Place, Profile, Scheme, layout_text


class Rule(StrEnum):
    """Why a layout is impossible."""

    UNKNOWN_PROFILE = "unknown_profile"
    """The device has no part of this profile."""
    TOO_MANY = "too_many"
    """More of one profile than the device can have."""
    ONE_PROFILE = "one_profile"
    """All parts are of one profile, as many as there can be of it."""
    SLICES = "slices"
    """Together they take more slices than there are."""
    SHARED = "shared"
    """Together they take more of something that the device has in small numbers: its compute slices, its engines."""
    PLACES = "places"
    """There are slices enough, and no way to lay the parts side by side where parts of their kind may be."""
    HELD = "held"
    """It would be possible if a part that is held were not where it is."""


_FEW_SLICES = 16
_FEW_PARTS = 10
_MOST_WAYS = 5000
"""Beyond these the slices of a device are many, and are not all tried."""

_Wanted = Sequence[tuple[Profile, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """A layout that a device cannot have."""

    rule: Rule
    text: str
    """The rule with the figures of this case, in a sentence."""
    held: tuple[Part, ...] = ()
    """The parts in the way, where it is these that make it impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A part that is to be made."""

    profile: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How a device comes from what it is cut into to what is wanted."""

    kept: tuple[Part, ...] = ()
    destroyed: tuple[Part, ...] = ()
    """In the order of their places."""
    made: tuple[New, ...] = ()
    """In an order in which none of them takes the place of another one, wherever they are put."""
    cuts: bool = False
    """Whether the device is whole now, and will not be."""
    joins: bool = False
    """Whether it will be whole, and is not now."""

    @property
    def is_nothing(self) -> bool:
        """Whether the device is as it is wanted."""
        return not (self.destroyed or self.made or self.cuts or self.joins)


def impossible(scheme: Scheme, layout: Layout) -> Impossible | None:
    """Why no device of a scheme can have a layout; None: it can."""
    return _broken_rule(scheme, layout) or (None if _fits(scheme, layout, ()) else _no_places(scheme, layout))


def change(cut: Cut, layout: Layout, *, held: Collection[str] = ()) -> Change | Impossible:
    """The smallest change that leads to a layout: the fewest slices of parts that are there are given up.

    :param layout: the whole of it; nothing: the device is to be whole
    :param held: ids of parts that stay where they are, because somebody has them
    """
    parts = cut.parts or ()
    if not layout:
        in_the_way = tuple(part for part in parts if part.id in held)
        if in_the_way:
            return _held(in_the_way, layout)
        return Change(destroyed=_in_order(parts), joins=cut.parts is not None)
    found = _broken_rule(cut.scheme, layout)
    if found:
        return found
    kept = _most_kept(cut, layout, frozenset(held))
    if kept is None:
        no = impossible(cut.scheme, layout)
        return no or _held(tuple(part for part in parts if part.id in held), layout)
    lost = tuple(part for part in parts if part not in kept)
    return Change(
        kept=_in_order(kept),
        destroyed=_in_order(lost),
        made=_to_make(cut.scheme, layout, kept),
        cuts=cut.parts is None,
    )


def after(cut: Cut, change: Change) -> Cut:
    """What a device is cut into once a change is done; new parts are numbered by where they are."""
    if change.joins or (cut.parts is None and not change.cuts):
        return replace(cut, parts=None)
    made = (Part(id=f"new-{new.place.start}", profile=new.profile, start=new.place.start) for new in change.made)
    return replace(cut, parts=(*change.kept, *made))


def room(cut: Cut, profile: str) -> int:
    """How many more parts of a profile a device can have as it is cut, with nothing given up; a whole one has none."""
    found, parts = cut.scheme.profile(profile), cut.parts
    if found is None or parts is None:
        return 0
    if cut.scheme.is_uniform:
        return 0 if parts else found.most
    there = Counter(part.profile for part in parts)
    for count in range(found.most - there[profile], 0, -1):
        layout = {**there, profile: there[profile] + count}
        if not _broken_rule(cut.scheme, layout) and _fits(cut.scheme, layout, parts):
            return count
    return 0


def making_order(scheme: Scheme, wanted: Layout, kept: Sequence[Part] = ()) -> tuple[str, ...] | None:
    """An order of making parts that leads to a layout wherever the device puts each of them; None where there is none.

    Drivers that are too old to be told places choose them themselves. The larger ones come first where that will do.
    Devices of many slices are told places: for them none is looked for.
    """
    if scheme.slices > _FEW_SLICES:
        return None
    return _safe(scheme, frozenset({_taken(scheme, kept)}), _sorted(scheme, wanted))


def _broken_rule(scheme: Scheme, layout: Layout) -> Impossible | None:
    """The first rule that a layout breaks by its numbers alone."""
    for name, count in layout.items():
        profile = scheme.profile(name)
        if profile is None:
            known = ", ".join(found.name for found in scheme.profiles)
            return Impossible(rule=Rule.UNKNOWN_PROFILE, text=f"{name} is none of its profiles: {known}.")
        if count > profile.most:
            text = f"It can have {profile.most} of {name} at most, and {count} are wanted."
            return Impossible(rule=Rule.TOO_MANY, text=text)
    if scheme.is_uniform:
        return _not_uniform(scheme, layout)
    wanted = [(profile, layout[profile.name]) for profile in scheme.profiles if profile.name in layout]
    return _too_many_slices(scheme, wanted) or _too_much_shared(scheme, wanted)


def _not_uniform(scheme: Scheme, layout: Layout) -> Impossible | None:
    whole = {profile.name: profile.most for profile in scheme.profiles}
    if len(layout) == 1 and all(whole[name] == count for name, count in layout.items()):
        return None
    choices = " or ".join(f"{name}={count}" for name, count in whole.items())
    text = f"All parts are of one profile, as many as there can be: {choices}, and not {layout_text(layout)}."
    return Impossible(rule=Rule.ONE_PROFILE, text=text)


def _too_many_slices(scheme: Scheme, wanted: _Wanted) -> Impossible | None:
    total = sum(profile.size * count for profile, count in wanted)
    if total <= scheme.slices:
        return None
    each = " + ".join(f"{count} × {profile.size}" for profile, count in wanted)
    text = f"Together they take {total} slices ({each}), and it has {scheme.slices}."
    return Impossible(rule=Rule.SLICES, text=text)


def _too_much_shared(scheme: Scheme, wanted: _Wanted) -> Impossible | None:
    for what, available in scheme.has.items():
        total = sum(profile.takes.get(what, 0) * count for profile, count in wanted)
        if total > available:
            text = f"Together they take {total} {_NOUNS.get(what, what)}, and it has {available}."
            return Impossible(rule=Rule.SHARED, text=text)
    return None


_NOUNS = {
    "compute": "compute slices",
    "decoders": "video decoders",
    "encoders": "video encoders",
    "jpeg": "JPEG engines",
    "ofa": "optical flow engines",
}


def _no_places(scheme: Scheme, layout: Layout) -> Impossible:
    where = "; ".join(
        f"{profile.name} begins at {', '.join(map(str, profile.starts))} and takes {profile.size}"
        for profile in scheme.profiles
        if profile.name in layout
    )
    text = f"There are slices enough, but no way to lay the parts side by side: {where}."
    return Impossible(rule=Rule.PLACES, text=text)


def _held(parts: tuple[Part, ...], layout: Layout) -> Impossible:
    which = ", ".join(f"{part.profile} at slice {part.start}" for part in _in_order(parts))
    text = f"{layout_text(layout)} leaves no room for what is held and stays where it is: {which}."
    return Impossible(rule=Rule.HELD, text=text, held=_in_order(parts))


def _most_kept(cut: Cut, layout: Layout, held: frozenset[str]) -> tuple[Part, ...] | None:
    """The parts that can stay, with the most slices together; None if those that are held cannot all stay."""
    parts = cut.parts or ()
    fixed = tuple(part for part in parts if part.id in held)
    free = tuple(part for part in parts if part.id not in held and part.profile in layout)
    for chosen in _choices(cut.scheme, free, layout):
        kept = fixed + chosen
        if _is_within(kept, layout) and _fits(cut.scheme, layout, kept):
            return kept
    return None


def _choices(scheme: Scheme, free: Sequence[Part], layout: Layout) -> Iterable[tuple[Part, ...]]:
    """Which of the free parts may be kept, those first that have the most slices together."""
    if len(free) <= _FEW_PARTS:
        subsets = (chosen for count in range(len(free) + 1) for chosen in combinations(free, count))
        return sorted(subsets, key=lambda chosen: -_size(scheme, chosen))
    wanted, most = Counter(layout), []
    for part in free:
        if wanted[part.profile] > 0:
            wanted[part.profile] -= 1
            most.append(part)
    return [tuple(most), ()]


def _is_within(kept: Sequence[Part], layout: Layout) -> bool:
    return all(count <= layout.get(name, 0) for name, count in Counter(part.profile for part in kept).items())


def _size(scheme: Scheme, parts: Sequence[Part]) -> int:
    profiles = (scheme.profile(part.profile) for part in parts)
    return sum(profile.size for profile in profiles if profile)


def _to_make(scheme: Scheme, layout: Layout, kept: Sequence[Part]) -> tuple[New, ...]:
    """What has to be made, where it leaves the most places for others, in an order that is safe if there is one."""
    ways = islice(_spots(scheme, layout, kept), _MOST_WAYS)
    spots = max(ways, key=lambda found: _left(scheme, found, kept))
    missing = Counter(layout) - Counter(part.profile for part in kept)
    order = making_order(scheme, missing, kept) or _sorted(scheme, missing)
    waiting = {name: [spot.place for spot in spots if spot.profile == name] for name in missing}
    return tuple(New(profile=name, place=waiting[name].pop(0)) for name in order)


def _left(scheme: Scheme, spots: Sequence[New], kept: Sequence[Part]) -> int:
    """How many slices the places have that are left for parts of any kind: the more, the more can be made later."""
    taken = _taken(scheme, kept).union(*(spot.place.slices for spot in spots))
    return sum(place.size for profile in scheme.profiles for place in profile.places if taken.isdisjoint(place.slices))


def _fits(scheme: Scheme, layout: Layout, kept: Sequence[Part]) -> bool:
    """Whether there is a way to lay what is missing beside what is kept."""
    return next(_spots(scheme, layout, kept), None) is not None


def _spots(scheme: Scheme, layout: Layout, kept: Sequence[Part]) -> Iterator[tuple[New, ...]]:
    """All ways to lay what is missing beside what is kept."""
    missing = Counter(layout) - Counter(part.profile for part in kept)
    return (tuple(found) for found in _laid(scheme, _sorted(scheme, missing), _taken(scheme, kept), -1))


def _laid(scheme: Scheme, names: Sequence[str], taken: frozenset[int], after: int) -> Iterator[list[New]]:
    """All ways to lay parts, those of equal names in the order of their places."""
    if not names:
        yield []
        return
    profile = scheme.profile(names[0])
    for place in profile.places if profile else ():
        if place.start > after and taken.isdisjoint(place.slices):
            following = place.start if names[1:2] == names[:1] else -1
            for rest in _laid(scheme, names[1:], taken | place.slices, following):
                yield [New(profile=names[0], place=place), *rest]


def _safe(scheme: Scheme, states: frozenset[frozenset[int]], names: tuple[str, ...]) -> tuple[str, ...] | None:
    """An order in which every part finds a place, whichever of some states the device is in."""
    if not names:
        return ()
    for name in dict.fromkeys(names):
        following = _states_after(scheme, states, name)
        place_of = names.index(name)
        rest = _safe(scheme, following, names[:place_of] + names[place_of + 1 :]) if following else None
        if rest is not None:
            return (name, *rest)
    return None


def _states_after(scheme: Scheme, states: frozenset[frozenset[int]], name: str) -> frozenset[frozenset[int]] | None:
    """What may be taken once a part is made, wherever it is put; None if it may find no place."""
    profile = scheme.profile(name)
    following: set[frozenset[int]] = set()
    for taken in states:
        free = {taken | place.slices for place in (profile.places if profile else ()) if taken.isdisjoint(place.slices)}
        if not free:
            return None
        following |= free
    return frozenset(following)


def _taken(scheme: Scheme, parts: Sequence[Part]) -> frozenset[int]:
    taken: frozenset[int] = frozenset()
    for part in parts:
        profile = scheme.profile(part.profile)
        taken |= Place(part.start, profile.size if profile else 1).slices
    return taken


def _sorted(scheme: Scheme, layout: Layout) -> tuple[str, ...]:
    """The names of parts, as often as they are wanted: the largest first, and of equal ones those with fewer places."""
    ranks = {profile.name: (-profile.size, len(profile.starts), profile.name) for profile in scheme.profiles}
    return tuple(sorted((name for name, count in layout.items() for _ in range(count)), key=lambda name: ranks[name]))


def _in_order(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (part.start, part.id)))
