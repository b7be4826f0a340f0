"""Signals of a device's health: each one fact from one source at one time."""

from dataclasses import dataclass
from datetime import datetime

from accel.model.device import Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What one source says of a device's fitness at one moment."""

    source: str
    """Where it is from: ``nvml.xid``, ``pcie.aer``, ``nvme.smart`` …"""
    at: datetime
    """When it was so, with zone."""
    value: Health
    """What it says; what cannot be read is unknown, not healthy."""
    text: str = ""
    """The figures, and what they mean, for people."""
    count: int | None = None
    """How often what it tells of has happened since the host was started: that it grows is what matters, whatever the
    value. None for what is not counted."""
