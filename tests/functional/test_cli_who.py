"""Who has what, on the command line, against the real API."""

from collections.abc import Iterator

import pytest
from support.cli import Outcome, Terminal, run
from support.inventory import Inventory
from support.populated import populate, uuid
from support.served import served

from accel.db.engine import Database

WRONG_USE, NOT_FOUND = 2, 3
HELD, FREE, UNHEALTHY = uuid(4, 2), uuid(4, 3), uuid(4, 4)
KEYS = [
    *("uuid", "node", "type", "info", "who", "held_since", "is_free", "why_not"),
    *("holder_kind", "holder_name", "holder_project_id", "holder_uuid", "request_uuid"),
    *("presence", "device_uuid", "deployable_name", "deployable_uuid", "created_at", "updated_at"),
]


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    populate(database)
    with served(database) as url:
        yield url


def accel(url: str, *words: str) -> Outcome:
    return run(*words, endpoint=url)


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (FREE, "MIG MIG-3 on alpha (40000000): free"),
        (HELD, "MIG MIG-2 on alpha (40000000): instance vm, for "),
        (
            UNHEALTHY,
            f": nobody can have it: the health of its device {uuid(1, 2)} is unhealthy: row remapping failed",
        ),
    ],
)
def test_who_says_that_it_is_free_who_has_it_or_why_nobody_can(handle: str, said: str, url: str) -> None:
    outcome = accel(url, "who", handle)

    assert outcome.code == 0
    (line,) = outcome.lines
    assert said in line


def test_on_a_terminal_too_a_reason_is_told_in_full(url: str) -> None:
    out = Terminal()

    run("who", UNHEALTHY, endpoint=url, stdout=out)

    assert out.getvalue().endswith("row remapping failed\n")


def test_of_a_device_every_handle_is_told(url: str) -> None:
    outcome = accel(url, "who", "alpha/0000:3b:00.0")

    assert [line.partition(" on ")[0] for line in outcome.lines] == ["MIG MIG-2", "MIG MIG-3"]


def test_what_is_the_matter_with_what_somebody_has_is_told_too(url: str) -> None:
    accel(url, "device", "disable", uuid(1, 1))

    assert accel(url, "who", HELD).out.endswith(f"; its device {uuid(1, 1)} is disabled (maintaining)\n")


def test_the_request_and_the_project_of_a_holder_are_told(database: Database) -> None:
    inventory = Inventory(database)
    handle = inventory.handle(inventory.deployable(inventory.device(inventory.node())))
    inventory.holder(handle, name="vm-1", project_id="red")
    with served(database) as url:
        assert ": instance vm-1 of project red, for " in accel(url, "who", handle["uuid"]).out
        assert accel(url, "who", handle["uuid"], "-f", "value", "-c", "who").out == "instance vm-1 of project red\n"


def test_a_device_without_handles_has_nothing_that_anybody_could_have(url: str) -> None:
    outcome = accel(url, "who", uuid(1, 4))

    assert (outcome.code, outcome.out) == (0, "")
    assert "no handles" in outcome.err


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [("nosuch", NOT_FOUND, "nosuch"), ("4000", WRONG_USE, "4000 means several devices; say which:")],
)
def test_what_is_unknown_or_not_clear_is_not_guessed(what: str, code: int, said: str, url: str) -> None:
    outcome = accel(url, "who", what)

    assert outcome.code == code
    assert said in outcome.err


def test_for_scripts_there_are_all_members(url: str) -> None:
    (found,) = accel(url, "who", HELD, "-f", "json").json

    assert list(found) == KEYS
    assert found["who"] == "instance vm"
    assert found["held_since"] == "2026-11-21T03:45:13+00:00"
    assert accel(url, "who", FREE, "-f", "json").json[0]["holder_kind"] is None


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ((), [2, 3, 4, 5, 6]),
        (("--device", "GPU-1"), [2, 3]),
        (("--node", "beta"), [5, 6]),
        (("--type", "mig"), [2, 3]),
        (("--presence", "lost"), []),
        (("--free",), [3, 5, 6]),
        (("--held",), [2]),
    ],
    ids=lambda value: " ".join(map(str, value)) or "all",
)
def test_handles_are_listed_and_narrowed(options: tuple[str, ...], numbers: list[int], url: str) -> None:
    found = accel(url, "handle", "list", "-f", "json", *options).json

    assert sorted(handle["uuid"] for handle in found) == [uuid(4, number) for number in numbers]


def test_a_table_of_handles_says_who_has_each(url: str) -> None:
    lines = accel(url, "handle", "list", "--node", "alpha").lines

    assert lines[0].split() == ["UUID", "Node", "Type", "Info", "Who", "Held", "since"]
    assert [line.split()[4] for line in lines[1:]] == ["instance", "free", "nobody"]
