"""How devices come to be cut as it is wanted: what is done, who is in the way, what it costs, how it is undone.

Pure functions over what devices tell of themselves. A plan for a layout is about one device; a plan for a demand
chooses devices of a pool: those with the fewest holders in the way, and of these those that lose the least.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from accel.model.layout import Change, Impossible, after, change, room
from accel.model.partition import WHOLE, Cut, Layout, Part, layout_text

ON_WHOLE = ""
"""The part that is held where the device is: as it is whole, or as nobody knows which part it is."""


class Held(NamedTuple):
    """Somebody has something of a device."""

    part: str
    """The id of the part, or ``ON_WHOLE``."""
    by: str
    """Who it is, in the words that whoever asks may read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A device, as far as it matters to plans."""

    uuid: str
    name: str
    """Node and address, for people."""
    model: str
    cut: Cut
    held: tuple[Held, ...] = ()
    obstacle: str = ""
    """Why nothing can be done to it now; empty: something can."""
    is_offered: bool = True
    """Whether what it has is offered to anybody: not where it is disabled or not healthy."""


class Act(NamedTuple):
    """One thing that is done."""

    kind: str
    """``cut``, ``destroy``, ``make``, ``join`` or ``verify``."""
    profile: str
    start: int | None
    text: str


class InTheWay(NamedTuple):
    """Somebody who has to give something back before the device can be changed."""

    by: str
    part: str
    """What they have: ``3g.20gb at slice 4``, ``whole``."""
    goes: bool
    """Whether that is taken out; else it stays, and is theirs again afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What it takes to have a layout on a device."""

    subject: Subject
    layout: Layout
    """What is wanted of it, all of it."""
    change: Change | None = None
    """None: it cannot be."""
    impossible: Impossible | None = None
    """Why it cannot be; None: it can."""
    acts: tuple[Act, ...] = ()
    in_the_way: tuple[InTheWay, ...] = ()

    @property
    def before(self) -> Layout:
        """What is offered now."""
        return dict(self.subject.cut.layout) or {WHOLE: 1}

    @property
    def after(self) -> Layout:
        """What is offered afterwards."""
        return dict(self.layout) or {WHOLE: 1}

    @property
    def room(self) -> Layout:
        """How many more of which profile could be made afterwards, of each by itself, with nothing given up."""
        if self.change is None:
            return {}
        cut = after(self.subject.cut, self.change)
        found = {profile.name: room(cut, profile.name) for profile in cut.scheme.profiles}
        return {name: count for name, count in found.items() if count}

    @property
    def undo(self) -> Layout:
        """The layout that brings back what is there now."""
        return dict(self.subject.cut.layout)

    @property
    def lost(self) -> Layout:
        """What is offered now and not afterwards."""
        return dict(Counter(self.before) - Counter(self.after))

    @property
    def can_be_applied(self) -> bool:
        """Whether it can be done now."""
        return self.change is not None and not self.in_the_way and not self.subject.obstacle

    @property
    def is_nothing(self) -> bool:
        """Whether the device is so already."""
        return self.change is not None and self.change.is_nothing

    @property
    def text(self) -> str:
        """In a sentence or two, what it comes to."""
        wanted = layout_text(self.layout)
        if self.impossible is not None:
            return f"{self.subject.name} cannot have {wanted}. {self.impossible.text}"
        if self.is_nothing:
            return f"{self.subject.name} has {wanted} already."
        said = f"{self.subject.name} comes from {layout_text(self.undo)} to {wanted} in {_steps(len(self.acts))}."
        if self.subject.obstacle:
            return f"{said} Not now: {self.subject.obstacle}."
        if self.in_the_way:
            names = ", ".join(dict.fromkeys(one.by for one in self.in_the_way))
            return f"{said} Not while it is held: {names}."
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandPlan:
    """What it takes to have so many parts free."""

    wanted: Layout
    free: Layout
    """How many of each are free already."""
    made: Layout
    """How many of each the plans make."""
    plans: tuple[Plan, ...] = field(default=())

    @property
    def missing(self) -> Layout:
        """What no device of the pool can give besides."""
        return dict(Counter(self.wanted) - Counter(self.free) - Counter(self.made))


def plan_layout(subject: Subject, layout: Layout) -> Plan:
    """How a device comes to a layout.

    What is held stays where it can. Where it cannot, the plan says what would be done if it were given back.
    """
    held = {one.part for one in subject.held if one.part}
    found = change(subject.cut, layout, held=held)
    if isinstance(found, Impossible) and found.held:
        found = change(subject.cut, layout)
    if isinstance(found, Impossible):
        return Plan(subject=subject, layout=layout, impossible=found)
    return Plan(
        subject=subject,
        layout=layout,
        change=found,
        acts=tuple(_acts(found)) if not found.is_nothing else (),
        in_the_way=tuple(_in_the_way(subject, found)) if not found.is_nothing else (),
    )


def plan_demand(pool: Sequence[Subject], wanted: Layout) -> DemandPlan:
    """Which devices of a pool give what is wanted, beside what is free already.

    Profiles are taken in the order of their size, largest first: a small part finds a place where a large one does not.
    """
    able = {subject.uuid: subject for subject in pool if subject.is_offered and not subject.obstacle}
    free = {name: min(count, sum(_free(subject, name) for subject in able.values())) for name, count in wanted.items()}
    layouts: dict[str, Layout] = {}
    made: Counter[str] = Counter()
    for name in sorted(wanted, key=lambda name: (-_size(pool, name), name)):
        for uuid, count in _chosen(able, layouts, name, wanted[name] - free[name], wanted).items():
            layouts[uuid] = Counter(_layout(able[uuid], layouts, wanted)) + Counter({name: count})
            made[name] += count
    plans = tuple(plan_layout(subject, layouts[uuid]) for uuid, subject in able.items() if uuid in layouts)
    return DemandPlan(wanted=wanted, free=free, made=dict(made), plans=plans)


def _acts(found: Change) -> Iterator[Act]:
    if found.cuts:
        yield Act("cut", "", None, "switch the device over to being cut into parts")
    for part in found.destroyed:
        yield Act("destroy", part.profile, part.start, f"take out {_described(part)}")
    for new in found.made:
        yield Act("make", new.profile, new.place.start, f"make {new.profile} at slice {new.place.start}")
    if found.joins:
        yield Act("join", "", None, "switch the device back to being whole")
    yield Act("verify", "", None, "look at the device again and compare")


def _in_the_way(subject: Subject, found: Change) -> Iterator[InTheWay]:
    """Everybody who has something of the device: it is changed while nobody has any part of it, kept or not."""
    parts = {part.id: part for part in subject.cut.parts or ()}
    kept = {part.id for part in found.kept}
    for held in subject.held:
        part = parts.get(held.part)
        yield InTheWay(held.by, _described(part) if part else WHOLE, held.part not in kept)


def _described(part: Part) -> str:
    return f"{part.profile} at slice {part.start}"


def _steps(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"


def _free(subject: Subject, name: str) -> int:
    """How many free parts of a profile a device has."""
    held = {one.part for one in subject.held}
    if ON_WHOLE in held:
        return 0
    return sum(part.profile == name and part.id not in held for part in subject.cut.parts or ())


def _size(pool: Sequence[Subject], name: str) -> int:
    sizes = (profile.size for subject in pool if (profile := subject.cut.scheme.profile(name)) is not None)
    return max(sizes, default=0)


def _layout(subject: Subject, layouts: Mapping[str, Layout], wanted: Layout) -> Layout:
    """What stays on a device whatever is made on it: what is planned there, or what is held and what is wanted free."""
    if subject.uuid in layouts:
        return layouts[subject.uuid]
    held = {one.part for one in subject.held}
    return Counter(part.profile for part in subject.cut.parts or () if part.id in held or part.profile in wanted)


_BITS = 16
"""Room for each figure of a cost, added up over a pool."""
_NEVER = np.int64(1 << 62)
"""The cost of what cannot be."""


class _Offer(NamedTuple):
    """What it costs to make so many parts on a device."""

    cost: int
    """Holders in the way, then slices that are offered now and given up, then whole devices cut, then devices changed:
    one number, so that lesser ones count where greater ones are equal."""
    made: int
    """How many are made: more than are needed, where all that fit have to be made at once."""
    needed: int


def _chosen(
    able: Mapping[str, Subject], layouts: Mapping[str, Layout], name: str, count: int, wanted: Layout
) -> Mapping[str, int]:
    """Where to make so many parts of a profile, as many as can be, at the least cost: the problem of the knapsack."""
    best = np.full(count + 1, _NEVER)
    best[0] = 0
    taken: list[tuple[str, Sequence[_Offer], Any]] = []
    known: dict[Any, Sequence[_Offer]] = {}
    for uuid, subject in able.items():
        stays = _layout(subject, layouts, wanted)
        # Devices that are cut alike and held alike cost alike.
        key = (subject.model, subject.cut.scheme.name, subject.cut.parts, subject.held, tuple(sorted(stays.items())))
        if key not in known:
            known[key] = tuple(_offers(subject, stays, name, count))
        which = np.zeros(count + 1, dtype=np.int16)
        now = best.copy()
        for number, offer in enumerate(known[key], start=1):
            with_it = best[: count + 1 - offer.needed] + offer.cost
            is_less = with_it < now[offer.needed :]
            now[offer.needed :][is_less] = with_it[is_less]
            which[offer.needed :][is_less] = number
        best = now
        taken.append((uuid, known[key], which))
    return dict(_walk_back(taken, int(np.flatnonzero(best < _NEVER)[-1])))


def _walk_back(taken: Sequence[tuple[str, Sequence[_Offer], Any]], total: int) -> Iterator[tuple[str, int]]:
    """Which devices the best way to so many parts is made of, the last one first."""
    for uuid, offers, which in reversed(taken):
        if which[total]:
            offer = offers[which[total] - 1]
            yield uuid, offer.made
            total -= offer.needed


def _offers(subject: Subject, stays: Layout, name: str, count: int) -> Iterator[_Offer]:
    """What it costs to make one part more beside what stays, two more, and so on."""
    profile = subject.cut.scheme.profile(name)
    if profile is None or any(held.part == ON_WHOLE for held in subject.held):
        return
    for made in [profile.most] if subject.cut.scheme.is_uniform else range(1, min(count, profile.most) + 1):
        plan = plan_layout(subject, Counter(stays) + Counter({name: made}))
        if plan.change is None:
            return
        yield _Offer(_cost(plan, plan.change), made, min(made, count))


def _cost(plan: Plan, found: Change) -> int:
    scheme = plan.subject.cut.scheme
    profiles = (scheme.profile(part.profile) for part in found.destroyed)
    given_up = sum(profile.size for profile in profiles if profile) + (scheme.slices if found.cuts else 0)
    return (((len(plan.in_the_way) << _BITS) + given_up << _BITS) + int(found.cuts) << _BITS) + 1
