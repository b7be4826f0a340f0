"""The rules at work: our defaults, with what the operator's policy file says instead."""

import math
import time
from collections.abc import Callable

from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_policy.policy import Enforcer

from accel import conf as configuration
from accel.errors import ConfigurationError
from accel.policies import list_rules

_SECONDS_BETWEEN_LOOKS = 1
"""Looking at the files takes a tenth of the time of a short request."""


class Policy:
    """What is allowed; the files are read again within a second of their change."""

    def __init__(self, enforcer: Enforcer) -> None:
        self._enforcer = enforcer

    def allows(self, rule: str, context: RequestContext) -> bool:
        """Whether a rule allows something to whoever asks, for the project that they ask for.

        :raises PolicyNotRegistered: there is no such rule
        """
        # A project that is None would equal another that is None.
        target = {"project_id": context.project_id}
        return bool(context.project_id) and bool(self._enforcer.authorize(rule, target, context))


class _Enforcer(Enforcer):
    """oslo.policy's, but for when it looks for files that have changed: it would with every question."""

    def __init__(self, conf: cfg.ConfigOpts, clock: Callable[[], float]) -> None:
        super().__init__(conf)
        self._clock = clock
        self._looks_again_at = -math.inf

    def load_rules(self, force_reload: bool = False) -> None:  # noqa: FBT001, FBT002 - oslo.policy's signature
        """Read the files that have changed, if it is time to look."""
        now = self._clock()
        if force_reload or now >= self._looks_again_at:
            super().load_rules(force_reload)
            self._looks_again_at = now + _SECONDS_BETWEEN_LOOKS


def make_enforcer(conf: cfg.ConfigOpts, *, clock: Callable[[], float] = time.monotonic) -> Enforcer:
    """Our rules under a configuration.

    :param clock: seconds since whenever
    """
    enforcer = _Enforcer(conf, clock)
    enforcer.register_defaults(list_rules())
    return enforcer


def check_policy(conf: cfg.ConfigOpts) -> None:
    """Read the policy files, if there are any.

    :raises ConfigurationError: one is no YAML, or its rules name others that there are not, or themselves
    """
    enforcer = make_enforcer(conf)
    where = f"[oslo_policy] policy_file = {conf.oslo_policy.policy_file}"
    try:
        enforcer.load_rules()
        is_sound = enforcer.check_rules()
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    if not is_sound:
        raise ConfigurationError(f"{where}: a rule names one that there is not, or goes round in a circle")


def configured() -> Enforcer:
    """Our rules under this machine's configuration, for the tools of oslo.policy."""
    return make_enforcer(configuration.load([], prog="accel"))
