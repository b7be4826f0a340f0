"""What is known of the health of devices, whatever their driver does, and the watch over it from look to look."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from support.reports import answer, failed, gpu

from accel.agent.examination import examined
from accel.agent.vigil import Vigil
from accel.drivers.base import Host
from accel.errors import DriverFailure
from accel.model.device import Device, Health, Presence, Signal
from accel.model.report import DriverReport
from accel.testing import HostTree, PciRow

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FINE = Signal(source="nvml.ecc", at=NOW, value=Health.HEALTHY, text="no errors")


class Knowing:
    """A driver that knows the signals it is given, of every device, or fails with them."""

    options: ClassVar[tuple[()]] = ()

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def discover(self) -> tuple[Device, ...]:
        return ()

    def examine(self, device: Device) -> Iterable[Signal]:
        assert device.signals == ()
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: Iterator[Signal] = iter(self.answer)
        return answer


class Looking:
    """A driver that only looks."""

    options: ClassVar[tuple[()]] = ()

    def discover(self) -> tuple[Device, ...]:
        return ()


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def signals(driver: Any, host: Host, device: Device) -> dict[str, Signal]:
    (seen,) = examined(driver, host, [device]).devices
    assert replace(seen, signals=()) == device
    return {signal.source: signal for signal in seen.signals}


def test_a_driver_that_only_looks_has_devices_with_what_pci_tells(tree: HostTree) -> None:
    device = gpu(1)
    counters = {"aer_dev_fatal": "DLP 1", "aer_dev_nonfatal": "DLP 0", "aer_dev_correctable": "RxErr 0"}
    tree.pci_function(PciRow(address=str(device.address), vendor="10de", product="20b0", attributes=counters))

    assert {source: one.count for source, one in signals(Looking(), tree.host(), device).items()} == {"pcie.aer": 1}


def test_what_another_card_at_the_address_tells_is_not_the_device_s(tree: HostTree) -> None:
    device = gpu(1)
    tree.pci_function(PciRow(address=str(device.address), product="0001", attributes={"aer_dev_fatal": "DLP 1"}))

    assert signals(Looking(), tree.host(), device) == {}


def test_what_a_driver_knows_counts_before_what_pci_tells(tree: HostTree) -> None:
    device = gpu(1)
    row = PciRow(address=str(device.address), vendor="10de", product="20b0", attributes={"aer_dev_fatal": "DLP 1"})
    tree.pci_function(row)
    better = replace(FINE, source="pcie.aer")

    assert signals(Knowing([better, FINE]), tree.host(), device) == {"nvml.ecc": FINE, "pcie.aer": better}


def test_a_device_that_is_lost_is_not_examined(tree: HostTree) -> None:
    lost = gpu(1, presence=Presence.LOST, health=Health.UNKNOWN, reason="fell off the bus")

    assert signals(Knowing([FINE]), tree.host(), lost) == {}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (DriverFailure("the library is stuck"), "the library is stuck"),
        (KeyError("gpu"), "the driver raised KeyError: 'gpu'; see the agent's log for where"),
        ([FINE, FINE], "source 'nvml.ecc' is given 2 times"),
        ([replace(FINE, source="ECC!")], "source is 'ECC!'"),
        (["fine"], "signals[0] is 'fine'"),
    ],
)
def test_an_examination_that_fails_is_unknown_and_leaves_the_device(tree: HostTree, answer: Any, said: str) -> None:
    found = signals(Knowing(answer), tree.host(), gpu(1))["driver.examination"]

    assert (found.value, said in found.text) == (Health.UNKNOWN, True)


def test_where_a_driver_raised_is_kept_for_the_log(tree: HostTree) -> None:
    assert "KeyError" in examined(Knowing(KeyError("gpu")), tree.host(), [gpu(1)]).traceback
    assert examined(Knowing([FINE]), tree.host(), [gpu(1)]).traceback == ""


def counted(count: int, minutes: int) -> Device:
    return gpu(
        1, signals=(Signal(source="nvml.ecc", at=NOW + timedelta(minutes=minutes), value=Health.HEALTHY, count=count),)
    )


def judged(vigil: Vigil, report: DriverReport) -> Health:
    ((device,),) = (one.devices for one in vigil.judge([report]))
    return device.health


def test_errors_that_come_now_make_a_device_unhealthy_until_none_has_come_for_a_while() -> None:
    vigil = Vigil()

    assert [
        judged(vigil, answer(counted(count, minutes))) for count, minutes in ((3, 0), (4, 5), (4, 10), (4, 25), (4, 30))
    ] == [Health.HEALTHY, Health.UNHEALTHY, Health.UNHEALTHY, Health.HEALTHY, Health.HEALTHY]


def test_what_was_counted_is_remembered_over_a_failure_of_the_driver() -> None:
    vigil = Vigil()
    judged(vigil, answer(counted(3, 0)))
    vigil.judge([failed("nvidia")])

    assert judged(vigil, answer(counted(4, 10))) is Health.UNHEALTHY


def test_a_device_that_was_away_begins_anew() -> None:
    vigil = Vigil()
    judged(vigil, answer(counted(3, 0)))
    vigil.judge([answer()])

    assert judged(vigil, answer(counted(4, 10))) is Health.HEALTHY


def test_sources_that_are_disregarded_do_not_count() -> None:
    assert judged(
        Vigil(["pcie.link"]), answer(gpu(1, signals=(replace(FINE, source="pcie.link", value=Health.UNHEALTHY),)))
    ) is (Health.HEALTHY)
