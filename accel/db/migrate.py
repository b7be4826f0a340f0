"""Bring a database to the schema of this release, and say how far it is.

Revisions go one way: what a release has added, the release before ignores.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from accel.db import image_tables, job_tables, tables, use_tables
from accel.db.engine import Database
from accel.errors import ConfigurationError

_WITH_TABLES = (tables, image_tables, job_tables, use_tables)
METADATA = tables.Base.metadata
"""All tables, for all modules that have some are imported here."""

_LOCK_NUMBER = 0x61636365  # "acce": names our advisory lock on PostgreSQL
_LOCK_WAIT_SECONDS = 600
"""As long as an upgrade by somebody else may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One step of the schema."""

    name: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """How far a database is."""

    current: str | None
    """The last revision it has seen; None for an empty database."""
    head: str
    """The last revision of this release."""
    pending: tuple[Revision, ...]
    """What an upgrade would run, in order. Empty as well when the database is of a later release than ours."""

    @property
    def is_current(self) -> bool:
        """Whether database and release agree."""
        return self.current == self.head


def upgrade(database: Database, revision: str = "head") -> None:
    """Run what is pending, up to a revision. Safe to run twice, and by several processes at once: one waits.

    :raises DatabaseUnavailable: the database does not answer
    """
    with database.patient(_LOCK_WAIT_SECONDS) as waiting, _alone(waiting), waiting.writer() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def status(database: Database) -> SchemaStatus:
    """Compare a database with this release.

    :raises DatabaseUnavailable: the database does not answer
    """
    with database.reader() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    pending = []
    for script in revisions():
        pending.append(script)
        if script.name == current:
            pending.clear()
    head = revisions()[-1].name
    known = current is None or current in {revision.name for revision in revisions()}
    return SchemaStatus(current=current, head=head, pending=tuple(pending) if known else ())


def check_schema(database: Database) -> None:
    """Refuse to work on a schema of another release.

    :raises ConfigurationError: it is older or newer than ours
    """
    found = status(database)
    if found.is_current:
        return
    if found.pending:
        raise ConfigurationError(f"the schema of {database.name} is not up to date: run accel-manage db upgrade")
    raise ConfigurationError(
        f"the schema of {database.name} is at revision {found.current}, which this release does not know: "
        "it was upgraded by a later release"
    )


def revisions() -> tuple[Revision, ...]:
    """All revisions of this release, the first one first."""
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    return tuple(Revision(name=script.revision, summary=script.doc) for script in scripts)[::-1]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """Keep a second upgrade out until this one is committed. On SQLite the write transaction does that already.

    The lock is that of another connection: one that is given back before the commit would let the next upgrade see the
    new schema and the old revision, for MariaDB commits each change of a schema at once.
    """
    if database.engine.dialect.name == "sqlite":
        yield
        return
    with database.reader() as guard:
        if guard.dialect.name == "postgresql":
            guard.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
            yield
            return
        guard.execute(text("SELECT GET_LOCK('accel.migrate', :seconds)"), {"seconds": _LOCK_WAIT_SECONDS})
        try:
            yield
        finally:
            guard.execute(text("SELECT RELEASE_LOCK('accel.migrate')"))
