"""What every driver promises, as tests that a driver's own test suite inherits.

::

    from accel.testing.driver_contract import DriverContract, options

    class TestExampleDriver(DriverContract):
        trees = (Path(__file__).parent / "data" / "two-cards",)

        def make_driver(self, host):
            return ExampleDriver(host, options(ExampleDriver))

Each test runs on an empty host and on each of ``trees``. What a right answer is says ``accel.model.validate``.
"""

import inspect
import pickle
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from oslo_config import cfg

from accel.drivers.acts import ACTS, Examined, Scrubbable
from accel.drivers.base import Driver, Host
from accel.drivers.registry import options_of
from accel.errors import DriverUnavailable
from accel.model.device import Device
from accel.model.validate import problems, signal_problems


def options(driver: type[Driver], **values: object) -> cfg.ConfigOpts.GroupAttr:
    """The option group of a driver, with the defaults it declares but for the given values."""
    return options_of("driver", driver, values)


class DriverContract:
    """Inherit it in a class whose name starts with ``Test`` and say how your driver is made."""

    trees: ClassVar[Sequence[Path]] = ()
    """Captured or built hosts to look at: directories with ``sys``, ``proc``, ``dev`` … below them."""
    node: ClassVar[str] = "node-1"
    """The name of the host that the driver is given."""

    def make_driver(self, host: Host) -> Driver:
        """Your driver, looking at the given host."""
        raise NotImplementedError("say how your driver is made: return YourDriver(host, options(YourDriver))")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that wants a host once for each of them."""
        if "tree" in metafunc.fixturenames:
            metafunc.parametrize("tree", [None, *self.trees], ids=_tree_id)

    @pytest.fixture
    def host(self, tree: Path | None, tmp_path: Path) -> Host:
        """The host under test. Override it where a tree must be unpacked first."""
        return Host(name=self.node, root=tree or tmp_path)

    def test_it_is_a_driver_whose_options_are_declared_with_help(self, tmp_path: Path) -> None:
        """It has ``discover()`` and ``options``, and each option says what it is for."""
        driver = self.make_driver(Host(name=self.node, root=tmp_path))
        assert isinstance(driver, Driver), (
            f"{driver!r} is no driver: give it a class attribute `options` (a sequence of oslo.config options, which "
            "may be empty) and a method `discover()`"
        )
        unhelpful = [option.name for option in driver.options if not option.help]
        assert not unhelpful, f"options without help: {unhelpful}: say what they mean, with the unit"

    def test_its_answer_is_right(self, host: Host) -> None:
        """Types, identities, names, trees, handles, attributes: see ``accel.model.validate``."""
        found = problems(_look(self.make_driver(host)), node=host.name)
        assert not found, "\n".join(["the answer is not right:", *found])

    def test_looking_twice_gives_the_same_answer(self, host: Host) -> None:
        """What has not changed is reported as it was, in the same order: else every report looks like a change."""
        driver = self.make_driver(host)
        first, second = _discover(driver), _discover(driver)
        assert first == second, "two looks at one host differ: sort what the host lists, and make up no ids"
        assert _discover(self.make_driver(host)) == first, "a new driver sees something else than the one before it"

    def test_looking_changes_nothing_on_the_host(self, host: Host) -> None:
        """Discovery reads; it runs unprivileged and while others use the devices."""
        driver = self.make_driver(host)
        before = dict(_listing(host.root))
        _discover(driver)
        changed = sorted(set(before.items()) ^ set(_listing(host.root)))
        assert not changed, f"discover() wrote below the host's root: {changed[:5]}: let it only read"

    def test_its_answer_can_be_pickled(self, host: Host) -> None:
        """A driver may run in a process of its own, and its answer must get out of there."""
        devices = _discover(self.make_driver(host))
        try:
            copy = pickle.loads(pickle.dumps(devices))  # noqa: S301 - written by ourselves
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            pytest.fail(f"the answer cannot be pickled: {error}: give plain values in devices", pytrace=False)
        assert copy == devices, "a pickled answer comes back as another one: give plain values in devices"

    def test_it_sees_a_device_in_each_tree(self, host: Host, tree: Path | None) -> None:
        """A tree in which the driver sees nothing proves nothing."""
        is_seen = tree is None or _discover(self.make_driver(host))
        assert is_seen, f"the driver sees no device in {tree}: leave the tree out, or mend the driver"

    def test_what_it_knows_of_health_is_right(self, host: Host) -> None:
        """Signals of each device, if it knows any; asking for them changes nothing on the host."""
        driver = self.make_driver(host)
        if not isinstance(driver, Examined):
            return
        before = dict(_listing(host.root))
        found = [problem for device in _discover(driver) for problem in signal_problems(list(driver.examine(device)))]
        assert not found, "\n".join(["the signals are not right:", *found])
        changed = sorted(set(before.items()) ^ set(_listing(host.root)))
        assert not changed, f"examine() wrote below the host's root: {changed[:5]}: let it only read"

    @pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
    def test_what_it_can_do_it_does_as_the_protocol_says(self, act: type, tmp_path: Path) -> None:
        """See ``accel.drivers.acts``: all methods of a protocol or none, with the parameters that it names."""
        driver = self.make_driver(Host(name=self.node, root=tmp_path))
        methods = {name: method for name, method in vars(act).items() if inspect.isfunction(method) and name[0] != "_"}
        there = [name for name in methods if hasattr(driver, name)]
        assert not there or isinstance(driver, act), (
            f"{driver!r} has {there} but is no {act.__name__}: give it all of {sorted(act.__annotations__)} "
            f"{sorted(methods)}, or another name to what does something else"
        )
        for name in there:
            wanted = list(inspect.signature(methods[name]).parameters)[1:]
            given = list(inspect.signature(getattr(driver, name)).parameters)
            assert given == wanted, f"{name}({', '.join(given)}) is to be {name}({', '.join(wanted)})"

    def test_it_names_the_ways_in_which_it_scrubs(self, tmp_path: Path) -> None:
        """An operator chooses among them by name."""
        driver = self.make_driver(Host(name=self.node, root=tmp_path))
        if isinstance(driver, Scrubbable):
            methods = list(driver.scrub_methods)
            assert methods, "scrub_methods is empty: name the ways, the best first"
            assert all(isinstance(method, str) and method for method in methods), f"scrub_methods: {methods}"


def _tree_id(tree: Path | None) -> str:
    return tree.name if tree else "empty host"


def _look(driver: Driver) -> Iterable[Device]:
    """The answer; a driver that cannot look here sees nothing, which is right on a host without its devices.

    Anything else that it raises fails the test.
    """
    try:
        answer = driver.discover()
        return list(answer) if isinstance(answer, Iterator) else answer  # a generator may raise on the way
    except DriverUnavailable:
        return ()


def _discover(driver: Driver) -> list[Device]:
    return list(_look(driver))


def _listing(root: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each path below a directory with what a write would change: its size and the time of its last change."""
    for path in root.rglob("*"):
        stat = path.lstat()
        yield str(path), (stat.st_size, stat.st_mtime_ns)
