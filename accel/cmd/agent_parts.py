"""The parts of an agent, made as the configuration says; a service and the all-in-one put them together."""

import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from oslo_config import cfg
from oslo_log import log

from accel.agent import driver_options, trial
from accel.agent.aside import InThread
from accel.agent.bell import Bell, Call
from accel.agent.images import ImageStore, Reader, Trust
from accel.agent.jobs.acts import ProcessActs
from accel.agent.jobs.desk import Desk, Surroundings
from accel.agent.jobs.prepared import Prepared
from accel.agent.jobs.store import Store
from accel.agent.lookout import Lookout
from accel.agent.node import boot_id
from accel.agent.nursery import Nursery
from accel.agent.ownership import Ownership
from accel.agent.probe import Setup
from accel.agent.reporter import Reporter
from accel.agent.runner import ProcessRunner, Runner, nursery_of
from accel.agent.service import Agent, Around, Eye, Identity, Intervals
from accel.agent.spool import Spool
from accel.agent.vigil import Vigil
from accel.agent.watcher import KernelEvents, Watcher
from accel.cmd import systemd
from accel.drivers import registry
from accel.drivers.base import Guests, Host
from accel.errors import ConfigurationError, InvalidValue
from accel.model.health import Alarm
from accel.model.registry import read_public_key
from accel.privileged.separated import Separated
from accel.rpc.api import Conductor

_LOG = log.getLogger(__name__)
REPORT_PATIENCE_SECONDS = 10
"""How long a job waits for what was seen after it to be reported, before it is told to be at its end all the same."""


def make_runner(conf: cfg.ConfigOpts) -> ProcessRunner:
    """Runs the enabled drivers, each in its own process.

    :raises ConfigurationError: a driver is not installed, or its options are wrong
    """
    bare = _setups(conf)
    nursery = nursery_of(bare)
    setups = _with_options(conf, bare, nursery)
    return ProcessRunner(setups, nursery, timeout_seconds=conf.agent.driver_timeout_seconds)


def _setups(conf: cfg.ConfigOpts) -> tuple[Setup, ...]:
    """The enabled drivers, without their options."""
    names = conf.agent.enabled_drivers
    registry.check(names)
    host = make_host(conf)
    harmless = trial.harmless(names, timeout_seconds=conf.agent.driver_timeout_seconds)
    return tuple(Setup(driver=name, host=host, is_harmless=name in harmless) for name in names)


def _with_options(conf: cfg.ConfigOpts, setups: Sequence[Setup], nursery: Nursery) -> tuple[Setup, ...]:
    """The drivers with what the configuration says; one that is not harmless has its defaults, and fails anyway."""
    installed = registry.installed()
    sources = {setup.driver: installed[setup.driver].value for setup in setups if setup.is_harmless}
    values = {
        name: registry.option_values(conf, name, options)
        for name, options in driver_options.learnt(nursery, sources).items()
    }
    return tuple(replace(setup, options=values.get(setup.driver, {})) for setup in setups)


def make_host(conf: cfg.ConfigOpts) -> Host:
    """The machine that the drivers look at and act on."""
    guests = Guests(has_virtual_functions=conf.guest.virtual_functions, node_group=conf.guest.node_group)
    root, state = Path(conf.agent.host_root), conf.state_path.lstrip("/")
    host = Host(name=conf.host, root=root, state=state, guests=guests)
    return replace(host, hands=Separated(tuple(shlex.split(conf.privileged.helper_command)))) if host.is_real else host


def make_agent(
    conf: cfg.ConfigOpts,
    conductor: Conductor,
    bell: Bell,
    runner: Runner,
    *,
    ownership: Ownership | None = None,
) -> Agent:
    """The agent's loop over a runner.

    :param ownership: of the node socket, where there is one
    """
    agent = conf.agent
    spool = Spool(spool_directory(conf))
    spool.open()
    identity = Identity(host=make_host(conf), version=version("accel"), rack=agent.rack, labels=agent.labels)
    intervals = Intervals(
        heartbeat_seconds=agent.heartbeat_interval_seconds, rediscovery_seconds=agent.rediscovery_interval_seconds
    )
    eye = Eye(identity, runner, spool, vigil=Vigil(agent.disregarded_signals), ownership=ownership)
    reporter = Reporter(conductor, spool)
    around = Around(notify=systemd.notify, aside=InThread())
    return Agent(eye, reporter, bell, intervals=intervals, around=around)


def node_socket(
    conf: cfg.ConfigOpts, conductor: Conductor, bell: Bell, desk: Desk | None = None
) -> AbstractContextManager[Ownership | None]:
    """The node socket, served meanwhile; nothing where there is none.

    :param desk: where what programs on the node want done is ordered
    :raises ConfigurationError: it names a user who does not exist
    :raises SocketUnavailable: the socket cannot be there
    """
    if not conf.node_socket.path:
        return nullcontext()
    from accel.cmd.node_socket import served  # noqa: PLC0415  # an agent without a socket does without what it needs

    return served(conf, conductor, bell, desk)


def make_desk(conf: cfg.ConfigOpts, runner: ProcessRunner, bell: Bell, reader: Reader) -> Desk:
    """Where jobs for this node are ordered, not open yet, beside a runner of the same drivers.

    :param reader: where images come from
    :raises ConfigurationError: a key that is to be trusted is none
    """
    patience = conf.agent.driver_timeout_seconds + REPORT_PATIENCE_SECONDS
    prepared = Prepared(Path(conf.state_path) / "prepared", boot_id(make_host(conf)))
    around = Surroundings(
        rediscover=partial(bell.ring_and_wait, Call.LOOK, patience),
        images=make_images(conf, reader),
        lost=prepared.lost,
        done=prepared.done,
        takes=lambda node: node == conf.host,
    )
    return Desk(Store(Path(conf.state_path) / "jobs"), ProcessActs(runner.setups, runner.nursery), around)


def make_images(conf: cfg.ConfigOpts, reader: Reader) -> ImageStore:
    """The images that this node fetches.

    :raises ConfigurationError: a key that is to be trusted is none
    """
    try:
        keys = tuple(map(read_public_key, conf.agent.trusted_image_keys))
    except InvalidValue as error:
        raise ConfigurationError(f"[agent] trusted_image_keys: {error}") from error
    trust = Trust(is_signature_required=conf.images.signature_required, keys=keys)
    directory = Path(conf.state_path) / "images"
    return ImageStore(directory, reader, limit_bytes=conf.agent.image_cache_mib << 20, trust=trust)


@dataclass(frozen=True, slots=True)
class Ears:
    """Take what is heard of devices: it is shown on the node at once, and a reason to look.

    :param ownership: of the node socket, where there is one
    """

    bell: Bell
    ownership: Ownership | None

    def ring(self) -> None:
        """Have the drivers look."""
        self.bell.ring(Call.LOOK)

    def warn(self, *alarms: Alarm) -> None:
        """Show what is known before they do."""
        if self.ownership is not None:
            self.ownership.alarm(*alarms)

    def tell(self, *alarms: Alarm) -> None:
        """Both."""
        self.warn(*alarms)
        self.ring()


def watch(ears: Ears) -> None:
    """Say when the kernel tells of a change; where it cannot be heard, do without."""
    try:
        events = KernelEvents()
    except (ImportError, OSError) as error:
        _LOG.warning("The kernel's events cannot be heard: %s. The agent looks periodically", error)
    else:
        Watcher(events, ears.ring, ears.warn).start()


def listen(runner: ProcessRunner, ears: Ears) -> list[Lookout]:
    """Let the drivers listen to what the kernel does not tell everybody, and say what they hear."""
    lookouts = [Lookout(setup, runner.nursery, ears.tell) for setup in runner.setups if setup.is_harmless]
    for lookout in lookouts:
        lookout.start()
    return lookouts


def spool_directory(conf: cfg.ConfigOpts) -> Path:
    """Where the agent keeps what must outlive it."""
    return Path(conf.state_path) / "agent"
