"""What is asked for these days: the shapes of recent requests, and how often each came.

A free accelerator is worth more where those that come fit: of eight that are free on one node, seven are lost to
whoever wants eight as soon as one is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

Shape = tuple[tuple[str, int], ...]
"""What a request takes of one node: accelerators by resource class, in the order of the classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How often requests of each shape come."""

    shares: Mapping[Shape, float] = field(default_factory=dict)
    """Parts of 1. Empty: nothing is known."""

    @classmethod
    def of(cls, seen: Mapping[Shape, int]) -> Self:
        """From how many came of each."""
        total = sum(seen.values())
        return cls(shares={shape: count / total for shape, count in seen.items() if count})
