"""Whatever a driver does, the agent lives, the other drivers answer, and the failure is said as a failure."""

import pytest
from support.faulty_drivers import faulty_drivers, looked, runner, setups

from accel.agent.runner import InlineRunner
from accel.model.device import Health
from accel.model.report import DriverReport, FailureKind

__all__ = ["faulty_drivers"]  # a fixture
pytestmark = pytest.mark.usefixtures("faulty_drivers")


@pytest.mark.parametrize(
    ("driver", "kind", "message"),
    [
        ("test-raises", FailureKind.CRASHED, "ZeroDivisionError: a mistake in the driver"),
        ("test-fails", FailureKind.CRASHED, "the card does not answer"),
        ("test-segfaults", FailureKind.CRASHED, "its process was ended by SIGSEGV"),
        ("test-exits", FailureKind.CRASHED, "its process ended with status 3 and gave no answer"),
        ("test-lacks-library", FailureKind.UNAVAILABLE, "libtest.so is not installed"),
        ("test-incomplete", FailureKind.UNAVAILABLE, "No module named 'a_library_that_is_not_installed'"),
        ("test-nonsense", FailureKind.INVALID, "devices[0] is 'a card'"),
        ("test-none", FailureKind.INVALID, "discover() gave None"),
    ],
)
def test_a_driver_that_fails_is_reported_as_failed_and_never_as_seeing_nothing(
    driver: str, kind: FailureKind, message: str
) -> None:
    (outcome,) = looked(driver)

    assert outcome.report.devices == ()
    assert outcome.report.failure is not None
    assert outcome.report.failure.kind is kind
    assert message in outcome.report.failure.message


def test_a_failure_says_what_to_do() -> None:
    hints = {
        outcome.report.driver: outcome.report.failure.hint
        for outcome in looked("test-fails", "test-lacks-library", "test-segfaults", "test-incomplete")
        if outcome.report.failure is not None
    }

    assert hints == {
        "test-fails": "turn it off and on again",
        "test-lacks-library": "install libtest",
        "test-segfaults": "see the kernel's log: dmesg",
        "test-incomplete": "install what the driver needs",
    }


def test_a_driver_that_hangs_is_ended_and_the_others_have_answered() -> None:
    outcomes = looked("test-hangs", "test-segfaults", "test-one-card", timeout_seconds=1)

    hung, dead, well = (outcome.report for outcome in outcomes)
    assert hung.failure is not None
    assert hung.failure.kind is FailureKind.TIMEOUT
    assert "no answer within 1 s" in hung.failure.message
    assert dead.failure is not None
    assert [device.model for device in well.devices] == ["Test card"]


@pytest.mark.parametrize(
    ("driver", "said"),
    [("test-examines-forever", "no answer within 3 s"), ("test-examines-to-death", "was ended by SIGSEGV")],
)
def test_a_device_that_was_seen_is_told_although_its_examination_does_not_end(driver: str, said: str) -> None:
    (outcome,) = looked(driver, timeout_seconds=3)

    (device,) = outcome.report.devices
    (signal,) = device.signals
    assert (outcome.report.failure, device.health) == (None, Health.HEALTHY)
    assert (signal.source, signal.value) == ("driver.examination", Health.UNKNOWN)
    assert said in signal.text


def test_a_driver_that_has_crashed_is_asked_again_at_the_next_look() -> None:
    asked = runner("test-segfaults", "test-one-card")
    asked.discover()

    again = asked.discover()

    assert [len(outcome.report.devices) for outcome in again] == [0, 1]


def test_what_a_driver_raised_is_kept_for_the_log() -> None:
    (outcome,) = looked("test-raises")

    assert "accel_test_drivers.py" in outcome.traceback


def test_options_reach_the_driver_in_its_process() -> None:
    (outcome,) = runner("test-one-card", options={"address": "0001:02:03.4"}).discover()

    assert str(outcome.report.devices[0].address) == "0001:02:03.4"


def test_drivers_that_run_in_the_agent_s_own_process_answer_the_same() -> None:
    names = ("test-one-card", "test-raises", "test-lacks-library", "test-nonsense")

    inline: list[DriverReport] = [outcome.report for outcome in InlineRunner(setups(*names)).discover()]

    assert inline == [outcome.report for outcome in looked(*names)]


def test_without_drivers_there_is_nothing_to_report() -> None:
    assert list(looked()) == []
