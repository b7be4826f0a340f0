"""All option groups of accel, in one list: what a configuration object knows and what the sample shows."""

from collections.abc import Sequence
from types import ModuleType

from oslo_config import cfg

from accel.conf import (
    agent,
    api,
    conductor,
    database,
    default,
    glance,
    guest,
    http_basic,
    images,
    kubernetes,
    node_socket,
    nova,
    placement,
    placement_engine,
    privileged,
    rpc,
)

MODULES: tuple[ModuleType, ...] = (
    default,
    api,
    http_basic,
    agent,
    node_socket,
    privileged,
    guest,
    database,
    conductor,
    placement_engine,
    nova,
    placement,
    kubernetes,
    images,
    glance,
    rpc,
)


def list_opts() -> list[tuple[cfg.OptGroup | str, Sequence[cfg.Opt]]]:
    """Every group with its options, as oslo-config-generator wants them."""
    return [(getattr(module, "GROUP", "DEFAULT"), module.OPTIONS) for module in MODULES]
