"""What an explanation says: how far the fleet comes with a question, what stands in the way, what would help.

It is said in words, and in values that can be checked.
"""

from dataclasses import dataclass
from datetime import datetime

from accel.placement.relaxation import Relaxation


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why something does not pass a filter."""

    text: str
    """``lacks trait X``."""
    count: int
    """Of how many devices or nodes it is so; each is counted once."""
    of_nodes: bool = False
    """Whether nodes are counted, and not devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What is left after a filter."""

    filter: str
    nodes: int
    devices: int
    """The devices on these nodes of which one of the groups can still take something."""
    reasons: tuple[Reason, ...] = ()
    """Why the others are not among them, the most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """What stands in the way first."""

    code: str
    """Never changes."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something of the right kind that cannot be taken now."""

    device: str
    """The UUID of the device."""
    unit: str
    """The UUID of the deployable."""
    state: str
    """``held``, or the obstacle."""
    count: int
    """How many handles."""
    until: datetime | None = None
    """When the first of them is given back, where that is known."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The node that comes nearest to what one group wants, or as near as any other."""

    node: str
    group: int
    wanted: int
    found: int
    where: str
    """Where on the node they are to be: ``on one NUMA node``."""
    noun: str
    """What is wanted: ``H100``."""
    missing: tuple[Missing, ...] = ()
    """What else there is of the right kind in that place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """A question with one constraint less, which fits."""

    relaxation: Relaxation
    nodes: int
    """On how many nodes it, or a part of it, fits."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The whole of it."""

    nodes: int
    """On how many nodes the question, or a part of it, fits."""
    steps: tuple[Passed, ...]
    blocker: Blocker | None = None
    """None: it fits."""
    nearest: Nearest | None = None
    counterfactuals: tuple[Counterfactual, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether nothing stands in the way."""
        return self.blocker is None
