"""The command line against the real API: what people type, what they see, what scripts get."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from support.cli import Outcome, Terminal, looks, run
from support.inventory import Inventory
from support.served_fleet import FLEET, ServedFleet, served_fleet

from accel.model.report import Failure, FailureKind, NodeInfo

DEVICE_KEYS = [
    *("uuid", "node", "address", "type", "model", "free", "state", "total", "held", "vendor", "product", "identity"),
    *("serial", "driver", "kernel_driver", "numa_node", "status", "presence", "health", "reason"),
    *("lost_at", "created_at", "updated_at"),
]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    """A fleet that tests of reading share."""
    directory = tmp_path_factory.mktemp("fleet")
    with served_fleet(directory) as fleet:
        fleet.report_fleet(FLEET, directory)
        failure = Failure(kind=FailureKind.UNAVAILABLE, message="no libnvidia-ml.so.1", hint="install the driver")
        fleet.report(NodeInfo(name="broken-01", agent_version="0.1.0"), failure=failure)
        yield fleet


@pytest.fixture
def own_fleet(tmp_path: Path) -> Iterator[ServedFleet]:
    """A fleet that one test may change."""
    with served_fleet(tmp_path) as fleet:
        fleet.report_fleet(FLEET, tmp_path)
        yield fleet


def accel(fleet: ServedFleet, line: str, **more: object) -> Outcome:
    """Run what stands after ``accel``."""
    return run(*line.split(), endpoint=fleet.url, **more)  # type: ignore[arg-type] - passed on as they are


def devices(fleet: ServedFleet, options: str = "") -> list[dict[str, object]]:
    return accel(fleet, f"device list -f json {options}").json


# The bare command


def test_the_bare_command_shows_the_fleet_on_one_screen_with_problems_and_five_hints(fleet: ServedFleet) -> None:
    outcome = accel(fleet, "")
    assert outcome.code == 0
    assert len(outcome.lines) <= 24
    assert all(len(line) <= 80 for line in outcome.lines)
    assert outcome.lines[:3] == [
        "Nodes    6 online",
        "Devices  15 (1 unhealthy, 1 unknown)",
        "Free     14 of 16, 0 held",
    ]
    assert "  broken-01: simulated failed: no libnvidia-ml.so.1" in outcome.lines
    assert any(line.endswith("unhealthy: ECC errors") for line in outcome.lines)
    assert sum(line.startswith("  accel ") for line in outcome.lines) == 5


def test_the_summary_for_scripts_has_groups_totals_nodes_and_problems(fleet: ServedFleet) -> None:
    summary = accel(fleet, "-f json").json
    assert summary["nodes"] == {"online": 6, "offline": 0}
    assert summary["totals"]["devices"] == 15
    assert {problem["kind"] for problem in summary["problems"]} == {"driver_failed", "device_unhealthy"}


def test_an_empty_fleet_says_so(tmp_path: Path) -> None:
    with served_fleet(tmp_path) as empty:
        outcome = accel(empty, "")
        assert "Devices  none: no agent has reported yet" in outcome.lines
        listed = accel(empty, "device list")
        assert (listed.code, listed.out, listed.err) == (0, "", "no devices\n")
        assert accel(empty, "device list -f json").json == []


def test_what_is_offline_or_lost_is_a_problem_of_the_summary(own_fleet: ServedFleet, tmp_path: Path) -> None:
    lost = FLEET.replace("card: 1, state: unhealthy, reason: ECC errors", "card: 1, state: absent")
    own_fleet.report_fleet(lost, tmp_path)
    (problem,) = (item for item in accel(own_fleet, "-f json").json["problems"])
    assert problem["kind"] == "device_lost"
    assert problem["text"].startswith("lost for ")


# Lists


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ("", 15),
        ("--free", 13),
        ("--type GPU", 13),
        ("--type gpu", 13),
        ("--vendor nvidia", 13),
        ("--vendor 10de", 13),
        ("--vendor xilinx --free", 2),
        ("--node gpu-01", 4),
        ("--health unhealthy", 1),
        ("--health unknown", 1),
        ("--presence lost", 0),
        ("--status enabled", 15),
        ("--numa-node 1 --node gpu-01", 2),
        ("--driver simulated", 15),
        ("--address 13:00.0", 5),
        ("--limit 3", 3),
        ("--all", 15),
    ],
)
def test_devices_are_listed_as_asked(fleet: ServedFleet, options: str, count: int) -> None:
    assert len(devices(fleet, options)) == count


def test_a_device_for_scripts_has_stable_keys_and_raw_values(fleet: ServedFleet) -> None:
    device = devices(fleet, "--node gpu-01")[0]
    assert list(device) == DEVICE_KEYS
    assert device["vendor"] == "10de"
    assert (device["free"], device["total"], device["held"]) == (1, 1, 0)


def test_every_format_says_the_same(fleet: ServedFleet) -> None:
    options = "--node gpu-01 -c uuid -c numa_node"
    as_json = devices(fleet, options)
    as_yaml = yaml.safe_load(accel(fleet, f"device list -f yaml {options}").out)
    as_csv = list(csv.DictReader(io.StringIO(accel(fleet, f"device list -f csv {options}").out)))
    as_value = [line.split() for line in accel(fleet, f"device list -f value {options}").lines]
    assert as_json == as_yaml
    assert [{**row, "numa_node": int(row["numa_node"])} for row in as_csv] == as_json
    assert [{"uuid": uuid, "numa_node": int(node)} for uuid, node in as_value] == as_json


def test_a_table_is_sorted_by_node_and_address_and_fits_eighty_columns(fleet: ServedFleet) -> None:
    lines = accel(fleet, "device list").lines
    places = [line.split()[1:3] for line in lines[1:]]
    assert places == sorted(places)
    assert lines[0].split() == ["UUID", "Node", "Address", "Type", "Model", "Free", "State"]
    assert all(len(line) <= 80 for line in lines)


def test_no_cell_of_a_table_has_json_in_it(fleet: ServedFleet) -> None:
    for line in ("device list --long", "node list --long", "deployable list --long", "event list --long", ""):
        assert not set(accel(fleet, line).out) & set('{}[]"'), line
    for line in ("device show gpu-01/0000:13:00.0", "node show gpu-01", "deployable show gpu-01_0000:13:00.0"):
        assert not set(accel(fleet, line).out) & set('{}[]"'), line


def test_a_list_that_is_cut_says_so_beside_the_output(fleet: ServedFleet) -> None:
    outcome = accel(fleet, "device list --limit 2")
    assert len(outcome.lines) == 3
    assert outcome.err == "2 shown, there are more: --all, or --limit NUMBER\n"


def test_sorting_by_a_column_sorts_all_before_it_cuts(fleet: ServedFleet) -> None:
    first = devices(fleet, "--sort-column node --sort-descending --limit 1 -c node")
    assert first == [{"node": "mig-01"}]


def test_nodes_are_listed_with_their_figures_and_failed_drivers(fleet: ServedFleet) -> None:
    lines = {line.split()[0]: line for line in accel(fleet, "node list").lines}
    assert lines["broken-01"].endswith("simulated failed")
    assert lines["gpu-02"].split()[4:9] == ["4", "3", "0", "1", "0"]
    assert len(accel(fleet, "node list -f json --rack r1 --label zone=east").json) == 3


def test_deployables_are_listed_by_device(fleet: ServedFleet) -> None:
    found = accel(fleet, "deployable list -f json --device mig-01/0000:13:00.0").json
    assert sorted(item["kind"] for item in found) == ["card", "mig", "mig"]


def test_events_are_listed_the_newest_last_and_the_newest_are_kept(fleet: ServedFleet) -> None:
    times = [item["occurred_at"] for item in accel(fleet, "event list -f json").json]
    assert times == sorted(times)
    (last,) = accel(fleet, "event list -f json --limit 1").json
    assert last["occurred_at"] == times[-1]
    assert last["kind"] == "driver.failed"


@pytest.mark.parametrize(
    ("options", "nothing"),
    [("--since 1h", False), ("--until 1h", True), ("--node nowhere", True), ("--kind device.added", False)],
)
def test_events_are_filtered(fleet: ServedFleet, options: str, *, nothing: bool) -> None:
    assert (accel(fleet, f"event list -f json {options}").json == []) is nothing


# One thing


@pytest.mark.parametrize("key", ["uuid", "identity", "serial"])
def test_a_device_is_found_by_what_it_is_called(fleet: ServedFleet, key: str) -> None:
    device = devices(fleet, "--node gpu-01")[0]
    assert accel(fleet, f"device show -f json {device[key]}").json["uuid"] == device["uuid"]


def test_a_device_is_found_by_where_it_is_and_by_the_beginning_of_its_uuid(fleet: ServedFleet) -> None:
    device = devices(fleet, "--node gpu-01")[0]
    for name in (f"gpu-01/{device['address']}", str(device["uuid"])[:8]):
        assert accel(fleet, f"device show -f json {name}").json["uuid"] == device["uuid"]


def test_a_device_shows_its_parts(fleet: ServedFleet) -> None:
    parts = accel(fleet, "device show -f json mig-01/0000:13:00.0").json["deployables"]
    assert [(part["kind"], part["rc"], part["held"], part["total"]) for part in parts] == [
        ("card", "PGPU", 0, 0),
        ("mig", "CUSTOM_MIG_3G_40GB", 0, 1),
        ("mig", "CUSTOM_MIG_1G_10GB", 0, 1),
    ]
    assert "gpu-01_0000:13:00.0  card  PGPU  0/1 held" in accel(fleet, "device show gpu-01/0000:13:00.0").out


def test_nodes_and_deployables_are_found_by_name_and_by_uuid(fleet: ServedFleet) -> None:
    node = accel(fleet, "node show -f json gpu-01").json
    assert accel(fleet, f"node show -f json {node['uuid'][:8]}").json["name"] == "gpu-01"
    part = accel(fleet, "deployable show -f json gpu-01_0000:13:00.0").json
    assert accel(fleet, f"deployable show -f json {part['uuid']}").json["name"] == part["name"]


def test_several_meanings_are_listed_as_wrong_use(fleet: ServedFleet) -> None:
    outcome = accel(fleet, "device show 0000:13:00.0")
    assert outcome.code == 2
    assert outcome.err.startswith("accel: 0000:13:00.0 means several devices; say which:\n")
    assert outcome.err.count("/0000:13:00.0  ") == 5


def test_a_deployable_shows_sizes_to_people_and_bytes_to_scripts(fleet: ServedFleet) -> None:
    assert "memory_bytes=80 GiB" in accel(fleet, "deployable show gpu-01_0000:13:00.0").out
    attributes = accel(fleet, "deployable show -f json gpu-01_0000:13:00.0").json["attributes"]
    assert attributes["memory_bytes"] == str(80 * 2**30)


def test_a_node_shows_how_to_mend_its_driver(fleet: ServedFleet) -> None:
    assert "install the driver" in accel(fleet, "node show broken-01").out


def test_the_topology_is_a_matrix_with_numa_node_processors_and_legend(fleet: ServedFleet) -> None:
    lines = [line.split() for line in accel(fleet, "topology gpu-01").lines]
    assert lines[0] == ["GPU0", "GPU1", "GPU2", "GPU3", "NUMA", "CPUs"]
    assert lines[1] == ["GPU0", "X", "NV12", "SYS", "SYS", "0", "0-31"]
    assert [line[0] for line in lines[-3:]] == ["X", "NV#", "SYS"]


def test_the_topology_for_scripts_has_its_parts(fleet: ServedFleet) -> None:
    topology = accel(fleet, "topology gpu-01 -f json").json
    assert list(topology) == ["node", "numa", "devices", "matrix", "legend"]
    assert topology["matrix"][0] == ["X", "NV12", "SYS", "SYS"]


def test_a_matrix_that_is_wider_than_the_terminal_stands_closer(
    fleet: ServedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    first = accel(fleet, "topology gpu-01", stdout=Terminal()).lines[0]
    assert first == "     GPU0 GPU1 GPU2 GPU3 NUMA CPUs"


def test_a_node_without_devices_has_no_matrix(fleet: ServedFleet) -> None:
    assert accel(fleet, "topology broken-01").out == "broken-01 has no devices\n"


# Changing


def test_a_device_is_disabled_and_enabled_again(own_fleet: ServedFleet) -> None:
    name = "gpu-01/0000:13:00.0"
    outcome = accel(own_fleet, f"device disable {name}")
    assert outcome.out.endswith("at gpu-01/0000:13:00.0) is disabled\n")
    assert accel(own_fleet, f"device show -f json {name}").json["state"] == "disabled"
    accel(own_fleet, f"device enable {name}")
    assert accel(own_fleet, f"device show -f json {name}").json["state"] == "healthy"


def test_nothing_is_changed_when_one_of_the_names_is_wrong(own_fleet: ServedFleet) -> None:
    outcome = accel(own_fleet, "device disable gpu-01/0000:13:00.0 nowhere/0000:13:00.0")
    assert outcome.code == 3
    assert devices(own_fleet, "--status maintaining") == []


# Watching and following


def test_watching_into_a_pipe_writes_a_line_of_json_each_time(own_fleet: ServedFleet) -> None:
    def disable() -> None:
        accel(own_fleet, "device disable gpu-01/0000:13:00.0")

    outcome = accel(own_fleet, "device list --node gpu-01 --watch", wait=looks(2, disable))
    before, after = (json.loads(line) for line in outcome.lines)
    assert outcome.code == 0
    assert [item["state"] for item in before].count("disabled") == 0
    assert [item["state"] for item in after].count("disabled") == 1


def test_watching_the_summary_works_the_same_way(fleet: ServedFleet) -> None:
    outcome = accel(fleet, "--watch", wait=looks(2))
    assert [json.loads(line)["totals"]["devices"] for line in outcome.lines] == [15, 15]


def test_watching_on_a_terminal_writes_over_what_was_there(fleet: ServedFleet) -> None:
    outcome = accel(fleet, "device list --node gpu-01 --watch", stdout=Terminal(), wait=looks(3))
    assert outcome.out.count("\033[H") == 3
    assert outcome.out.count("gpu-01") == 12


def test_following_shows_the_last_events_and_what_happens_then(own_fleet: ServedFleet) -> None:
    def disable() -> None:
        accel(own_fleet, "device disable gpu-01/0000:13:00.0")

    outcome = accel(own_fleet, "event list --follow", wait=looks(2, disable))
    assert outcome.code == 0
    assert len(outcome.lines) == 11
    assert outcome.lines[-1].endswith("status enabled → maintaining")


def test_following_with_filters_shows_only_what_passes_them(own_fleet: ServedFleet) -> None:
    def change() -> None:
        accel(own_fleet, "device disable gpu-01/0000:13:00.0 gpu-02/0000:13:00.0")

    line = "event list --follow -f json --device gpu-02/0000:13:00.0 --kind device.disabled"
    outcome = accel(own_fleet, line, wait=looks(3, change))
    assert [json.loads(text)["node"] for text in outcome.lines] == ["gpu-02"]


def test_following_shows_an_event_that_became_visible_late(own_fleet: ServedFleet) -> None:
    """As after a transaction that wrote before the newest one seen, and committed after it."""
    newest = accel(own_fleet, "event list -f json --limit 1").json[0]["occurred_at"]
    inventory = Inventory(own_fleet.database, first=10_000)

    def commit_late() -> None:
        earlier = datetime.fromisoformat(newest) - timedelta(seconds=5)
        inventory.event("device.returned", subject="late", occurred_at=earlier)

    outcome = accel(own_fleet, "event list --follow --limit 1", wait=looks(3, commit_late))
    assert [line.endswith("late") for line in outcome.lines] == [False, True, True]


def test_following_since_a_moment_shows_nothing_from_before_it(own_fleet: ServedFleet) -> None:
    inventory = Inventory(own_fleet.database, first=10_000)
    for seconds in (20, 5):
        inventory.event(
            subject=f"{seconds} s ago", occurred_at=datetime.now(UTC) + timedelta(hours=1, seconds=-seconds)
        )
    since = (datetime.now(UTC) + timedelta(hours=1, seconds=-10)).isoformat()
    lines = accel(own_fleet, f"event list --follow --since {since}", wait=looks(3)).lines
    assert [line.endswith(" 5 s ago") for line in lines] == [True]


def test_following_since_a_while_shows_all_of_it_first(own_fleet: ServedFleet) -> None:
    listed = accel(own_fleet, "event list --since 1h -f json").json
    followed = accel(own_fleet, "event list --since 1h --follow -f json", wait=looks(3)).lines
    assert [json.loads(line)["uuid"] for line in followed] == [item["uuid"] for item in listed]
