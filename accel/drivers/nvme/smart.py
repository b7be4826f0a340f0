"""What a drive says of its own health, whoever has read it: the SMART / Health Information log.

Facts are from the NVM Express base specification, "SMART / Health Information (Log Identifier 02h)". The same figures
come from the controller itself, from nvme-cli and from SPDK, each under names of its own.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accel.drivers.temperature import Sensor
from accel.model.device import Health
from accel.model.health import Signal

LOG_BYTES = 512
_KELVIN = 273
_WARNINGS: Mapping[int, str] = {
    0: "its spare capacity is below the threshold",
    1: "its temperature is beyond a threshold",
    2: "its reliability is degraded by errors",
    3: "its media can only be read",
    4: "the backup of its volatile memory has failed",
    5: "its persistent memory can only be read",
}
"""What the bits of the critical warning mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartLog:
    """The figures; None for one that is not told."""

    critical_warning: int | None = None
    """Bits; 0 is well."""
    temperature_celsius: int | None = None
    spare_percent: int | None = None
    """Spare capacity that is left, of what there was."""
    spare_threshold_percent: int | None = None
    used_percent: int | None = None
    """Of the life the maker expects; may be more than 100."""
    media_errors: int | None = None
    """Times that data could not be read whole."""
    power_on_hours: int | None = None


def from_log_page(page: bytes) -> SmartLog | None:
    """The figures of a log page as the controller gives it; None of one that is too short, or has only zeros.

    A drive that is on has a temperature above 0 K.
    """
    if len(page) < LOG_BYTES or not any(page):
        return None
    kelvin = _little(page[1:3])
    return SmartLog(
        critical_warning=page[0],
        temperature_celsius=kelvin - _KELVIN if kelvin else None,
        spare_percent=page[3],
        spare_threshold_percent=page[4],
        used_percent=page[5],
        media_errors=_little(page[160:176]),
        power_on_hours=_little(page[128:144]),
    )


def from_nvme_cli(text: str) -> SmartLog | None:
    """The figures that ``nvme smart-log --output-format=json`` prints; None of what is no such text."""
    try:
        said = json.loads(text)
    except ValueError:
        return None
    if not isinstance(said, dict) or "avail_spare" not in said:
        return None
    warning = said.get("critical_warning")
    kelvin = _number(said, "temperature")
    return SmartLog(
        critical_warning=_number(warning, "value") if isinstance(warning, dict) else _number(said, "critical_warning"),
        temperature_celsius=kelvin - _KELVIN if kelvin else None,
        spare_percent=_number(said, "avail_spare"),
        spare_threshold_percent=_number(said, "spare_thresh"),
        used_percent=_number(said, "percent_used"),
        media_errors=_number(said, "media_errors"),
        power_on_hours=_number(said, "power_on_hours"),
    )


def from_spdk(said: Mapping[str, Any]) -> SmartLog:
    """The figures of SPDK's ``bdev_nvme_get_controller_health_info``, which leaves out the critical warning."""
    return SmartLog(
        temperature_celsius=_number(said, "temperature_celsius"),
        spare_percent=_number(said, "available_spare_percentage"),
        spare_threshold_percent=_number(said, "available_spare_threshold_percentage"),
        used_percent=_number(said, "percentage_used"),
        media_errors=_number(said, "media_errors"),
        power_on_hours=_number(said, "power_on_hours"),
    )


def signal(log: SmartLog, source: str, at: datetime) -> Signal:
    """What the figures mean. Wear and errors are told and make no drive unfit; what it warns of itself does."""
    warnings = [text for bit, text in _WARNINGS.items() if (log.critical_warning or 0) >> bit & 1]
    if log.spare_percent is not None and log.spare_percent < (log.spare_threshold_percent or 0):
        warnings = list(dict.fromkeys([_WARNINGS[0], *warnings]))
    is_known = log.critical_warning is not None or log.spare_percent is not None
    value = Health.UNHEALTHY if warnings else Health.HEALTHY if is_known else Health.UNKNOWN
    text = "; ".join([*warnings, *_figures(log)])
    return Signal(source=source, at=at, value=value, text=text, count=log.media_errors)


def sensors(log: SmartLog) -> tuple[Sensor, ...]:
    """The temperature of the drive, as it says it itself."""
    return () if log.temperature_celsius is None else (Sensor("drive", log.temperature_celsius),)


def _figures(log: SmartLog) -> Iterator[str]:
    figures = {
        "% spare": log.spare_percent,
        "% of its life used": log.used_percent,
        " media errors": log.media_errors,
        " hours on": log.power_on_hours,
    }
    return (f"{figure}{what}" for what, figure in figures.items() if figure is not None)


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _number(said: Mapping[str, Any], key: str) -> int | None:
    """A number, which tools write as one or as a text where it may have 128 bits."""
    value = said.get(key)
    if isinstance(value, bool) or value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
