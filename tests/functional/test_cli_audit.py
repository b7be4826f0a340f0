"""Audits on the command line, against the real API with a conductor in its process."""

from collections.abc import Iterator

import pytest
from support.cli import Outcome, run
from support.inventory import Inventory
from support.populated import populate, uuid
from support.served import served

from accel.db.engine import Database

FINDINGS_REMAIN = 5


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    with served(database) as url:
        yield url


def accel(url: str, *words: str) -> Outcome:
    return run("audit", "allocations", *words, endpoint=url)


def test_where_all_is_well_the_exit_code_is_0_and_it_is_said_what_was_not_looked_for(url: str) -> None:
    outcome = accel(url)

    assert (outcome.code, outcome.out) == (0, "")
    assert "not looked for: requests for instances that are gone: " in outcome.err
    assert outcome.err.endswith("no findings\n")


def test_what_is_found_is_listed_and_only_mended_when_that_is_asked_for(database: Database, url: str) -> None:
    populate(database)  # the holder of its first handle is an instance that no request is for

    looked = accel(url, "-f", "json")
    assert (looked.code, [finding["mended"] for finding in looked.json]) == (FINDINGS_REMAIN, [False])
    assert looked.json[0]["kind"] == "holder_without_request"
    assert looked.json[0]["node"] == "alpha"
    assert looked.json[0]["mend"] == "the handle is given back"
    assert uuid(4, 2) in looked.json[0]["text"]
    assert looked.err.endswith("accel: 1 finding in all; accel audit allocations --fix mends 1\n")

    mended = accel(url, "--fix")
    assert mended.code == 0
    assert mended.lines[0].split() == ["Kind", "Subject", "Node", "Mended", "Text"]
    assert mended.lines[1].split()[0::3][:2] == ["holder_without_request", "yes"]
    assert accel(url).code == 0
    assert ": free" in run("who", uuid(4, 2), endpoint=url).out


def test_what_a_person_is_to_decide_is_left_and_the_exit_code_says_so(database: Database, url: str) -> None:
    inventory = Inventory(database)
    lost = inventory.device(inventory.node(), presence="lost")
    inventory.holder(inventory.handle(inventory.deployable(lost)), kind="pod")

    outcome = accel(url, "--fix", "-f", "value", "-c", "kind", "-c", "mended")

    assert outcome.code == FINDINGS_REMAIN
    assert outcome.out == "held_but_lost False\n"
    assert outcome.err.endswith("accel: 1 finding left\n")
