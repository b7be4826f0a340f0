"""Device profiles on the command line, against the real API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cli import Outcome, run
from support.populated import populate, uuid
from support.served import served

from accel.db.engine import Database

GROUP = "resources:PGPU=2,trait:CUSTOM_X=required"
WRONG_USE, NOT_FOUND, CONFLICT = 2, 3, 6


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    populate(database)
    with served(database) as url:
        yield url


def accel(url: str, *words: str) -> Outcome:
    return run("profile", *words, endpoint=url)


def shown(url: str, name: str) -> Any:
    return accel(url, "show", "-f", "json", name).json


def test_profiles_are_listed_by_name_with_what_they_ask_for(url: str) -> None:
    outcome = accel(url, "list")
    assert outcome.lines[0].split() == ["UUID", "Name", "Groups", "Description"]
    assert outcome.lines[1].split()[:2] == ["70000000", "gold"]
    assert "resources:FPGA=1, trait:CUSTOM_FAKE_DEVICE=required" in outcome.lines[1]


@pytest.mark.parametrize(
    ("option", "names"),
    [
        (("--name", "secret,nosuch"), ["secret"]),
        (("--project", "red"), ["secret"]),
        (("--public",), ["gold"]),
        (("--private",), ["secret"]),
    ],
    ids=lambda value: value[0],
)
def test_the_list_is_narrowed(option: tuple[str, ...], names: list[str], url: str) -> None:
    assert [profile["name"] for profile in accel(url, "list", "-f", "json", *option).json] == names


@pytest.mark.parametrize("key", ["gold", uuid(7, 1)])
def test_a_profile_is_shown_by_name_and_by_uuid(key: str, url: str) -> None:
    assert shown(url, key)["description"] == "first"


def test_a_name_goes_before_the_start_of_a_uuid(url: str) -> None:
    accel(url, "create", "70000000", "--group", GROUP)
    assert shown(url, "70000000")["groups"] == [{"resources:PGPU": "2", "trait:CUSTOM_X": "required"}]


def test_the_start_of_two_uuids_is_not_guessed(url: str) -> None:
    outcome = accel(url, "show", "7000")
    assert outcome.code == WRONG_USE
    assert "7000 means several profiles" in outcome.err


def test_a_profile_is_created_changed_and_deleted(url: str) -> None:
    created = accel(url, "create", "mine", "--group", GROUP, "--group", "resources:FPGA=1", "--project", "red")
    assert created.out == f"mine ({shown(url, 'mine')['uuid'][:8]}) is created\n"
    assert [len(group) for group in shown(url, "mine")["groups"]] == [2, 1]

    changed = accel(url, "set", "mine", "--private", "--description", "ours", "--name", "ours")
    assert changed.out.endswith(" is changed, now version 2\n")
    after = shown(url, "ours")
    assert (after["is_public"], after["description"], after["project_id"]) == (False, "ours", "red")

    deleted = accel(url, "delete", "ours", "gold")
    assert [line.split()[0] for line in deleted.lines] == ["ours", "gold"]
    assert accel(url, "show", "ours").code == NOT_FOUND


def test_nothing_is_deleted_when_one_of_the_names_is_wrong(url: str) -> None:
    assert accel(url, "delete", "gold", "nosuch").code == NOT_FOUND
    assert accel(url, "show", "gold").code == 0


def test_what_show_writes_create_and_set_read(tmp_path: Path, url: str) -> None:
    path = tmp_path / "gold.json"
    path.write_text(accel(url, "show", "-f", "json", "gold").out)
    assert accel(url, "create", "copy", "--file", str(path)).code == 0
    assert shown(url, "copy")["groups"] == shown(url, "gold")["groups"]
    path.write_text(json.dumps([{"resources:PGPU": 4}]))
    assert accel(url, "set", "copy", "--file", str(path)).code == 0
    assert shown(url, "copy")["groups"] == [{"resources:PGPU": "4"}]


def test_a_profile_that_was_changed_meanwhile_is_not_changed(url: str) -> None:
    outcome = accel(url, "set", "secret", "--description", "x", "--if-version", "2")
    assert outcome.code == CONFLICT
    assert outcome.err == "accel: version: 2 of device profile secret is not the newest, which is 3: read it again\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "mine"), "a profile has groups"),
        (("create", "mine", "--group", "resources:PGPU"), "write KEY=VALUE"),
        (("create", "mine", "--group", "a=1,a=2"), "each key once"),
        (("create", "mine", "--group", "resources:BOGUS=1"), "os-resource-classes"),
        (("create", "mine", "--file", "/nowhere.json"), "/nowhere.json"),
        (("create", "a b", "--group", GROUP), "letters, digits"),
        (("set", "gold"), "nothing to change"),
        (("set", "gold", "--private"), "project_id"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_said(words: tuple[str, ...], said: str, url: str) -> None:
    outcome = accel(url, *words)
    assert outcome.code == WRONG_USE
    assert said in outcome.err


@pytest.mark.parametrize("text", ["{", "{}", "7", '{"groups": {}}'])
def test_a_file_that_holds_no_groups_is_refused(text: str, tmp_path: Path, url: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    assert accel(url, "create", "mine", "--file", str(path)).code == WRONG_USE
