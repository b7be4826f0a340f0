"""What the API answers questions about placement with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from accel.api.fleet_index import FleetIndex
from accel.placement.fleet import Fleet
from accel.placement.scores import DEFAULT, Policy
from accel.placement.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """The fleet, and what is good."""

    index: FleetIndex
    policy: Policy = DEFAULT

    def weighed(self, weights: Mapping[str, float]) -> Policy:
        """The policy with other weights.

        :raises InvalidValue: they are not to be weighed with
        """
        return replace(self.policy, weights=dict(weights))


def why_not(wanted: Wanted, fleet: Fleet) -> str:
    """In short, why something fits nowhere."""
    online = sum(host.is_online for host in fleet.hosts.values())
    return f"nothing fits on any of {len(fleet)} nodes, of which {online} are online; {len(wanted.groups)} wanted"
