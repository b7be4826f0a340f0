"""Who may do what: one module per resource, with a documented rule for each act."""

from collections.abc import Sequence
from types import ModuleType

from oslo_policy.policy import RuleDefault

from accel.policies import (
    accelerator_requests,
    attach_handles,
    attributes,
    audit,
    base,
    deployables,
    device_profiles,
    devices,
    events,
    health,
    images,
    jobs,
    kubernetes,
    nodes,
    partition,
    placements,
    quotas,
    summary,
)

MODULES: tuple[ModuleType, ...] = (
    base,
    devices,
    health,
    deployables,
    attributes,
    device_profiles,
    accelerator_requests,
    placements,
    partition,
    attach_handles,
    quotas,
    images,
    audit,
    nodes,
    events,
    jobs,
    summary,
    kubernetes,
)


def list_rules() -> list[RuleDefault]:
    """Every rule, as oslopolicy-sample-generator wants them."""
    return [rule for module in MODULES for rule in _rules(module)]


def _rules(module: ModuleType) -> Sequence[RuleDefault]:
    rules: Sequence[RuleDefault] = module.RULES
    return rules
