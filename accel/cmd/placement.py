"""Placement as it is configured: the weights, the filters, and the scorers of other packages."""

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points

from oslo_config import cfg

from accel.errors import ConfigurationError, InvalidValue
from accel.placement.scores import POLICIES, SCORERS, Policy, Scorer

ENTRY_POINT_GROUP = "accel.placement.scorers"
"""Where packages register functions from ``accel.placement.scores.Placed`` to a figure from 0 to 1."""


def configured_policy(conf: cfg.ConfigOpts) -> Policy:
    """What is good unless a question says otherwise.

    :raises ConfigurationError: a weight is no number, or a name is not known; the text lists those that are
    """
    group = conf.placement_engine
    try:
        weights = {name: _number(name, text) for name, text in group.weights.items()} or POLICIES[group.policy]
        return Policy(weights=weights, filters=tuple(group.filters), scorers={**SCORERS, **_others()})
    except InvalidValue as error:
        raise ConfigurationError(f"[placement_engine] {error}") from error


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InvalidValue(f"weights.{name}", text, "a number") from error


def _others() -> Mapping[str, Scorer]:
    """The scorers of other packages. They cannot take the place of ours."""
    found = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)
    _check_names(entry.name for entry in found)
    scorers: dict[str, Scorer] = {}
    for entry in found:
        try:
            scorers[entry.name] = entry.load()
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(f"scorer {entry.name} cannot be loaded from {entry.value}: {error}") from error
    return scorers


def _check_names(names: Iterable[str]) -> None:
    taken = set(SCORERS)
    for name in names:
        if name in taken:
            raise ConfigurationError(f"two scorers are named {name}: one of the packages that bring them must go")
        taken.add(name)
