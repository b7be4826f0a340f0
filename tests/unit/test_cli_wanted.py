"""What the options of a command ask for."""

import argparse
from typing import Any

import pytest

from accel.cli import wanted
from accel.cli.client import Client
from accel.cli.errors import WrongUse

NOBODY = Client("http://127.0.0.1:1")
"""No question without a profile asks the server."""


def question(*words: str) -> Any:
    parser = argparse.ArgumentParser()
    wanted.add_options(parser)
    return wanted.question(parser.parse_args(words), NOBODY)


def test_kind_and_number_are_one_group() -> None:
    assert question("--type", "GPU", "--model", "H100", "--count", "4", "--near", "numa") == {
        "groups": [{"count": 4, "where": ["type = GPU", "model ~ H100"], "near": "numa"}]
    }


def test_one_is_asked_for_unless_more_are() -> None:
    assert question("--class", "PGPU") == {"groups": [{"resources": {"PGPU": 1}}]}


def test_each_option_has_its_place_in_the_question() -> None:
    asked = question(
        *("--class", "PGPU", "--count", "2", "--trait", "A", "--trait", "B", "--forbid", "C", "--any-of", "D, E"),
        *("--where", "memory >= 40GiB", "--nodes", "3", "--label", "zone=a", "--label", "rack=r1", "--exclude", "n7"),
    )

    assert asked == {
        "groups": [
            {
                "resources": {"PGPU": 2},
                "required": ["A", "B"],
                "forbidden": ["C"],
                "any_of": [["D", "E"]],
                "where": ["memory >= 40GiB"],
            }
        ],
        "nodes": 3,
        "labels": {"zone": "a", "rack": "r1"},
        "exclude_nodes": ["n7"],
    }


def test_something_must_be_asked_for() -> None:
    with pytest.raises(WrongUse, match="say what is wanted"):
        question("--count", "4", "--label", "zone=a")


def test_a_profile_says_all_that_is_wanted() -> None:
    with pytest.raises(WrongUse, match="leave out --class, --count"):
        question("--profile", "gold", "--class", "PGPU", "--count", "4")


def test_a_label_is_a_key_and_a_value() -> None:
    with pytest.raises(WrongUse, match="--label zone: write KEY=VALUE"):
        question("--type", "GPU", "--label", "zone")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--class", "PGPU", "--count", "4", "--near", "linked"), "4 PGPU (near: linked)"),
        (
            (
                "--type",
                "GPU",
            ),
            "1 accelerator (type = GPU)",
        ),
        (
            ("--type", "GPU", "--count", "2", "--trait", "T", "--forbid", "F"),
            "2 accelerators (type = GPU, trait T, no F)",
        ),
        (("--class", "PGPU", "--any-of", "A,B", "--nodes", "2"), "1 PGPU (any of A, B) on each of 2 nodes"),
    ],
)
def test_a_question_is_told_in_a_few_words(words: tuple[str, ...], text: str) -> None:
    assert wanted.text(question(*words)) == text


def test_a_profile_is_told_by_its_name() -> None:
    assert wanted.text({"device_profile_name": "gold", "nodes": 2}) == "profile gold on each of 2 nodes"
