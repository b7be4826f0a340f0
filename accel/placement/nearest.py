"""The node that comes nearest to a question that fits nowhere, and what is the matter with the rest of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from accel.placement.explanation import Missing, Nearest
from accel.placement.filters import Step
from accel.placement.shapes import Shape
from accel.placement.sight import Sight
from accel.placement.snapshot import Host
from accel.placement.survey import ALL, PLACE, Inquiry
from accel.placement.topology import bits
from accel.placement.words import noun, where

HELD = "held"

_MOST_COMPARED = 200
"""Among so many of the nearest nodes the one is looked for where something is given back first."""
_COUNTED = range(PLACE[Step.USABLE], PLACE[Step.TOGETHER] + 1)
"""The steps that stop nodes with something of the right kind for each group."""
_NEVER = datetime.max.replace(tzinfo=UTC)


class _Shortfall(NamedTuple):
    """What a node is short of, for the group that finds least."""

    share: float
    """How much there is of what is wanted, from 0 to 1."""
    possible: int
    """How many there were in that place if all could be taken, as far as they are wanted."""
    group: int
    found: int
    place: int
    """The cards that are looked at, as a set."""


def nearest(inquiry: Inquiry, sight: Sight) -> Nearest | None:
    """The nearest node; None where none has anything of the right kind, or where one is short of no number."""
    crowd = sight.crowd(inquiry.wanted)
    found = {shape: _shortfall(inquiry, shape) for shape in crowd if inquiry.step_of(shape) in _COUNTED}
    if None in found.values():
        return None  # that node comes nearer than those that are short of something
    short = {shape: how for shape, how in found.items() if how is not None}
    if not short:
        return None
    best = max(how[:2] for how in short.values())
    equal = {shape: how for shape, how in short.items() if how[:2] == best}
    names = list(islice(sight.names(equal, inquiry.wanted), _MOST_COMPARED))
    told = [_told(inquiry, sight, name, equal[sight.now(name)]) for name in names]
    return min(
        told, key=lambda found: (min((part.until or _NEVER for part in found.missing), default=_NEVER), found.node)
    )


def _shortfall(inquiry: Inquiry, shape: Shape) -> _Shortfall | None:
    """What nodes of a shape are short of; None where it is no number of things of one group."""
    part = max(inquiry.parts, key=lambda part: inquiry.step_of_part(part, shape))
    short = [_place(inquiry, shape, group) for group in part.numbers]
    return min((how for how in short if how.share < 1), key=lambda how: how.share, default=None)


def _place(inquiry: Inquiry, shape: Shape, group: int) -> _Shortfall:
    """The place on a node where a group finds most, by how near it wants things to be."""
    wanted = inquiry.wanted.groups[group]
    now: dict[int, int] = {}
    ever: dict[int, int] = {}
    for slot in shape.slots:
        if inquiry.kinds[group].step_of_spec(slot.spec) == ALL:
            now[slot.card] = now.get(slot.card, 0) + (0 if slot.obstacle else slot.free)
            ever[slot.card] = ever.get(slot.card, 0) + slot.free + slot.held
    places = shape.topology.cliques(wanted.near, sum(1 << card for card in ever))
    amounts = [(sum(now[card] for card in bits(place)), sum(ever[card] for card in bits(place))) for place in places]
    (found, possible), place = max(zip(amounts, places, strict=True))
    return _Shortfall(min(1.0, found / wanted.count), min(possible, wanted.count), group, found, place)


def _told(inquiry: Inquiry, sight: Sight, name: str, short: _Shortfall) -> Nearest:
    wanted = inquiry.wanted.groups[short.group]
    missing = _missing(inquiry, sight.now(name), sight.fleet.hosts[name], short)
    return Nearest(
        node=name,
        group=short.group,
        wanted=wanted.count,
        found=short.found,
        where=where(wanted.near),
        noun=noun(wanted),
        missing=tuple(sorted(missing, key=lambda part: (part.state != HELD, part.until or _NEVER, part.unit))),
    )


def _missing(inquiry: Inquiry, shape: Shape, host: Host, short: _Shortfall) -> Iterator[Missing]:
    """What there is of the right kind in a place and cannot be taken."""
    for slot in shape.slots:
        if not short.place >> slot.card & 1 or inquiry.kinds[short.group].step_of_spec(slot.spec) < ALL:
            continue
        card = host.cards[slot.card]
        unit = card.units[slot.unit]
        count = slot.free + slot.held if slot.obstacle else slot.held
        if count:
            yield Missing(
                device=card.uuid,
                unit=unit.uuid,
                state=slot.obstacle or HELD,
                count=count,
                until=None if slot.obstacle else unit.held_until,
                reason=card.reason if slot.obstacle else "",
            )
