"""Quotas on the command line, against the real API."""

from collections.abc import Iterator

import pytest
from support.cli import Outcome, run
from support.inventory import Inventory
from support.served import served

from accel.cli import client
from accel.db.engine import Database

WRONG_USE, NOT_FOUND = 2, 3


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    with served(database) as url:
        yield url


def accel(url: str, *words: str) -> Outcome:
    return run("quota", *words, endpoint=url)


def test_limits_are_set_shown_and_taken_away(url: str) -> None:
    assert accel(url, "set", "red", "PGPU=4", "FPGA=0").lines == ["red: PGPU: 0 of 4 held", "red: FPGA: 0 of 0 held"]
    assert accel(url, "show", "red").lines == [
        "Project id  red",
        "Quotas      FPGA: 0 of 0 held",
        " " * 12 + "PGPU: 0 of 4 held",
    ]

    assert accel(url, "set", "red", "PGPU=-1", "FPGA=none").lines == [
        "red: PGPU: 0 held, no limit",
        "red: FPGA: 0 held, no limit",
    ]
    assert "no limit, nothing held" in accel(url, "show", "red").out


def test_without_a_project_the_only_one_is_shown(url: str) -> None:
    assert accel(url, "show").code == NOT_FOUND
    accel(url, "set", "red", "PGPU=4")
    assert accel(url, "show", "-f", "json").json == {
        "project_id": "red",
        "quotas": [{"resource_class": "PGPU", "limit": 4, "used": 0}],
    }
    accel(url, "set", "blue", "PGPU=4")
    several = accel(url, "show")
    assert (several.code, "say which" in several.err) == (WRONG_USE, True)


def test_quotas_are_listed_a_line_for_each_class(url: str) -> None:
    accel(url, "set", "red", "PGPU=4", "CUSTOM_NVME=1")
    accel(url, "set", "blue", "PGPU=2")

    assert [line.split() for line in accel(url, "list").lines] == [
        ["Project", "id", "Resource", "class", "Used", "Limit"],
        ["blue", "PGPU", "0", "2"],
        ["red", "CUSTOM_NVME", "0", "1"],
        ["red", "PGPU", "0", "4"],
    ]
    assert accel(url, "list", "--project", "blue", "-f", "json").json == [
        {"project_id": "blue", "resource_class": "PGPU", "used": 0, "limit": 2}
    ]
    assert len(accel(url, "list", "-f", "json", "--limit", "2").json) == 2


def test_long_lists_of_projects_are_read_page_by_page(database: Database, url: str) -> None:
    inventory = Inventory(database)
    names = [f"project-{number:05}" for number in range(client.PAGE_SIZE + 1)]
    for name in names:
        inventory.quota(name)

    assert [quota["project_id"] for quota in accel(url, "list", "-f", "json").json] == names


def test_the_id_of_a_project_is_taken_as_it_is(url: str) -> None:
    assert accel(url, "set", "red & blue?", "PGPU=4").code == 0
    assert accel(url, "show", "red & blue?").code == 0


@pytest.mark.parametrize(
    "limit", ["PGPU", "PGPU=", "PGPU=many", "=4", "PGPU=1.5", "PGPU=--1", "BOGUS=1", "PGPU=-2", "PGPU=²"]
)
def test_what_is_no_limit_is_refused(limit: str, url: str) -> None:
    assert accel(url, "set", "red", limit).code == WRONG_USE


def test_a_class_is_named_once(url: str) -> None:
    assert accel(url, "set", "red", "PGPU=1", "PGPU=2").code == WRONG_USE
