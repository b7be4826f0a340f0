"""The part of a conductor that attends to jobs on nodes, made as the configuration says."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from threading import Event

from oslo_config import cfg
from oslo_log import log

from accel.conductor.claims import Step
from accel.conductor.jobs import JobHooks, Jobs, JobTerms
from accel.conductor.steps import StepTerms, make_steps, registered_images
from accel.db import loaded, nodes
from accel.db.engine import Database
from accel.db.transitions import work_policy
from accel.model.job import JobKind
from accel.rpc.agents import Agents, AgentsClient
from accel.rpc.messaging import oslo_messaging

_LOG = log.getLogger(__name__)
_SHORTEST_LEASE = timedelta(seconds=60)
"""A conductor that is alive renews its lease on a job whenever the agent has answered, or has not."""


def make_agents(database: Database, conf: cfg.ConfigOpts, transport: oslo_messaging.Transport) -> Agents:
    """The agents of all nodes, over the broker; nothing is connected yet."""
    rpc = conf.rpc

    def listens_as(node: str) -> str:
        return database.read(lambda connection: nodes.agent_of(connection, node))

    return AgentsClient(
        transport, timeout_seconds=rpc.call_timeout_seconds, topic=rpc.agent_topic, listens_as=listens_as
    )


def make_jobs(database: Database, conf: cfg.ConfigOpts, agents: Agents, workers: Executor, stop: Event) -> Jobs:
    """The conductor's work on jobs.

    :param stop: set when the conductor ends
    """
    silence = timedelta(seconds=conf.rpc.call_timeout_seconds)
    terms = JobTerms(
        worker=conf.host,
        lease=max(_SHORTEST_LEASE, 3 * silence),
        kept_for=timedelta(days=conf.conductor.job_history_days),
    )
    hooks = JobHooks(ended={JobKind.PROGRAM: loaded.note, JobKind.BLANK: loaded.note}, stop=stop)
    return Jobs(database, lambda: datetime.now(UTC), terms, agents=agents, submit=submitter(workers), hooks=hooks)


def steps_of(database: Database, conf: cfg.ConfigOpts, jobs: Jobs) -> Mapping[str, Step]:
    """The steps of work on nodes for accelerator requests, by name."""
    terms = StepTerms(
        policy=work_policy(conf),
        limit_seconds=conf.conductor.scrub_limit_seconds,
        choose_image=registered_images(requires_signature=conf.images.signature_required),
    )
    return make_steps(database, jobs, lambda: datetime.now(UTC), terms)


def submitter(workers: Executor) -> Callable[[Callable[[], None]], None]:
    """How work is given to threads: a mistake in the program that ends it is shown, not kept to the thread."""

    def submit(work: Callable[[], None]) -> None:
        workers.submit(work).add_done_callback(_show_mistake)

    return submit


def _show_mistake(done: "Future[None]") -> None:
    error = done.exception() if not done.cancelled() else None
    if error is not None:
        _LOG.error("work on an accelerator request or a job has ended by a mistake of ours", exc_info=error)
