"""Explanations, what-if and what is free, on the command line, against the real API."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import Outcome, run
from support.served_fleet import FLEET, ServedFleet, served_fleet

from accel.cli.client import Client

WRONG_USE, NOT_FOUND, NO_PLACEMENT = 2, 3, 5
RACK = """
nodes:
  - name: new-{0}
    count: 2
    cards:
      - model: A100-SXM4-80GB
        count: 8
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[ServedFleet]:
    """Three nodes with four A100 each, one of them unhealthy and one of unknown health; others with other things."""
    with served_fleet(tmp_path) as fleet:
        fleet.report_fleet(FLEET, tmp_path)
        Client(fleet.url).post("/device_profiles", [{"name": "four", "groups": [{"resources:PGPU": "4"}]}])
        Client(fleet.url).post("/device_profiles", [{"name": "onex2", "groups": [{"resources:PGPU": "1"}]}])
        yield fleet


def accel(fleet: ServedFleet, *words: str) -> Outcome:
    return run(*words, endpoint=fleet.url)


def table(lines: list[str], heading: str) -> list[list[str]]:
    """The rows of a table, of its cells."""
    start = next(number for number, line in enumerate(lines) if line.startswith(heading))
    end = next((number for number, line in enumerate(lines) if number > start and not line), len(lines))
    return [line.split() for line in lines[start + 1 : end]]


# --- explain ---


def test_what_fits_is_said_in_a_sentence(fleet: ServedFleet) -> None:
    said = accel(fleet, "explain", "--model", "A100", "--class", "PGPU", "--count", "4")

    assert (said.code, said.out) == (0, "It fits on 1 node.\n")


def test_why_something_does_not_fit_is_told_step_by_step(fleet: ServedFleet) -> None:
    said = accel(fleet, "explain", "--class", "PGPU", "--count", "4", "--near", "linked")

    assert said.code == NO_PLACEMENT
    assert said.lines[0] == (
        "1 node has 4 PGPU free, but no node has them all linked to one another; the most is 2. "
        "Nor would it be otherwise if all were free."
    )
    assert said.lines[1].startswith("The nearest is gpu-0")
    steps = table(said.lines, "Filter")
    assert [step[0] for step in steps][-3:] == ["free", "count", "near"]
    assert " ".join(steps[-1]) == "near 0 0 has 2 of 4 PGPU all linked to one another (1 node)"
    assert "It would fit on 1 node without being all linked to one another." in said.lines


def test_what_is_not_healthy_is_told_with_its_reason(fleet: ServedFleet) -> None:
    said = accel(fleet, "explain", "--class", "PGPU", "--count", "4", "--exclude", "gpu-01")

    assert said.code == NO_PLACEMENT
    assert "one is unhealthy (ECC errors)" in said.out or "one is health unknown (no answer)" in said.out
    assert "It would fit on 2 nodes without any device being lost, disabled or not healthy." in said.lines


def test_what_would_help_can_be_asked_again(fleet: ServedFleet) -> None:
    wanted = ("explain", "--class", "PGPU", "--count", "4", "--exclude", "gpu-01", "--suppose", "repaired")

    assert accel(fleet, *wanted).out == "It fits on 2 nodes.\n"


def test_scripts_get_all_parts(fleet: ServedFleet) -> None:
    said = accel(fleet, "explain", "--type", "GPU", "--trait", "CUSTOM_NONE", "-f", "json")

    assert said.code == NO_PLACEMENT
    assert list(said.json) == ["fits", "nodes", "text", "steps", "blocker", "nearest", "counterfactuals"]
    assert said.json["blocker"]["code"] == "trait"
    assert said.json["counterfactuals"][0]["relaxed"] == {"groups": [{"count": 1, "where": ["type = GPU"]}]}
    assert accel(fleet, "explain", "--type", "GPU", "-f", "value", "-c", "fits").out == "True\n"


def test_where_nothing_would_help_that_is_said(fleet: ServedFleet) -> None:
    said = accel(fleet, "explain", "--class", "CUSTOM_NONE")

    assert said.lines[-1] == "Nothing that is left out alone would help."


def test_a_wrong_comparison_is_a_wrong_use(fleet: ServedFleet) -> None:
    said = accel(fleet, "explain", "--where", "memory at least 1")

    assert (said.code, "groups[0].where[0]" in said.err) == (WRONG_USE, True)


def test_an_unknown_profile_is_not_found(fleet: ServedFleet) -> None:
    assert accel(fleet, "explain", "--profile", "nosuch").code == NOT_FOUND


# --- what if ---


@pytest.mark.parametrize("request_", ["four×9", "four x 9", "four*9", "fourx9"])
def test_a_profile_is_put_as_often_as_is_said(request_: str, fleet: ServedFleet) -> None:
    said = accel(fleet, "whatif", "--request", request_)

    assert said.code == NO_PLACEMENT
    assert said.lines[0] == "1 of 9 fit"
    assert table(said.lines, "Node") == [["gpu-01", "1"]]
    assert said.lines[-1].startswith("The next one does not. No node has 4 PGPU free; the most on one is 3.")


def test_a_profile_with_an_x_in_its_name_goes_first(fleet: ServedFleet) -> None:
    assert accel(fleet, "whatif", "--request", "onex2").lines[0] == "1 of 1 fit"
    assert accel(fleet, "whatif", "--request", "onex2x2").lines[0] == "2 of 2 fit"


def test_nodes_are_added_and_drained(fleet: ServedFleet, tmp_path: Path) -> None:
    rack = tmp_path / "rack.yaml"
    rack.write_text(RACK)

    said = accel(fleet, "whatif", "--add-nodes", str(rack), "--drain", "gpu-01", "--request", "four×4")

    assert said.code == 0
    assert said.lines[0] == "4 of 4 fit"
    assert sorted(table(said.lines, "Node")) == [["new-1", "2"], ["new-2", "2"]]


def test_what_is_wanted_can_be_said_by_options(fleet: ServedFleet) -> None:
    said = accel(fleet, "whatif", "--class", "PGPU", "--count", "4", "--times", "2", "-f", "json")

    assert said.code == NO_PLACEMENT
    assert (said.json["count"], said.json["fits"], said.json["nodes"]) == (2, 1, [{"node": "gpu-01", "count": 1}])


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--request", "nosuch×2"), NOT_FOUND, "there is no profile nosuch"),
        (("--request", "four×0"), WRONG_USE, "0 is not a number from 1"),
        (("--request", "four×2", "--times", "2"), WRONG_USE, "leave out --profile and --times"),
        (("--request", "four", "--drain", "nosuch"), WRONG_USE, "drain[0]: 'nosuch' is not the name of a node"),
        (
            ("--request", "four", "--add-nodes", "/nosuch"),
            WRONG_USE,
            "--add-nodes /nosuch: cannot be read: No such file or directory",
        ),
        ((), WRONG_USE, "say what is wanted"),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(
    words: tuple[str, ...], code: int, text: str, fleet: ServedFleet
) -> None:
    said = accel(fleet, "whatif", *words)

    assert (said.code, text in said.err) == (code, True), said.err


def test_a_mistake_in_a_fleet_file_is_told_by_its_field(fleet: ServedFleet, tmp_path: Path) -> None:
    path = tmp_path / "rack.yaml"
    path.write_text("nodes: [{name: n, cards: [{model: H1000}]}]")

    said = accel(fleet, "whatif", "--request", "four", "--add-nodes", str(path))

    assert (said.code, "add_nodes.nodes[0].cards[0].model: 'H1000' is not known" in said.err) == (WRONG_USE, True)


# --- what is free ---


def test_what_is_free_is_listed_by_model(fleet: ServedFleet) -> None:
    said = accel(fleet, "free", "--model", "a100")

    assert said.lines[0].split() == ["Model", "Resource", "class", "On", "one", "node", "Total", "Free", "Largest"]
    assert [line.split()[1:6] for line in said.lines[1:]] == [
        ["A100-SXM4-80GB", "CUSTOM_MIG_1G_10GB", "1", "1", "1"],
        ["A100-SXM4-80GB", "CUSTOM_MIG_3G_40GB", "1", "1", "1"],
        ["A100-SXM4-80GB", "PGPU", "4", "12", "10"],
    ]
    assert said.lines[3].endswith("4: 2 on a NUMA node, 2 below a switch, 2 linked")


def test_links_are_told_where_all_that_is_free_is_linked(tmp_path: Path) -> None:
    with served_fleet(tmp_path) as fleet:
        fleet.report_fleet("nodes: [{name: h, cards: [{model: H100-SXM5-80GB, count: 8}]}]", tmp_path)

        assert accel(fleet, "free").lines[1].endswith("8 linked: 4 on a NUMA node, 2 below a switch")


def test_scripts_get_the_figures_of_what_is_free(fleet: ServedFleet) -> None:
    said = accel(fleet, "free", "--model", "U280", "-f", "json")

    (found,) = said.json
    assert (found["type"], found["total"], found["free"], found["held"], found["unusable"]) == ("FPGA", 2, 2, 0, 0)
    assert found["largest"] == {"node": 2, "numa": 1, "switch": 1, "linked": 1, "device": 1}
    assert accel(fleet, "free", "--model", "nosuch").err == "no models\n"
