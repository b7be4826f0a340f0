"""Signals of health: what counts as news, when growth is forgotten, and what follows for the device."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel.model.device import Device, DeviceType, Health, Presence, Signal
from accel.model.health import CALM, STEADY, derived, settled
from accel.model.validate import signal_problems

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DEVICE = Device(identity="pci:0000:01:00.0", type=DeviceType.GPU, vendor="10de", product="20b0", model="A100")


def errors(count: int, *, at: datetime = NOW, value: Health = Health.HEALTHY) -> Signal:
    return Signal(source="pcie.aer", at=at, value=value, text=f"{count} fatal", count=count)


def warm(degrees: int, *, at: datetime = NOW, value: Health = Health.HEALTHY) -> Signal:
    return Signal(source="temperature", at=at, value=value, text=f"{degrees} °C")


def test_what_had_been_counted_before_the_first_look_says_nothing_of_today() -> None:
    assert settled(None, errors(7)).value is Health.HEALTHY


def test_a_count_that_grows_is_unhealthy_whatever_the_signal_says() -> None:
    assert settled(errors(7), errors(8, at=NOW + MINUTE)) == errors(8, at=NOW + MINUTE, value=Health.UNHEALTHY)


def test_growth_is_forgotten_when_the_count_has_stayed_for_long_enough() -> None:
    bad = settled(errors(7), errors(8))

    assert settled(bad, errors(8, at=NOW + CALM - MINUTE)) == bad
    assert settled(bad, errors(8, at=NOW + CALM)).value is Health.HEALTHY


def test_a_count_that_begins_again_is_believed() -> None:
    bad = settled(errors(7), errors(8))

    assert settled(bad, errors(0, at=NOW + MINUTE)) == errors(0, at=NOW + MINUTE)


def test_another_value_is_news_at_once() -> None:
    hot = warm(99, at=NOW + MINUTE, value=Health.UNHEALTHY)

    assert settled(warm(60), hot) == hot
    assert settled(hot, warm(60, at=NOW + 2 * MINUTE)).value is Health.HEALTHY


def test_the_same_in_other_words_is_news_only_now_and_then() -> None:
    before = warm(60)

    assert settled(before, warm(61, at=NOW + STEADY - MINUTE)) == before
    assert settled(before, warm(61, at=NOW + STEADY)) == warm(61, at=NOW + STEADY)
    assert settled(before, warm(60, at=NOW + 9 * STEADY)) == before


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 30)), max_size=30))
def test_a_counted_signal_is_unhealthy_exactly_while_its_count_has_grown_lately(looks: list[tuple[int, int]]) -> None:
    """The model: the moment of the newest growth since the count last began again."""
    known: Signal | None = None
    moment, count, grown_at = NOW, 0, datetime.min.replace(tzinfo=UTC)
    for now_count, minutes in looks:
        moment += minutes * MINUTE
        if known is not None and now_count > count:
            grown_at = moment
        elif now_count < count:
            grown_at = datetime.min.replace(tzinfo=UTC)
        count = now_count
        known = settled(known, errors(now_count, at=moment))
        assert (known.value is Health.UNHEALTHY) == (moment - grown_at < CALM)


def test_one_unhealthy_signal_makes_a_device_unhealthy_and_is_the_reason() -> None:
    device = replace(DEVICE, signals=(errors(1, value=Health.UNHEALTHY), warm(60)))

    found = derived(device)

    assert (found.health, found.reason) == (Health.UNHEALTHY, "pcie.aer: 1 fatal")
    assert found.signals == device.signals


def test_what_the_driver_says_itself_stays_among_the_reasons() -> None:
    device = replace(DEVICE, health=Health.UNKNOWN, reason="half of it is not read", signals=(warm(99),))
    hot = replace(device, signals=(warm(99, value=Health.UNHEALTHY),))

    assert derived(device) == device
    assert derived(hot).reason == "half of it is not read; temperature: 99 °C"


def test_what_is_not_known_does_not_make_a_device_unfit() -> None:
    device = replace(DEVICE, signals=(warm(60, value=Health.UNKNOWN),))

    assert derived(device) == device


def test_a_source_that_is_disregarded_is_shown_and_does_not_count() -> None:
    device = replace(DEVICE, signals=(warm(99, value=Health.UNHEALTHY),))

    assert derived(device, {"temperature"}) == device


def test_a_device_that_is_lost_stays_lost() -> None:
    lost = {"presence": Presence.LOST, "health": Health.UNKNOWN, "reason": "fell off the bus"}
    device = replace(DEVICE, signals=(warm(99, value=Health.UNHEALTHY),), **lost)

    assert derived(device) == device


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        ("no", "give an iterable"),
        ([7], r"signals\[0\] is 7"),
        ([replace(warm(1), value="good")], r"signals\[0\]\.value is 'good': give Health"),
        ([replace(warm(1), source="PCIe AER")], "source is 'PCIe AER'"),
        ([replace(warm(1), source="a" * 65)], "source is"),
        ([replace(warm(1), at=NOW.replace(tzinfo=None))], "give a time with its zone"),
        ([replace(warm(1), text="x" * 1021)], "text has 1021 characters"),
        ([errors(-1)], "count is -1"),
        ([warm(1), warm(2)], "source 'temperature' is given 2 times"),
    ],
)
def test_a_wrong_signal_is_named(signals: object, said: str) -> None:
    (problem, *_) = signal_problems(signals)

    assert re.search(said, problem)


def test_right_signals_have_no_problems() -> None:
    assert signal_problems([warm(1), errors(0)]) == []
