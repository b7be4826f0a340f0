"""Which reported device is which recorded one.

A device is known by its identity. Some identities are weak: only the slot tells such a device from its like. A device
can be known weakly at one time and strongly at another, for instance when the vendor's library is missing for a while.
So a weakly and a strongly identified device of the same vendor and product at the same address are taken for one, and
the strong identity is the one that is kept. Two strong identities are never one device.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from accel.model.device import Device, Presence
from accel.model.record import RecordedDevice
from accel.model.report import NodeReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A device as a driver sees it now."""

    driver: str
    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A recorded device and how it is seen now."""

    recorded: RecordedDevice
    sighting: Sighting

    @property
    def is_weaker(self) -> bool:
        """Whether all that was seen is that the slot of a device which we know better is taken."""
        return self.sighting.device.is_weakly_identified and not self.recorded.device.is_weakly_identified

    @property
    def device(self) -> Device:
        """The device as it is seen, under the stronger of both identities."""
        seen = self.sighting.device
        return replace(seen, identity=self.recorded.device.identity) if self.is_weaker else seen


def sightings(report: NodeReport) -> list[Sighting]:
    """The devices of a report, each once: by identity the first driver's word counts, in a slot the stronger one."""
    by_identity: dict[str, Sighting] = {}
    for driver in report.drivers:
        for device in driver.devices:
            by_identity.setdefault(device.identity, Sighting(driver=driver.driver, device=device))
    strong = {_slot(seen.device) for seen in by_identity.values() if not seen.device.is_weakly_identified}
    return [
        seen
        for seen in by_identity.values()
        if not seen.device.is_weakly_identified or seen.device.address is None or _slot(seen.device) not in strong
    ]


def match(recorded: Sequence[RecordedDevice], seen: Sequence[Sighting]) -> tuple[list[Match], list[Sighting]]:
    """Pair what is recorded with what is seen; also give the sightings that are of no recorded device."""
    by_identity = {known.device.identity: known for known in recorded}
    matches = [Match(recorded=by_identity[s.device.identity], sighting=s) for s in seen if _identity(s) in by_identity]
    matched = {pair.recorded.id for pair in matches}
    slots = _by_slot(known for known in recorded if known.id not in matched)
    new = []
    for sighting in sorted((s for s in seen if _identity(s) not in by_identity), key=_identity):
        known = _take_from_slot(slots[_slot(sighting.device)], sighting)
        if known is None:
            new.append(sighting)
        else:
            matches.append(Match(recorded=known, sighting=sighting))
    return matches, new


def _identity(sighting: Sighting) -> str:
    return sighting.device.identity


def _slot(device: Device) -> tuple[str, str, str]:
    return str(device.address or ""), device.vendor, device.product


def _by_slot(recorded: Iterable[RecordedDevice]) -> defaultdict[tuple[str, str, str], list[RecordedDevice]]:
    """Recorded devices by slot; in each, the one that is there, then one that is reported as lost, then those that are
    gone, the newest of these first.
    """

    def rank(known: RecordedDevice) -> tuple[bool, bool, int]:
        return known.unreported_at is not None, known.device.presence is Presence.LOST, -known.id

    slots = defaultdict(list)
    for known in sorted(recorded, key=rank):
        slots[_slot(known.device)].append(known)
    return slots


def _take_from_slot(candidates: list[RecordedDevice], sighting: Sighting) -> RecordedDevice | None:
    if sighting.device.address is None:
        return None
    for known in candidates:
        if known.device.is_weakly_identified != sighting.device.is_weakly_identified:
            candidates.remove(known)
            return known
    return None
