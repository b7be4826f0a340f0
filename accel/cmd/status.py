"""``accel-status upgrade check``: whether this installation is ready for the release that is installed."""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.metadata import version

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck
from oslo_upgradecheck.upgradecheck import Code, Result

from accel import conf as configuration
from accel.db import heard, migrate
from accel.db.engine import Database
from accel.db.heard import Agent
from accel.errors import AccelError
from accel.model.node import NodeState

PROG = "accel-status"
_NAMED_NODES = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks and print what they found.

    :return: the exit status: 0 ready, 1 ready with warnings, 2 not ready, 255 the checks themselves failed
    """
    conf = configuration.unread()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return int(upgradecheck.main(conf, "accel", Checks(conf), arguments))
    except cfg.Error as error:
        sys.stderr.write(f"{PROG}: {error}\n")
        return 255


def _failing_with_words(check: Callable[["Checks"], Result]) -> Callable[["Checks"], Result]:
    """A check that cannot be made has failed, and says why."""

    @wraps(check)
    def run(self: "Checks") -> Result:
        try:
            return check(self)
        except AccelError as error:
            return Result(Code.FAILURE, str(error))

    return run


class Checks(upgradecheck.UpgradeCommands):
    """What can be wrong, with what to do about it."""

    def __init__(self, conf: cfg.ConfigOpts, *, release: str | None = None) -> None:
        self._conf = conf
        self._release = release or version("accel")

    @_failing_with_words
    def schema(self) -> Result:
        """The database has the schema of this release."""
        status = migrate.status(self._database())
        if status.is_current:
            return Result(Code.SUCCESS)
        if status.pending:
            names = ", ".join(revision.name for revision in status.pending)
            return Result(Code.FAILURE, f"Run accel-manage db upgrade. Pending: {names}")
        return Result(Code.FAILURE, f"Revision {status.current} of the schema belongs to a later release.")

    @_failing_with_words
    def agent_versions(self) -> Result:
        """All agents speak with this release."""
        older = [agent.node for agent in self._agents() if not speaks_with(agent.version, self._release)]
        if not older:
            return Result(Code.SUCCESS)
        return Result(
            Code.FAILURE,
            f"Upgrade the agents of these nodes first; accel {self._release} speaks with agents of its own release and "
            f"of the one before: {_some(older)}",
        )

    @_failing_with_words
    def silent_nodes(self) -> Result:
        """All agents are heard."""
        silent = [agent.node for agent in self._agents() if agent.state is NodeState.OFFLINE]
        if not silent:
            return Result(Code.SUCCESS)
        return Result(Code.WARNING, f"These nodes are offline; look at accel-agent there: {_some(silent)}")

    _upgrade_checks = (
        ("Database schema", schema),
        ("Agent versions", agent_versions),
        ("Silent nodes", silent_nodes),
    )

    def _database(self) -> Database:
        return Database.configured(self._conf.database)

    def _agents(self) -> list[Agent]:
        database = self._database()
        if migrate.status(database).current is None:
            return []
        with database.reader() as connection:
            return heard.agents(connection)


def speaks_with(agent: str, release: str) -> bool:
    """Whether a release takes messages of an agent: of its own minor version, a later one, or the one before."""
    theirs, ours = _minor(agent), _minor(release)
    return theirs[0] == ours[0] and theirs[1] >= ours[1] - 1


def _minor(version_text: str) -> tuple[int, int]:
    numbers = [int(part) if part.isdecimal() else -1 for part in version_text.split(".")]
    major, minor, *_ = [*numbers, -1, -1]
    return major, minor


def _some(nodes: Sequence[str]) -> str:
    more = len(nodes) - _NAMED_NODES
    return ", ".join(nodes[:_NAMED_NODES]) + (f" and {more} more" if more > 0 else "")
