"""The published contract catches a driver that breaks it, one promise after the other."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from oslo_config import cfg

from accel.drivers.acts import ACTS, Programmable, Resettable
from accel.drivers.base import Driver, Host
from accel.drivers.fake import FakeDriver
from accel.errors import DriverFailure, DriverUnavailable
from accel.model.device import Device, Signal
from accel.testing.driver_contract import DriverContract, options


class _Probe:
    """A driver that answers whatever it is told to."""

    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def discover(self) -> Any:
        return self._answer()


def _right(host: Host) -> tuple[Device, ...]:
    return FakeDriver(host, options(FakeDriver)).discover()


def _contract(make: Callable[[Host], Any]) -> DriverContract:
    class Contract(DriverContract):
        def make_driver(self, host: Host) -> Driver:
            driver: Driver = make(host)
            return driver

    return Contract()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(name="node-1", root=tmp_path)


def test_a_class_without_options_is_no_driver(tmp_path: Path) -> None:
    class Bare:
        def discover(self) -> tuple[Device, ...]:
            return ()

    with pytest.raises(AssertionError, match="is no driver: give it a class attribute `options`"):
        _contract(lambda _: Bare()).test_it_is_a_driver_whose_options_are_declared_with_help(tmp_path)


def test_an_option_without_help_is_caught(tmp_path: Path) -> None:
    class Terse(_Probe):
        options = (cfg.StrOpt("path"),)

    with pytest.raises(AssertionError, match=r"options without help: \['path'\]"):
        _contract(lambda _: Terse(tuple)).test_it_is_a_driver_whose_options_are_declared_with_help(tmp_path)


@pytest.mark.parametrize("answer", [None, 7, "GPU-1", ["GPU-1"], {}], ids=repr)
def test_an_answer_that_is_no_iterable_of_devices_is_caught(host: Host, answer: object) -> None:
    with pytest.raises(AssertionError, match="the answer is not right"):
        _contract(lambda _: _Probe(lambda: answer)).test_its_answer_is_right(host)


def test_a_device_that_breaks_a_rule_of_the_model_is_caught_with_the_way_to_mend_it(host: Host) -> None:
    wrong = [replace(device, numa_node=-1) for device in _right(host)]

    with pytest.raises(AssertionError, match="numa_node is -1: give None where the host does not say"):
        _contract(lambda _: _Probe(lambda: wrong)).test_its_answer_is_right(host)


def test_names_that_do_not_start_with_the_nodes_are_caught(host: Host) -> None:
    elsewhere = _right(replace(host, name="node-2"))

    with pytest.raises(AssertionError, match="its name does not start with the node's"):
        _contract(lambda _: _Probe(lambda: elsewhere)).test_its_answer_is_right(host)


def test_an_answer_that_changes_from_look_to_look_is_caught(host: Host) -> None:
    numbers = itertools.count()

    def answer() -> list[Device]:
        return [replace(device, identity=f"serial:{next(numbers)}") for device in _right(host)]

    with pytest.raises(AssertionError, match="two looks at one host differ"):
        _contract(lambda _: _Probe(answer)).test_looking_twice_gives_the_same_answer(host)


def test_an_answer_that_changes_from_driver_to_driver_is_caught(host: Host) -> None:
    numbers = itertools.count()

    def make(host: Host) -> _Probe:
        number = next(numbers)
        return _Probe(lambda: [replace(device, identity=f"serial:{number}") for device in _right(host)])

    with pytest.raises(AssertionError, match="a new driver sees something else"):
        _contract(make).test_looking_twice_gives_the_same_answer(host)


def _write_anew(path: Path) -> None:
    path.write_text("7")


@pytest.mark.parametrize(
    "write",
    [
        lambda root: (root / "new").touch(),
        lambda root: (root / "sys/numvfs").unlink(),
        lambda root: _write_anew(root / "sys/numvfs"),
    ],
    ids=["makes a file", "removes a file", "changes a file"],
)
def test_a_driver_that_writes_on_the_host_is_caught(host: Host, write: Callable[[Path], None]) -> None:
    host.sysfs.mkdir()
    (host.sysfs / "numvfs").write_text("12")

    def answer() -> tuple[Device, ...]:
        write(host.root)
        return ()

    with pytest.raises(AssertionError, match=r"discover\(\) wrote below the host's root"):
        _contract(lambda _: _Probe(answer)).test_looking_changes_nothing_on_the_host(host)


def test_an_answer_that_cannot_leave_the_process_is_caught(host: Host) -> None:
    locked = [replace(device, std_board_info={"lock": threading.Lock()}) for device in _right(host)]  # type: ignore[dict-item]  # the mistake under test

    with pytest.raises(pytest.fail.Exception, match="the answer cannot be pickled"):
        _contract(lambda _: _Probe(lambda: locked)).test_its_answer_can_be_pickled(host)


def test_a_driver_that_sees_nothing_in_a_tree_is_caught(host: Host) -> None:
    with pytest.raises(AssertionError, match="the driver sees no device in"):
        _contract(lambda _: _Probe(tuple)).test_it_sees_a_device_in_each_tree(host, host.root)


def test_a_driver_that_says_that_its_library_is_away_keeps_the_contract(host: Host) -> None:
    def answer() -> Iterator[Device]:
        yield from ()
        raise DriverUnavailable("no library")

    contract = _contract(lambda _: _Probe(answer))

    contract.test_its_answer_is_right(host)
    contract.test_looking_twice_gives_the_same_answer(host)


def test_a_driver_that_fails_on_a_host_without_its_devices_is_caught(host: Host) -> None:
    def answer() -> tuple[Device, ...]:
        raise DriverFailure("no such file")

    with pytest.raises(DriverFailure):
        _contract(lambda _: _Probe(answer)).test_its_answer_is_right(host)


def test_a_contract_that_does_not_say_how_the_driver_is_made_tells_how_to(host: Host) -> None:
    with pytest.raises(NotImplementedError, match="say how your driver is made"):
        DriverContract().test_its_answer_is_right(host)


# --- what a driver can do ---


class _Able(_Probe):
    """A driver that can do something."""

    scrub_methods: ClassVar[Sequence[str]] = ("zero",)

    def __init__(self) -> None:
        super().__init__(tuple)

    def program(self, device: object, deployable: object, image: object, progress: object) -> None: ...

    def blank(self, device: object, deployable: object, progress: object) -> None: ...

    def scrub(self, device: object, deployable: object, method: object, progress: object) -> None: ...


@pytest.mark.parametrize("act", ACTS)
def test_a_driver_may_be_able_to_do_some_of_what_there_is(act: type, tmp_path: Path) -> None:
    contract = _contract(lambda _: _Able())

    contract.test_what_it_can_do_it_does_as_the_protocol_says(act, tmp_path)
    contract.test_it_names_the_ways_in_which_it_scrubs(tmp_path)


def test_a_driver_that_can_do_half_of_what_belongs_together_is_caught(tmp_path: Path) -> None:
    class Half(_Probe):
        def blank(self, device: object, deployable: object, progress: object) -> None: ...

    with pytest.raises(AssertionError, match=r"has \['blank'\] but is no Programmable"):
        _contract(lambda _: Half(tuple)).test_what_it_can_do_it_does_as_the_protocol_says(Programmable, tmp_path)


class _Examining(_Probe):
    """Knows a signal of each device, and may do something else meanwhile."""

    def __init__(self, host: Host, source: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(lambda: _right(host))
        self._source = source
        self._meanwhile = meanwhile

    def examine(self, device: Device) -> Iterator[Signal]:
        self._meanwhile()
        yield Signal(source=self._source, at=datetime.now(UTC), value=device.health)


def test_right_signals_keep_the_contract_and_so_does_a_driver_without_any(host: Host) -> None:
    for probe in (_Examining(host, "pcie.aer"), _Probe(lambda: _right(host))):
        _contract(lambda _, probe=probe: probe).test_what_it_knows_of_health_is_right(host)


def test_a_signal_that_is_not_right_is_caught_with_the_way_to_mend_it(host: Host) -> None:
    with pytest.raises(AssertionError, match="source is 'ECC!': give words of lower case letters"):
        _contract(lambda _: _Examining(host, "ECC!")).test_what_it_knows_of_health_is_right(host)


def test_an_examination_that_writes_on_the_host_is_caught(host: Host) -> None:
    probe = _Examining(host, "pcie.aer", (host.root / "new").touch)

    with pytest.raises(AssertionError, match=r"examine\(\) wrote below the host's root"):
        _contract(lambda _: probe).test_what_it_knows_of_health_is_right(host)


def test_an_act_with_other_parameters_is_caught(tmp_path: Path) -> None:
    class Other(_Probe):
        def reset(self, device: object) -> None: ...

    with pytest.raises(AssertionError, match=r"reset\(device\) is to be reset\(device, progress\)"):
        _contract(lambda _: Other(tuple)).test_what_it_can_do_it_does_as_the_protocol_says(Resettable, tmp_path)


def test_a_driver_that_scrubs_in_no_way_that_has_a_name_is_caught(tmp_path: Path) -> None:
    class Nameless(_Able):
        scrub_methods: ClassVar[Sequence[str]] = ()

    with pytest.raises(AssertionError, match="scrub_methods is empty"):
        _contract(lambda _: Nameless()).test_it_names_the_ways_in_which_it_scrubs(tmp_path)
