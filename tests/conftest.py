"""Fixtures that tests of more than one part use."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.databases import ALL_DATABASES, LentDatabases, migrated

from accel.db.engine import Database

_PROTOS = Path(__file__).parents[1] / "protos" / "generate.py"


def pytest_configure(config: pytest.Config) -> None:
    """Generate the code of protos/ where it is missing or old: once, before the processes of pytest-xdist are there."""
    if not hasattr(config, "workerinput"):
        subprocess.run([sys.executable, _PROTOS, "--if-stale"], check=True)


# How long an example takes says something of the machine, and nothing of what is tested.
# What else hypothesis does in CI, where it tries the same examples each time, it goes on to do.
_USUAL = settings.get_profile(settings.get_current_profile_name())
settings.register_profile("no clock", _USUAL, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database with the schema of this release."""
    with migrated("sqlite", tmp_path) as database:
        yield database


@pytest.fixture(scope="session")
def lent_databases() -> Iterator[LentDatabases]:
    with ExitStack() as ends:
        yield LentDatabases(ends)


@pytest.fixture(params=ALL_DATABASES)
def any_database(request: pytest.FixtureRequest, tmp_path: Path, lent_databases: LentDatabases) -> Iterator[Database]:
    """An empty database with the schema of this release, on each database that we support."""
    with lent_databases.lent(request.param, tmp_path) as database:
        yield database


@pytest.fixture(scope="module", params=ALL_DATABASES)
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of each kind for all tests of a module, which keep out of one another's way by their names."""
    with migrated(request.param, tmp_path_factory.mktemp("shared")) as database:
        yield database
