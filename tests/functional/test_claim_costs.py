"""Claims cost the same number of statements, however many requests one call names and however many there are."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from support.choices import choose, new_claim
from support.claims import terms
from support.databases import counted_statements, migrated
from support.live_requests import add_live
from support.site import Site

from accel.db import claims, taking
from accel.db.engine import Connection, Database
from accel.db.scope import EVERYTHING
from accel.db.tables import Base
from accel.db.taking import Intent
from accel.model.request import RequestChanges

MOST_STATEMENTS = 10
"""What a call costs at most under a quota, whatever it asks for."""
MOST_ROWS = 1000
"""Rows that a claim reads at most where there is one card on its node; a table of few rows may be read as a whole."""


def cost(database: Database, call: Callable[[], object]) -> int:
    with counted_statements(database) as statements:
        call()
    return len(statements)


def costs(site: Site, amount: int) -> dict[str, int]:
    """What it costs to make, bind, unbind, bind again and delete so many requests."""
    uuids = site.make(amount)
    conductor, database = site.conductor(), site.database
    wanted = site.binds(uuids, instance=f"vm{amount}")
    return {
        "bind": cost(database, lambda: conductor.change_requests(wanted)),
        "unbind": cost(database, lambda: conductor.change_requests(site.unbinds(uuids))),
        "bind again": cost(database, lambda: conductor.change_requests(wanted)),
        "delete": cost(database, lambda: site.delete(*uuids)),
    }


def test_sixteen_requests_in_one_call_cost_what_one_costs(database: Database) -> None:
    site = Site(database)
    site.report(site.gpu(handles=17))
    site.limit(100)
    assert costs(site, 16) == costs(site, 1)
    assert max(costs(site, 1).values()) <= MOST_STATEMENTS


def test_claims_cost_the_same_at_ten_live_requests_and_at_five_thousand(tmp_path: Path) -> None:
    found = []
    for amount in (10, 5000):
        with migrated("sqlite", tmp_path) as database:
            add_live(database, amount)
            site = Site(database)
            site.report(site.gpu(handles=2))
            site.limit(100)
            found.append(costs(site, 2))
    assert found[0] == found[1]


@pytest.mark.postgresql
@pytest.mark.parametrize("amount", [100, 2000])
def test_postgresql_reads_few_rows_for_a_claim_also_while_it_knows_nothing_of_its_tables(
    tmp_path: Path, amount: int
) -> None:
    def claim(connection: Connection, wanted: RequestChanges) -> int:
        before = rows_read(connection)
        claims.change(connection, wanted.changes, scope=EVERYTHING, terms=terms(), origin=site.origin)
        return rows_read(connection) - before

    with migrated("postgresql", tmp_path) as database:
        _keep_from_being_analyzed(database)
        add_live(database, amount)
        site = Site(database)
        site.report(site.gpu(handles=2))
        uuids = site.make(2)
        assert database.write(partial(claim, wanted=site.binds(uuids))) <= MOST_ROWS
        assert database.write(partial(claim, wanted=site.unbinds(uuids))) <= MOST_ROWS


@pytest.mark.postgresql
def test_postgresql_reads_few_rows_for_claims_of_placement_too(tmp_path: Path) -> None:
    def take(connection: Connection) -> int:
        intents = [Intent(new_claim(site.project), [one], site.origin) for one in free]
        before = rows_read(connection)
        taking.take_together(connection, intents, terms=terms())
        return rows_read(connection) - before

    with migrated("postgresql", tmp_path) as database:
        _keep_from_being_analyzed(database)
        add_live(database, 2000)
        site = Site(database)
        site.report(*(site.gpu(slot) for slot in range(4)))
        free = choose(database, 4, node=site.node)
        assert database.write(take) <= MOST_ROWS


def rows_read(connection: Connection) -> int:
    """How many rows this transaction has read."""
    read = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
    return int(connection.scalar(text(read)) or 0)


def _keep_from_being_analyzed(database: Database) -> None:
    with database.writer() as connection:
        for table in Base.metadata.tables:
            connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
