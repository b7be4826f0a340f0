"""Who holds how much, as each of the databases counts it."""

from support.databases import counted_statements
from support.inventory import Inventory

from accel.db import summary
from accel.db.engine import Database

HOLDERS = (
    ("instance", "vm"),
    ("reservation", "ml/looks-like-a-pod"),
    ("pod", "ml/train-0/main"),
    ("pod", "ml/train-1/main"),
    ("pod", "web/infer/main"),
    ("fence", "a job"),
)


def held(database: Database, *, times: int = 1) -> None:
    inventory = Inventory(database)
    part = inventory.deployable(inventory.device(inventory.node()))
    for number in range(times):
        for kind, name in HOLDERS:
            inventory.holder(inventory.handle(part), kind=kind, name=f"{name}{number or ''}")


def test_holders_are_counted_by_kind_and_pods_by_namespace(any_database: Database) -> None:
    held(any_database)

    with any_database.reader() as connection:
        found = summary.holdings(connection)

    assert found.by_kind == {"fence": 1, "instance": 1, "pod": 3, "reservation": 1}
    assert found.by_namespace == {"ml": 2, "web": 1}


def test_nobody_holds_anything_of_an_empty_fleet(any_database: Database) -> None:
    with any_database.reader() as connection:
        assert summary.holdings(connection) == ({}, {})


def test_it_costs_one_statement_whoever_holds_how_much(any_database: Database) -> None:
    held(any_database, times=20)

    with counted_statements(any_database) as statements, any_database.reader() as connection:
        summary.holdings(connection)

    assert len(statements) == 1
