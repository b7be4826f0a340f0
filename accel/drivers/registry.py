"""The drivers that are installed, ours and other people's alike, by the names of their entry points."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from oslo_config import cfg

from accel.conf.checks import read
from accel.drivers.base import ENTRY_POINT_GROUP, Driver
from accel.errors import DriverUnavailable, UnknownDriver

Option = cfg.Opt
"""An option of a driver. It can be pickled."""


def installed() -> Mapping[str, EntryPoint]:
    """Every installed driver by name. Nothing is imported."""
    return {entry.name: entry for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)}


def check(names: Iterable[str]) -> None:
    """Make sure that all drivers are installed.

    :raises UnknownDriver: one is not; the text lists those that are
    """
    _check(names, installed())


def _check(names: Iterable[str], found: Mapping[str, EntryPoint]) -> None:
    for name in names:
        if name not in found:
            raise UnknownDriver(name, list(found))


def load(names: Iterable[str]) -> dict[str, type[Driver]]:
    """The classes of the named drivers, in the order of the names.

    :raises UnknownDriver: one of them is not installed; the text lists those that are
    :raises DriverUnavailable: one of them needs something that is not installed
    """
    wanted, found = tuple(names), installed()
    _check(wanted, found)
    return {name: load_from(name, found[name].value) for name in wanted}


def load_from(name: str, source: str) -> type[Driver]:
    """The class of a driver.

    :param source: where it is, ``module:class``: the value of its entry point
    :raises DriverUnavailable: it needs something that is not installed
    """
    entry = EntryPoint(name=name, value=source, group=ENTRY_POINT_GROUP)
    try:
        driver: type[Driver] = entry.load()
    except (ImportError, AttributeError) as error:
        raise DriverUnavailable(
            f"driver {name} cannot be loaded from {source}: {error}", "install what the driver needs"
        ) from error
    return driver


def list_opts() -> list[tuple[cfg.OptGroup, Sequence[cfg.Opt]]]:
    """The option groups of our own drivers that have options, as oslo-config-generator wants them."""
    ours = {name: entry.value for name, entry in installed().items() if is_ours(entry)}
    drivers = ((name, load_from(name, source)) for name, source in ours.items())
    return [(_group(name), driver.options) for name, driver in drivers if driver.options]


def is_ours(entry: EntryPoint) -> bool:
    """Whether the driver is part of accel."""
    return entry.module.startswith(f"{__package__}.")


def option_values(conf: cfg.ConfigOpts, name: str, options: Sequence[Option]) -> dict[str, object]:
    """What the configuration says in the driver's group, which has the driver's name.

    :raises ConfigurationError: a value is not right
    """
    group = _registered(conf, name, options)
    return {option.dest: read(group, option.dest, group=name) for option in options}


def options_of(name: str, driver: type[Driver], values: Mapping[str, object]) -> cfg.ConfigOpts.GroupAttr:
    """The driver's option group with the given values; those that are not given have their defaults."""
    conf = cfg.ConfigOpts()
    group = _registered(conf, name, driver.options)
    for option, value in values.items():
        conf.set_override(option, value, group=name)
    return group


def _registered(conf: cfg.ConfigOpts, name: str, options: Sequence[Option]) -> cfg.ConfigOpts.GroupAttr:
    conf.register_group(_group(name))
    conf.register_opts(list(options), group=name)
    group: cfg.ConfigOpts.GroupAttr = conf[name]
    return group


def _group(name: str) -> cfg.OptGroup:
    return cfg.OptGroup(name, title=f"Driver {name}", help=f"What the driver {name} is told.")
