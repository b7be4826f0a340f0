"""``accel-manage``: what an administrator does to the database."""

import argparse
import sys
from collections.abc import Sequence

from oslo_config import cfg

from accel import conf as configuration
from accel.db import migrate
from accel.db.engine import Database
from accel.errors import AccelError

PROG = "accel-manage"
BEHIND = 3
"""The exit status of ``db status`` when an upgrade is due, or the database is ahead of this release."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    :return: the exit status: 0 well, 1 failed, 2 not understood, 3 the schema is not that of this release
    """
    arguments = _parser().parse_args(argv)
    files = [arguments.config_file] if arguments.config_file else None
    try:
        conf = configuration.load([], prog=PROG, default_config_files=files)
        return int(arguments.command(_database(conf, arguments.database)))
    except AccelError as error:
        sys.stderr.write(f"{PROG}: {error}\n")
        return 1


def upgrade(database: Database) -> int:
    """Bring the schema to this release, saying what is run."""
    pending = migrate.status(database).pending
    migrate.upgrade(database)
    for revision in pending:
        _say(f"ran {revision.name}: {revision.summary}")
    return status(database)


def status(database: Database) -> int:
    """Say how far the schema is."""
    found = migrate.status(database)
    _say(f"database: {database.name}")
    _say(f"schema:   {found.current or 'empty'}")
    _say(f"release:  {found.head}")
    for revision in found.pending:
        _say(f"pending:  {revision.name} {revision.summary}")
    if found.is_current:
        _say("The schema is up to date.")
        return 0
    _say("Run accel-manage db upgrade." if found.pending else "The schema belongs to a later release of accel.")
    return BEHIND


def _database(conf: cfg.ConfigOpts, url: str | None) -> Database:
    return Database(url) if url else Database.configured(conf.database)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROG, description="Administer accel's database.")
    _add_options(parser, default=None)
    db = parser.add_subparsers(required=True, metavar="db").add_parser("db", help="the schema of the database")
    commands = db.add_subparsers(required=True, metavar="COMMAND")
    for command, text in (
        (upgrade, "bring the schema to this release; safe to repeat"),
        (status, "say how far the schema is"),
    ):
        subparser = commands.add_parser(command.__name__, help=text, description=text)
        _add_options(subparser, default=argparse.SUPPRESS)  # what is not given there leaves what was given before
        subparser.set_defaults(command=command)
    return parser


def _add_options(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    """The options that stand before or after the command."""
    parser.add_argument(
        "--config-file", metavar="PATH", default=default, help="read this instead of /etc/accel/accel.conf"
    )
    parser.add_argument(
        "--database", metavar="URL", default=default, help="this database instead of [database] connection"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
