"""The parts of an agent that plays the nodes of a fleet file; one that looks at its host does without."""

from functools import partial
from importlib.metadata import version
from pathlib import Path

from oslo_config import cfg

from accel.agent.bell import Bell
from accel.agent.images import Reader
from accel.agent.jobs.acts import InlineActs
from accel.agent.jobs.desk import Desk, Surroundings
from accel.agent.jobs.store import Store
from accel.agent.player import Habits, Player
from accel.agent.probe import Setup
from accel.cmd.agent_parts import REPORT_PATIENCE_SECONDS, make_images
from accel.drivers.base import Host
from accel.drivers.fleet import FleetFile
from accel.drivers.fleet.cuts import NAME as CUTS_NAME
from accel.drivers.fleet.cuts import CutsFile
from accel.model.job import JobOrder
from accel.rpc.api import Conductor


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
        rediscover=partial(player.catch_up, REPORT_PATIENCE_SECONDS), images=make_images(conf, reader)
    )
    return Desk(Store(Path(conf.state_path) / "played-jobs"), InlineActs(setup_of), around)


def _host_of(conf: cfg.ConfigOpts, node: str) -> Host:
    """The host that a played node is: this machine, under another name."""
    return Host(name=node, state=conf.state_path.lstrip("/"))
