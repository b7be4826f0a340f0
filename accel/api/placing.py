"""What the API answers questions about placement with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from accel.api.fleet_index import FleetIndex
from accel.api.recent_sizes import RecentSizes
from accel.placement.explain import explain
from accel.placement.fleet import Fleet
from accel.placement.scores import DEFAULT, Policy
from accel.placement.wanted import Wanted
from accel.placement.words import short


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """The fleet, and what is good."""

    index: FleetIndex
    recent: RecentSizes
    configured: Policy = DEFAULT
    """What is good whatever is asked for these days."""

    @property
    def policy(self) -> Policy:
        """What is good now. Whoever asks for it has nothing locked: it may be read.

        :raises DatabaseUnavailable: it cannot be
        """
        return replace(self.configured, sizes=self.recent.now())

    def weighed(self, weights: Mapping[str, float]) -> Policy:
        """The policy with other weights.

        :raises InvalidValue: they are not to be weighed with
        :raises DatabaseUnavailable: what is asked for these days cannot be read
        """
        return replace(self.policy, weights=dict(weights))


def why_not(wanted: Wanted, fleet: Fleet, policy: Policy) -> str:
    """In short, why something fits nowhere."""
    return short(explain(wanted, fleet, policy=policy))
