"""The rules at work: our defaults, with what the operator's policy file says instead."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from operator import attrgetter

from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_policy.policy import Enforcer, RuleDefault

from accel import conf as configuration
from accel.errors import ConfigurationError
from accel.policies import list_rules

_SECONDS_KEPT = 1
_NOBODY = "!"
"""What a rule is that lets nobody do something, and what one becomes that is not understood."""
ABOUT = (
    *("user_id", "user_domain_id", "system_scope", "domain_id", "project_id", "project_domain_id", "is_admin_project"),
    *("service_user_id", "service_user_domain_id", "service_project_id", "service_project_domain_id"),
)
"""What rules can ask of a context beside its roles: the values for policy of oslo.context."""
_about = attrgetter(*ABOUT)


class Policy:
    """What is allowed; the files are read again within a second of their change.

    To find an answer takes a third of the time of a short request, so answers are kept for a second.

    :param clock: seconds since whenever
    """

    def __init__(self, enforcer: Enforcer, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._enforcer = enforcer
        self._clock = clock
        self._answers: dict[tuple[object, ...], bool] = {}
        self._forgets_at = -math.inf

    def allows(self, rule: str, context: RequestContext) -> bool:
        """Whether a rule allows something to whoever asks, for the project that they ask for.

        :raises PolicyNotRegistered: there is no such rule
        """
        # A project that is None would equal another that is None.
        if not context.project_id:
            return False
        now = self._clock()
        if now >= self._forgets_at:
            self._answers, self._forgets_at = {}, now + _SECONDS_KEPT
        who = (rule, _about(context), tuple(context.roles), tuple(context.service_roles))
        if who not in self._answers:
            target = {"project_id": context.project_id}
            self._answers[who] = bool(self._enforcer.authorize(rule, target, context))
        return self._answers[who]


def make_enforcer(conf: cfg.ConfigOpts) -> Enforcer:
    """Our rules under a configuration."""
    enforcer = Enforcer(conf)
    enforcer.register_defaults(list_rules())
    return enforcer


def check_policy(conf: cfg.ConfigOpts) -> None:
    """Read the policy files, if there are any.

    :raises ConfigurationError: one is no YAML, what it says of a rule cannot be understood, it is about a rule that
        there is not, or its rules name others that there are not, or themselves
    """
    enforcer = make_enforcer(conf)
    where = f"[oslo_policy] policy_file = {conf.oslo_policy.policy_file}"
    try:
        with _told_by_us():
            enforcer.load_rules()
        for rule in enforcer.file_rules.values():
            _check_rule(rule, enforcer)
        is_sound = enforcer.check_rules()
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    if not is_sound:
        raise ConfigurationError(f"{where}: a rule names one that there is not, or goes round in a circle")


@contextmanager
def _told_by_us() -> Iterator[None]:
    """Keep the library from logging, with a traceback, that it does not understand a rule."""
    logger = logging.getLogger("oslo_policy._parser")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


def _check_rule(rule: RuleDefault, enforcer: Enforcer) -> None:
    """Refuse what would let nobody in without being meant so, or what looks as if it kept somebody out.

    Who writes a policy may have rules of his own for others to refer to: those are called otherwise than ours.
    """
    if str(rule.check) == _NOBODY and rule.check_str != _NOBODY:
        raise ValueError(f"{rule.name}: {rule.check_str!r} cannot be understood as a rule")
    ours = enforcer.registered_rules
    if rule.name not in ours and rule.name.partition(":")[0] in {
        name.partition(":")[0] for name in ours if ":" in name
    }:
        near = get_close_matches(rule.name, ours, n=1)
        raise ValueError(f"{rule.name}: there is no such rule{f'; {near[0]} may be meant' if near else ''}")


def configured() -> Enforcer:
    """Our rules under this machine's configuration, for the tools of oslo.policy."""
    return make_enforcer(configuration.load([], prog="accel"))
