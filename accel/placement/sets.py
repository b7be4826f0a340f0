"""Sets of a given number of cards out of a larger one, without going through all of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from math import comb

from accel.placement.topology import bits

_MOST = 256
"""So many sets are looked at; where there are more, they are grown card by card."""


def sets_of(cards: int, size: int, twins: Sequence[int], value: Callable[[int], float]) -> Iterable[int]:
    """Sets of so many of the cards, among them a best one, or where there are very many, good ones.

    :param twins: for each card the first that can change places with it: sets that differ in such cards only are alike,
        and one of them stands for all
    :param value: how good a set is
    """
    kinds: dict[int, list[int]] = {}
    for card in bits(cards):
        kinds.setdefault(twins[card], []).append(card)
    members = tuple(tuple(cards) for cards in kinds.values())
    if comb(cards.bit_count(), size) > _MOST and _count(tuple(map(len, members)), size) > _MOST:
        return {_grown(cards, size, start, value) for start in bits(cards)}
    return _chosen(members, size)


def _count(sizes: tuple[int, ...], size: int) -> int:
    """How many ways there are to take so many of kinds of which there are so many each."""
    ways = [1, *(0 for _ in range(size))]
    for most in sizes:
        ways = [sum(ways[total - taken] for taken in range(min(most, total) + 1)) for total in range(size + 1)]
    return ways[size]


@lru_cache(maxsize=4096)
def _chosen(kinds: tuple[tuple[int, ...], ...], size: int) -> tuple[int, ...]:
    return tuple(_choices(kinds, size))


def _choices(kinds: tuple[tuple[int, ...], ...], size: int) -> Iterator[int]:
    if not kinds:
        if not size:
            yield 0
        return
    first, *rest = kinds
    others = sum(map(len, rest))
    for taken in range(min(len(first), size), max(0, size - others) - 1, -1):
        mask = sum(1 << card for card in first[:taken])
        for more in _choices(tuple(rest), size - taken):
            yield mask | more


def _grown(cards: int, size: int, start: int, value: Callable[[int], float]) -> int:
    """A set that begins with a card and takes in, one after the other, the card that makes it best."""
    grown = 1 << start
    while grown.bit_count() < size:
        grown = max((grown | 1 << card for card in bits(cards & ~grown)), key=value)
    return grown
