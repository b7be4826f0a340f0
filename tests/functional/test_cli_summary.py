"""The one-screen summary when there is much to say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import Terminal, run
from support.inventory import Inventory
from support.served_fleet import ServedFleet, served_fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[ServedFleet]:
    with served_fleet(tmp_path) as fleet:
        yield fleet


def test_problems_beyond_six_are_counted(fleet: ServedFleet) -> None:
    inventory = Inventory(fleet.database)
    for number in range(9):
        inventory.node(f"node{number}", state="offline")
    lines = run(endpoint=fleet.url).lines
    assert lines[0] == "Nodes    0 online, 9 offline"
    assert sum("not heard for" in line for line in lines) == 6
    assert "  … 3 more: accel summary -f json" in lines


def test_a_terminal_gets_as_many_models_as_fit_and_a_pipe_gets_all(
    fleet: ServedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    inventory = Inventory(fleet.database)
    node = inventory.node()
    for number in range(20):
        inventory.handle(inventory.deployable(inventory.device(node, model=f"model {number:02}")))
    on_terminal = run(endpoint=fleet.url, stdout=Terminal()).lines
    assert len(on_terminal) <= 24
    assert "… 12 more models: accel device list" in on_terminal
    assert sum("model " in line for line in run(endpoint=fleet.url).lines) == 20


def test_what_is_disabled_has_a_column_only_where_there_is_any(fleet: ServedFleet) -> None:
    inventory = Inventory(fleet.database)
    node = inventory.node()
    inventory.deployable(inventory.device(node))
    assert "Disabled" not in run(endpoint=fleet.url).out
    inventory.deployable(inventory.device(node, status="maintaining"))
    assert "Disabled" in run(endpoint=fleet.url).out


def test_a_model_does_not_repeat_its_vendor(fleet: ServedFleet) -> None:
    inventory = Inventory(fleet.database)
    inventory.deployable(inventory.device(inventory.node(), vendor="144d", model="SAMSUNG PM1733", type="NVME"))
    assert run(endpoint=fleet.url).lines[5].split()[:3] == ["NVME", "Samsung", "PM1733"]
    assert run("-f", "json", endpoint=fleet.url).json["groups"][0]["model"] == "SAMSUNG PM1733"


def test_figures_of_what_is_held_are_shown(fleet: ServedFleet) -> None:
    inventory = Inventory(fleet.database)
    part = inventory.deployable(inventory.device(inventory.node()))
    inventory.handle(part, held=True)
    inventory.handle(part)
    assert "Free     1 of 2, 1 held" in run(endpoint=fleet.url).lines
    assert run("deployable", "list", endpoint=fleet.url).lines[1].split()[-2:] == ["1/2", "present"]


def test_who_holds_what_is_named_by_kind_and_of_pods_by_namespace(fleet: ServedFleet) -> None:
    inventory = Inventory(fleet.database)
    part = inventory.deployable(inventory.device(inventory.node()))
    for number in range(3):
        inventory.holder(inventory.handle(part), kind="pod", name=f"ml/train-{number}/main")
    inventory.holder(inventory.handle(part), kind="pod", name="web/infer/main")
    inventory.holder(inventory.handle(part))

    assert "Held by  4 pod (ml 3, web 1), 1 instance" in run(endpoint=fleet.url).lines
    told = run("summary", "-f", "json", endpoint=fleet.url).json
    assert (told["held_by"], told["namespaces"]) == ({"instance": 1, "pod": 4}, {"ml": 3, "web": 1})


def test_of_many_namespaces_those_that_have_most_are_named(fleet: ServedFleet) -> None:
    inventory = Inventory(fleet.database)
    part = inventory.deployable(inventory.device(inventory.node()))
    for number in range(7):
        for pod in range(7 - number):
            inventory.holder(inventory.handle(part), kind="pod", name=f"n{number}/p{pod}/main")

    assert "Held by  28 pod (n0 7, n1 6, n2 5, n3 4, n4 3, 2 more)" in run(endpoint=fleet.url).lines


def test_nobody_is_named_where_nothing_is_held(fleet: ServedFleet) -> None:
    inventory = Inventory(fleet.database)
    inventory.handle(inventory.deployable(inventory.device(inventory.node())))
    assert "Held by" not in run(endpoint=fleet.url).out
