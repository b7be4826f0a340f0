"""The simulated driver: one node of a fleet file, as this host's devices."""

from pathlib import Path

import pytest

from accel.drivers.base import Host
from accel.drivers.simulated import SimulatedDriver
from accel.errors import DriverFailure, DriverUnavailable
from accel.testing.driver_contract import options


def _driver(root: Path, text: str | None, *, host: str = "n1") -> SimulatedDriver:
    if text is not None:
        (root / "fleet.yaml").write_text(text)
    return SimulatedDriver(Host(name=host, root=root), options(SimulatedDriver, fleet_file="/fleet.yaml"))


def test_it_reports_the_devices_of_the_node_with_the_hosts_name(tmp_path: Path) -> None:
    text = "nodes: [{name: n1, cards: [{model: L4}]}, {name: n2, cards: [{model: T4, count: 2}]}]"

    assert [device.model for device in _driver(tmp_path, text, host="n2").discover()] == ["Tesla T4", "Tesla T4"]


def test_a_card_that_the_file_takes_out_and_puts_back_is_the_same_card(tmp_path: Path) -> None:
    text = "nodes: [{name: n1, cards: [{model: L4, count: 2}]}]\n"
    driver = _driver(tmp_path, text)
    before = driver.discover()

    (tmp_path / "fleet.yaml").write_text(text + "faults: [{node: n1, card: 0, state: absent}]")
    without = driver.discover()
    (tmp_path / "fleet.yaml").write_text(text)

    assert [device.address for device in without] == [device.address for device in before][1:]
    assert driver.discover() == before


def test_a_host_without_a_fleet_file_is_without_this_drivers_devices(tmp_path: Path) -> None:
    with pytest.raises(DriverUnavailable, match=r"fleet\.yaml does not exist"):
        _driver(tmp_path, None).discover()


def test_a_host_that_the_file_does_not_describe_is_told_the_names_it_does(tmp_path: Path) -> None:
    driver = _driver(tmp_path, "nodes: [{name: n1, cards: []}, {name: n2, cards: []}]", host="n3")

    with pytest.raises(DriverUnavailable, match="describes no node n3") as caught:
        driver.discover()

    assert "n1, n2" in caught.value.hint


def test_a_mistake_in_the_file_is_a_failure_of_the_driver_and_not_the_absence_of_devices(tmp_path: Path) -> None:
    driver = _driver(tmp_path, "nodes: [{name: n1, cards: [{model: L44}]}]")

    with pytest.raises(DriverFailure, match=r"fleet\.yaml:1: nodes\[0\]\.cards\[0\]\.model: 'L44'") as caught:
        driver.discover()

    assert not isinstance(caught.value, DriverUnavailable)
