"""What a conductor does beside listening, made as the configuration says; ``accel up`` has one of its own."""

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Self

from oslo_config import cfg
from oslo_log import log

from accel.cmd.conductor_images import make_fetcher
from accel.cmd.conductor_jobs import make_jobs, steps_of, submitter
from accel.conductor.claims import Claims, Hooks
from accel.conductor.jobs import Jobs
from accel.conductor.kubelets import Kubelets
from accel.conductor.manager import Limits, Manager
from accel.conductor.notifier import Notifier, Patience
from accel.conductor.nova import Nova, connect
from accel.conductor.placement import Placement
from accel.conductor.placement import connect as connect_placement
from accel.conductor.placement_audit import PlacementAuditor
from accel.conductor.providers import Reconciler
from accel.conductor.reporter import Reporter
from accel.conductor.reporter import Terms as ReporterTerms
from accel.conductor.service import Periodic
from accel.db.engine import Database
from accel.db.transitions import Terms
from accel.errors import DatabaseUnavailable
from accel.model.provider import OWNER_TRAIT
from accel.rpc.agents import Agents

_LOG = log.getLogger(__name__)
_LOOK_SECONDS = 2.0
"""How often a conductor looks for what is due by the clock: what another one has left to be told, and leases."""
_FOLLOW_SECONDS = 0.5
"""How often a conductor looks for holders that nodes with a kubelet do not know of yet."""
_REQUESTS_OF_A_BATCH = 4
"""To Keystone for its versions and for a token, to Nova, and one more where the token has been refused."""
_SLOW_REQUESTS_OF_A_NODE = 10
"""So many requests to Placement may take as long as they can before another conductor tells it of the node as well."""


class ConductorParts:
    """The work of one conductor; a context manager, because what it starts has to end.

    :param agents: those of all nodes
    :param stop: ends the work when it is set; set when a part of the work ends by a mistake
    :raises ConfigurationError: it does not say how to speak to Nova, Placement or Glance
    """

    def __init__(self, database: Database, conf: cfg.ConfigOpts, agents: Agents, stop: Event) -> None:
        self._conf = conf
        self._stop = stop
        self._attendants = ThreadPoolExecutor(conf.conductor.job_threads, thread_name_prefix="job")
        self._workers = ThreadPoolExecutor(conf.conductor.work_threads, thread_name_prefix="work")
        nova, placement = connect(conf), connect_placement(conf)
        notifier = make_notifier(database, nova, conf, stop)
        self._jobs = make_jobs(database, conf, agents, self._attendants, stop)
        neighbours = Neighbours(nova=nova, notifier=notifier, placement=placement, jobs=self._jobs)
        self.manager = make_manager(database, conf)
        self.claims = make_claims(database, conf, self._workers, neighbours)
        reporter = make_reporter(database, placement, conf, stop)
        self._background = [
            make_fetcher(database, conf, stop),
            make_follower(database, agents, stop),
            *(each for each in (notifier, reporter) if each),
        ]
        self._started: list[Periodic] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._workers.shutdown()
        self._attendants.shutdown()

    @property
    def has_failed(self) -> bool:
        """Whether a mistake in the program has ended a part of the work."""
        return any(each.has_failed for each in self._started)

    def take_up(self) -> None:
        """Go on with what was left when this conductor ended, or by the release before it."""
        take_up_left_work(self.claims)
        _mend_attribute_texts(self.manager)

    def start(self) -> None:
        """Begin what nobody asks for; agents are heard from now on."""
        by_the_clock = make_periodic(self.manager, self.claims, self._jobs, self._conf, self._stop)
        self._started = [*by_the_clock, *self._background]
        for each in self._started:
            each.start()

    def stop(self) -> None:
        """End what was begun, after the tasks that run now."""
        for each in self._started:
            each.stop()


def take_up_left_work(claims: Claims) -> None:
    """Go on where this conductor was when it ended; without a database others find it after its deadline."""
    try:
        claims.take_up_work(is_fresh=True)
    except DatabaseUnavailable as error:
        _LOG.warning("what this conductor was at work on when it ended is taken up later: %s", error)


def _mend_attribute_texts(manager: Manager) -> None:
    """Make the texts of attributes right that a conductor of the release before has left wrong."""
    try:
        count = manager.mend_attribute_texts()
    except DatabaseUnavailable as error:
        _LOG.warning("texts of attributes are looked at when a conductor starts the next time: %s", error)
    else:
        if count:
            _LOG.info("%d deployables have got a text of their attributes", count)


def make_manager(database: Database, conf: cfg.ConfigOpts) -> Manager:
    """The conductor's work, with the limits of the configuration."""
    limits = Limits(
        node_offline_after=timedelta(seconds=conf.conductor.node_offline_after_seconds),
        lost_device_grace=timedelta(seconds=conf.conductor.lost_device_grace_seconds),
    )
    return Manager(database, lambda: datetime.now(UTC), limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Whom the conductor's work on requests has to do with; None: there is none."""

    nova: Nova | None = None
    """Says which instances are gone."""
    notifier: Periodic | None = None
    """Tells Nova of requests."""
    placement: Placement | None = None
    """What audits compare with the record."""
    jobs: Jobs | None = None
    """The work on jobs on nodes."""


def make_claims(database: Database, conf: cfg.ConfigOpts, workers: Executor, with_: Neighbours) -> Claims:
    """The conductor's work on accelerator requests, and its audits."""
    terms = Terms.configured(conf, worker=conf.host)
    hooks = Hooks(gone=with_.nova.gone if with_.nova else None)
    if with_.notifier is not None:
        hooks = replace(hooks, wake_notifier=with_.notifier.wake)
    if with_.placement is not None:
        reporter = _reporter(database, with_.placement, conf, Event())
        auditor = PlacementAuditor(database, with_.placement, reporter, lambda: datetime.now(UTC))
        hooks = replace(hooks, audit_placement=auditor.audit)
    jobs = with_.jobs
    if jobs is not None:
        hooks = replace(hooks, take_up_jobs=lambda is_fresh: jobs.take_up_work(is_fresh=is_fresh))
    steps = steps_of(database, conf, jobs) if jobs is not None else {}
    return Claims(database, lambda: datetime.now(UTC), terms, steps=steps, submit=submitter(workers), hooks=hooks)


def make_notifier(database: Database, nova: Nova | None, conf: cfg.ConfigOpts, stop: Event) -> Periodic | None:
    """What tells Nova of accelerator requests, not started yet; None where there is no Nova."""
    if nova is None:
        _LOG.info("Nova is told nothing of accelerator requests: [nova] auth_type is not set")
        return None
    patience = Patience(
        lease=timedelta(seconds=conf.nova.timeout * _REQUESTS_OF_A_BATCH),
        longest_pause=timedelta(seconds=conf.nova.longest_pause_seconds),
        give_up_after=timedelta(seconds=conf.nova.give_up_after_seconds),
    )
    notifier = Notifier(database, nova, lambda: datetime.now(UTC), patience, stop=stop)
    return Periodic([notifier.tell_due], interval_seconds=_LOOK_SECONDS, stop=stop, name="telling Nova")


def make_reporter(
    database: Database, placement: Placement | None, conf: cfg.ConfigOpts, stop: Event
) -> Periodic | None:
    """What tells OpenStack Placement of nodes, not started yet; None where there is no Placement."""
    if placement is None:
        _LOG.info("Placement is told nothing of nodes: [placement] auth_type is not set")
        return None
    reporter = _reporter(database, placement, conf, stop)
    return Periodic([reporter.tell_due], interval_seconds=_LOOK_SECONDS, stop=stop, name="telling Placement")


def _reporter(database: Database, placement: Placement, conf: cfg.ConfigOpts, stop: Event) -> Reporter:
    terms = ReporterTerms(
        marks=frozenset({OWNER_TRAIT} if conf.placement.owner_trait else ()),
        lease=timedelta(seconds=conf.placement.timeout * _SLOW_REQUESTS_OF_A_NODE),
        longest_pause=timedelta(seconds=conf.placement.longest_pause_seconds),
        compare_interval=timedelta(seconds=conf.placement.compare_interval_seconds),
    )
    return Reporter(database, Reconciler(placement), lambda: datetime.now(UTC), terms, stop=stop)


def make_follower(database: Database, agents: Agents, stop: Event) -> Periodic:
    """What tells nodes with a kubelet that holders have changed, not started yet."""
    kubelets = Kubelets(database, lambda: datetime.now(UTC), agents)
    return Periodic([kubelets.follow], interval_seconds=_FOLLOW_SECONDS, stop=stop, name="telling kubelets")


def make_periodic(manager: Manager, claims: Claims, jobs: Jobs, conf: cfg.ConfigOpts, stop: Event) -> list[Periodic]:
    """The periodic work of a conductor that hears agents from now on, in loops that are not started yet.

    Leases have one of their own: whoever waits for what a lease holds waits for its end, and asking for it is cheap.
    """
    mark_offline_nodes = partial(manager.mark_offline_nodes, hears_since=datetime.now(UTC))
    tasks = (claims.take_up_work, mark_offline_nodes, manager.remove_expired_devices, jobs.forget_old)
    return [
        Periodic(tasks, interval_seconds=conf.conductor.periodic_interval_seconds, stop=stop),
        Periodic([claims.release_expired_claims], interval_seconds=_LOOK_SECONDS, stop=stop, name="ending leases"),
    ]
