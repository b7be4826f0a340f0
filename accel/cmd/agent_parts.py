"""The parts of an agent, made as the configuration says; a service and the all-in-one put them together."""

import shlex
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from oslo_config import cfg
from oslo_log import log

from accel.agent import trial
from accel.agent.aside import InThread
from accel.agent.bell import Bell, Call
from accel.agent.images import ImageStore, Reader, Trust
from accel.agent.jobs.acts import InlineActs, ProcessActs
from accel.agent.jobs.desk import Desk, Surroundings
from accel.agent.jobs.prepared import Prepared
from accel.agent.jobs.store import Store
from accel.agent.lookout import Lookout
from accel.agent.node import boot_id
from accel.agent.ownership import Ownership
from accel.agent.player import Habits, Player
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
from accel.drivers.fleet import FleetFile
from accel.drivers.fleet.cuts import NAME as CUTS_NAME
from accel.drivers.fleet.cuts import CutsFile
from accel.errors import ConfigurationError, DriverUnavailable, InvalidValue
from accel.model.health import Alarm
from accel.model.job import JobOrder
from accel.model.registry import read_public_key
from accel.privileged.separated import Separated
from accel.rpc.api import Conductor

_LOG = log.getLogger(__name__)
_REPORT_PATIENCE_SECONDS = 10
"""How long a job waits for what was seen after it to be reported, before it is told to be at its end all the same."""


def make_runner(conf: cfg.ConfigOpts) -> ProcessRunner:
    """Runs the enabled drivers, each in its own process.

    :raises ConfigurationError: a driver is not installed, or its options are wrong
    """
    setups = _setups(conf)
    return ProcessRunner(setups, nursery_of(setups), timeout_seconds=conf.agent.driver_timeout_seconds)


def _setups(conf: cfg.ConfigOpts) -> tuple[Setup, ...]:
    names = conf.agent.enabled_drivers
    registry.check(names)
    host = make_host(conf)
    harmless = trial.harmless(names, timeout_seconds=conf.agent.driver_timeout_seconds)
    return tuple(
        Setup(driver=name, host=host, options=_options(conf, name), is_harmless=True)
        if name in harmless
        else Setup(driver=name, host=host, is_harmless=False)  # its look will show what is the matter with it
        for name in names
    )


def _options(conf: cfg.ConfigOpts, name: str) -> dict[str, object]:
    try:
        return registry.option_values(conf, name, registry.load([name])[name])
    except DriverUnavailable:  # it will say so itself when it is asked to look
        return {}


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
    patience = conf.agent.driver_timeout_seconds + _REPORT_PATIENCE_SECONDS
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


def make_player(
    conf: cfg.ConfigOpts, conductor: Conductor, bell: Bell, fleet_file: Path, *, listens_as: str = ""
) -> Player:
    """The player of a fleet file.

    :param listens_as: by which name jobs for its nodes are taken; empty: by theirs
    """
    seconds = conf.agent.heartbeat_interval_seconds
    file = FleetFile(fleet_file, CutsFile(_host_of(conf, "").memory / CUTS_NAME))
    habits = Habits(version=version("accel"), heartbeat_seconds=seconds, listens_as=listens_as)
    return Player(conductor, file, bell, habits)


def make_played_desk(conf: cfg.ConfigOpts, player: Player, fleet_file: Path, reader: Reader) -> Desk:
    """Where jobs for all nodes of a fleet file are ordered, not open yet.

    :param reader: where images come from
    :raises ConfigurationError: a key that is to be trusted is none
    """

    def setup_of(order: JobOrder) -> Setup:
        options = {"fleet_file": str(fleet_file.absolute())}
        return Setup(driver=order.driver, host=_host_of(conf, order.node), options=options)

    around = Surroundings(
        rediscover=partial(player.catch_up, _REPORT_PATIENCE_SECONDS), images=make_images(conf, reader)
    )
    return Desk(Store(Path(conf.state_path) / "played-jobs"), InlineActs(setup_of), around)


def _host_of(conf: cfg.ConfigOpts, node: str) -> Host:
    """The host that a played node is: this machine, under another name."""
    return Host(name=node, state=conf.state_path.lstrip("/"))


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
