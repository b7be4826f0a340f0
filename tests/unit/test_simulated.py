"""The simulated driver: one node of a fleet file, as this host's devices."""

from hashlib import sha256
from pathlib import Path

import pytest

from accel.drivers.base import Host
from accel.drivers.fleet.traces import Traces, traces_of
from accel.drivers.simulated import SimulatedDriver
from accel.errors import ActNotSupported, DriverFailure, DriverUnavailable, LayoutImpossible
from accel.model.device import Deployable, Device
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


# --- cutting ---


CARDS = "nodes: [{name: n1, cards: [{model: A100-SXM4-40GB, count: 2}, {model: L4}]}, {name: n2, cards: []}]"


def _silent(_message: str, _fraction: float | None = None) -> None:
    pass


def _parts(driver: SimulatedDriver, number: int) -> str:
    return [*driver.discover()][number].std_board_info["partition_layout"]


def _keys(device: Device) -> set[str]:
    return {handle.key for part in device.deployables for handle in part.handles}


def test_a_card_is_cut_and_joined_and_another_look_knows(tmp_path: Path) -> None:
    driver = _driver(tmp_path, CARDS)
    first, second, _ = driver.discover()

    driver.partition(second, {"3g.20gb": 1, "1g.5gb": 1}, _silent)

    again = _driver(tmp_path, None)
    assert (_parts(again, 0), _parts(again, 1)) == ("whole", "1=3g.20gb@4; 2=1g.5gb@0")
    assert [part.kind for part in [*again.discover()][1].deployables] == ["card", "mig", "mig"]
    driver.partition(second, {}, _silent)
    assert [*again.discover()][:2] == [first, second]


def test_what_stays_keeps_its_number_and_its_uuid(tmp_path: Path) -> None:
    driver = _driver(tmp_path, CARDS)
    card, *_ = driver.discover()
    driver.partition(card, {"1g.5gb": 1, "2g.10gb": 1}, _silent)
    before, *_ = driver.discover()

    driver.partition(card, {"2g.10gb": 1, "4g.20gb": 1}, _silent)

    after, *_ = driver.discover()
    assert len(_keys(before) & _keys(after)) == 1
    assert _parts(driver, 0).count("=") == 2


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    driver = _driver(tmp_path, CARDS)
    card, _, plain = driver.discover()

    with pytest.raises(LayoutImpossible, match="at most"):
        driver.partition(card, {"4g.20gb": 2}, _silent)
    with pytest.raises(ActNotSupported, match="cannot be cut"):
        driver.partition(plain, {"1g.5gb": 1}, _silent)


# --- loading, handing out, scrubbing ---


def _first(driver: SimulatedDriver) -> tuple[Device, Deployable]:
    device = next(iter(driver.discover()))
    return device, device.deployables[0]


def test_an_image_is_loaded_into_an_fpga_and_taken_out(tmp_path: Path) -> None:
    driver = _driver(tmp_path, "nodes: [{name: n1, cards: [{model: Alveo-U280}]}]")
    device, part = _first(driver)
    image = tmp_path / "image"
    image.write_bytes(b"bits")
    traces = traces_of(Host(name="n1", root=tmp_path).memory, "n1")

    driver.program(device, part, image, _silent)
    assert traces.read()[part.name].loaded == sha256(b"bits").hexdigest()
    driver.blank(device, part, _silent)
    assert traces.read()[part.name].loaded == ""


def test_nothing_is_loaded_into_what_is_no_fpga(tmp_path: Path) -> None:
    driver = _driver(tmp_path, CARDS)

    with pytest.raises(ActNotSupported, match="is no FPGA"):
        driver.program(*_first(driver), tmp_path / "image", _silent)


def test_what_a_user_has_left_is_there_until_it_is_scrubbed(tmp_path: Path) -> None:
    driver = _driver(tmp_path, CARDS)
    device, part = _first(driver)
    traces = traces_of(Host(name="n1", root=tmp_path).memory, "n1")

    for _ in range(2):  # each may be repeated
        driver.prepare(device, part, part.handles[0], "key")
    assert traces.read()[part.name] == Traces(users=["key"])
    for _ in range(2):
        driver.release(device, part, part.handles[0], "key")
    assert traces.read()[part.name] == Traces(left=["key"])
    driver.scrub(device, part, "zero", _silent)
    assert traces.read()[part.name] == Traces()
