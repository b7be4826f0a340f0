"""Signals of a device's health, and what follows from them.

A signal is a fact from one source. Two things are made of it before it is believed. What is counted, as errors are, is
judged by whether it grows: a device that had an error a month ago and has worked ever since is fit. And figures that
rise and fall all the time, as temperatures do, count as news only now and then.

A signal that is heard of before anybody has looked is an alarm: it counts until a look that began after it has ended.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from accel.model.device import Device, Health, Presence, Signal

__all__ = ["CALM", "SOURCE", "STEADY", "Alarm", "Signal", "alarmed", "derived", "settled", "since"]

SOURCE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
"""What names of sources look like."""

CALM = timedelta(minutes=15)
"""How long a count must have stayed what it is before its growth is forgotten."""
STEADY = timedelta(minutes=10)
"""How long a signal that says the same in other words is taken for unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """That something is the matter with a device, by the word of whoever heard of it first."""

    device: str
    """Its identity, or where it is: ``0000:3b:00.0``."""
    signal: Signal


def settled(before: Signal | None, now: Signal) -> Signal:
    """What a signal is taken for, by what it was taken for at the look before.

    :param before: None for one that was not there before: what had been counted by then says nothing of today
    """
    if before is None:
        return now
    if now.count is not None and before.count is not None:
        return _counted(before, before.count, now, now.count)
    says_the_same = (before.value, before.count) == (now.value, now.count)
    return before if says_the_same and _is_no_news(before, now) else now


def _counted(before: Signal, count_before: int, now: Signal, count: int) -> Signal:
    if count > count_before:
        return replace(now, value=Health.UNHEALTHY)
    if count == count_before and before.value is Health.UNHEALTHY and now.at - before.at < CALM:
        return before
    return before if (before.value, before.count) == (now.value, count) and _is_no_news(before, now) else now


def _is_no_news(before: Signal, now: Signal) -> bool:
    return before.text == now.text or now.at - before.at < STEADY


def since(known: Iterable[Signal], now: Iterable[Signal]) -> tuple[Signal, ...]:
    """The signals of now, each that says what is known already with the moment since when it has said so.

    An agent that begins anew does not know since when.
    """
    before = {signal.source: signal for signal in known}
    return tuple(_since(before.get(signal.source), signal) for signal in now)


def _since(before: Signal | None, now: Signal) -> Signal:
    return before if before is not None and replace(now, at=before.at) == before else now


def derived(device: Device, disregarded: Collection[str] = ()) -> Device:
    """A device with the health that follows from its signals: one that is unhealthy makes it unhealthy.

    What is not known of it is shown, and does not make it unfit: nobody would have a device whose kernel driver says
    little, or on whose host the agent has no privileges.

    :param disregarded: the sources that are shown and do not count
    """
    bad = [one for one in device.signals if one.value is Health.UNHEALTHY and one.source not in disregarded]
    if not bad or device.presence is Presence.LOST:
        return device
    return replace(device, health=Health.UNHEALTHY, reason="; ".join(filter(None, (device.reason, *_words(bad)))))


def alarmed(device: Device, alarms: Iterable[Alarm], disregarded: Collection[str] = ()) -> Device:
    """A device with the health that follows from the alarms about it, on top of what a look has found.

    :param disregarded: as for ``derived``
    """
    names = {device.identity, str(device.address)} if device.address else {device.identity}
    heard = tuple(alarm.signal for alarm in alarms if alarm.device in names)
    return replace(derived(replace(device, signals=heard), disregarded), signals=device.signals) if heard else device


def _words(signals: Iterable[Signal]) -> Iterable[str]:
    return (f"{signal.source}: {signal.text or 'unhealthy'}" for signal in signals)
