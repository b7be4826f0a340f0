"""Fixtures that tests of more than one part use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.databases import ALL_DATABASES, migrated

from accel.db.engine import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database with the schema of this release."""
    with migrated("sqlite", tmp_path) as database:
        yield database


@pytest.fixture(params=ALL_DATABASES)
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with the schema of this release, on each database that we support."""
    with migrated(request.param, tmp_path) as database:
        yield database
