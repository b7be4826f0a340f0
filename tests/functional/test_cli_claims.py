"""Claims of placement on the command line, against the real API."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.cli import Outcome, looks, run
from support.served_fleet import ServedFleet, served_fleet

WRONG_USE, NOT_FOUND, NO_PLACEMENT, CONFLICT, TIME_OUT, INTERRUPTED = 2, 3, 5, 6, 7, 130
FLEET = """
nodes:
  - name: h100-{0:02d}
    count: 2
    rack: r1
    labels: {zone: east}
    cards:
      - {model: H100-SXM5-80GB, count: 4, links: all}
  - name: pairs
    cards:
      - {model: A100-SXM4-80GB, count: 4, links: pairs}
"""
FOUR = "--type GPU --model H100 --count 4 --near linked"


@pytest.fixture(scope="module")
def whole_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    directory = tmp_path_factory.mktemp("fleet")
    with served_fleet(directory) as fleet:
        fleet.report_fleet(FLEET, directory)
        accel(fleet, "profile create pair --group resources:PGPU=2,accel:near=linked")
        yield fleet


@pytest.fixture
def fleet(whole_fleet: ServedFleet) -> Iterator[ServedFleet]:
    """A fleet without claims."""
    yield whole_fleet
    for item in listed(whole_fleet):
        assert accel(whole_fleet, f"claim release {item['uuid']}").code == 0


def accel(fleet: ServedFleet, line: str, wait: Callable[[float], object] | None = None) -> Outcome:
    """Run what stands after ``accel``."""
    more = {} if wait is None else {"wait": wait}
    return run(*line.split(), endpoint=fleet.url, **more)


def claimed(fleet: ServedFleet, options: str = FOUR) -> dict[str, Any]:
    outcome = accel(fleet, f"claim {options} -f json")
    assert outcome.code == 0, outcome.err
    made: dict[str, Any] = outcome.json
    return made


def listed(fleet: ServedFleet, options: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = accel(fleet, f"claim list -f json {options}").json
    return found


# Taking


def test_a_claim_takes_what_is_wanted_on_one_node_and_says_what(fleet: ServedFleet) -> None:
    outcome = accel(fleet, f"claim {FOUR} --consumer training")

    assert outcome.code == 0, outcome.err
    (claim,) = listed(fleet)
    (node,) = claim["nodes"]
    assert [line.split()[0] for line in outcome.lines[:4]] == ["UUID", "Consumer", "State", "Allocations"]
    assert outcome.lines[0].split()[1] == claim["uuid"]
    assert f"Allocations  {node} PCI 0000:13:00.0" == outcome.lines[3]
    assert len(outcome.lines) == 3 + 4


def test_a_claim_for_scripts_has_stable_keys(fleet: ServedFleet) -> None:
    claim = claimed(fleet, f"{FOUR} --consumer training --lease 1h --key k1")

    assert list(claim) == list(listed(fleet)[0])
    assert list(claim) == [
        *(
            "uuid",
            "consumer",
            "state",
            "nodes",
            "accelerators",
            "allocations",
            "request",
            "lease_seconds",
            "expires_at",
        ),
        *("idempotency_key", "project_id", "user_id", "created_at", "updated_at"),
    ]
    assert (claim["accelerators"], claim["lease_seconds"], claim["idempotency_key"]) == (4, 3600, "k1")
    assert accel(fleet, f"claim show {claim['uuid']} -f json").json == claim


def test_the_uuid_alone_is_written_for_the_next_command(fleet: ServedFleet) -> None:
    uuid = accel(fleet, "claim --profile pair -f value -c uuid").out.strip()

    assert accel(fleet, f"claim release {uuid}").out == f"{uuid[:8]} is released\n"
    assert listed(fleet) == []


def test_the_same_key_again_is_the_same_claim(fleet: ServedFleet) -> None:
    assert claimed(fleet, "--profile pair --key k")["uuid"] == claimed(fleet, "--profile pair --key k")["uuid"]
    assert accel(fleet, "claim --profile pair --count 1").code == WRONG_USE

    other = accel(fleet, f"claim {FOUR} --key k")

    assert other.code == CONFLICT
    assert "k" in other.err


def test_several_nodes_are_taken_together(fleet: ServedFleet) -> None:
    claim = claimed(fleet, "--type GPU --model H100 --count 4 --nodes 2")

    assert claim["nodes"] == ["h100-01", "h100-02"]
    assert claim["accelerators"] == 8


def test_what_fits_nowhere_is_refused_with_the_reason_and_nothing_is_taken(fleet: ServedFleet) -> None:
    outcome = accel(fleet, "claim --type GPU --model A100 --count 4 --near linked")

    assert outcome.code == NO_PLACEMENT
    assert outcome.out == ""
    assert outcome.err.startswith("accel: ")
    assert listed(fleet) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("claim", "say what is wanted"),
        ("claim --lease 5m", "say what is wanted"),
        ("claim --profile pair --near numa", "leave out --near"),
        ("claim --type GPU --lease soon", "'soon' is not a duration"),
        ("claim --type GPU --lease 0s", "shorter than a second"),
        ("claim --type GPU --where memory", "not a comparison"),
        ("claim wait --type GPU --for never", "'never' is not a duration"),
        ("candidates --type GPU --order pack=x", "write the name of a policy"),
    ],
)
def test_what_is_asked_wrongly_says_what_would_be_right(
    line: str, said: str, fleet: ServedFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = accel(fleet, line)

    assert outcome.code == WRONG_USE
    assert said in outcome.err + capsys.readouterr().err


def test_a_claim_for_a_profile_that_there_is_not_is_not_found(fleet: ServedFleet) -> None:
    assert accel(fleet, "claim --profile nosuch").code == NOT_FOUND


# Only looking


def test_a_dry_run_shows_the_best_place_with_its_scores_and_takes_nothing(fleet: ServedFleet) -> None:
    outcome = accel(fleet, f"claim {FOUR} --dry-run")

    assert [line.split()[0] for line in outcome.lines[:5]] == [
        "Score",
        "Scores",
        "Nodes",
        "Accelerators",
        "Allocations",
    ]
    assert "fragmentation" in outcome.lines[1]
    assert len(outcome.lines) == 4 + 4
    assert listed(fleet) == []


def test_a_dry_run_for_scripts_is_the_first_of_the_candidates(fleet: ServedFleet) -> None:
    first = accel(fleet, f"claim {FOUR} --dry-run -f json").json

    assert first == accel(fleet, f"candidates {FOUR} -f json").json[0]
    assert list(first) == ["score", "scores", "nodes", "accelerators", "allocations"]
    assert accel(fleet, "claim --type FPGA --dry-run").code == NO_PLACEMENT


def test_candidates_are_listed_the_best_first(fleet: ServedFleet) -> None:
    lines = accel(fleet, "candidates --type GPU --order spread").lines
    assert len(lines) == 1 + 3
    assert accel(fleet, "candidates --type GPU --order pack=4,topology=1 --limit 2").lines[2:] != []
    assert "--all" in accel(fleet, "candidates --type GPU --limit 2").err

    outcome = accel(fleet, "candidates --type FPGA")

    assert (outcome.code, outcome.out) == (NO_PLACEMENT, "")


# Naming, listing, renewing, releasing


@pytest.mark.parametrize("how", [lambda claim: claim["uuid"][:6], lambda claim: claim["consumer"]])
def test_a_claim_is_named_by_the_start_of_its_uuid_or_by_its_consumer(
    how: Callable[[dict[str, Any]], str], fleet: ServedFleet
) -> None:
    claim = claimed(fleet, "--profile pair --consumer training")

    assert accel(fleet, f"claim show {how(claim)} -f value -c uuid").out.strip() == claim["uuid"]


def test_what_means_several_claims_or_none_is_not_guessed(fleet: ServedFleet) -> None:
    for _ in range(2):
        claimed(fleet, "--profile pair --consumer training")

    several, none = accel(fleet, "claim release training"), accel(fleet, "claim release nosuch")

    assert several.code == WRONG_USE
    assert "several claims" in several.err
    assert none.code == NOT_FOUND
    assert len(listed(fleet)) == 2


@pytest.mark.parametrize(
    ("options", "amount"),
    [("", 2), ("--consumer a", 1), ("--node pairs", 0), ("--key k", 1), ("--project local", 2), ("--project x", 0)],
)
def test_a_list_is_narrowed(options: str, amount: int, fleet: ServedFleet) -> None:
    claimed(fleet, "--type GPU --model H100 --consumer a")
    claimed(fleet, "--type GPU --model H100 --consumer b --key k")

    assert len(listed(fleet, options)) == amount


def test_a_list_says_what_was_asked_for_and_until_when_it_is_held(fleet: ServedFleet) -> None:
    claimed(fleet, f"{FOUR} --consumer training --lease 1h")

    heading, line = accel(fleet, "claim list").lines

    assert heading.split("  ")[0] == "UUID"
    assert "training" in line
    assert "4 accelerators (type = GPU, model ~ H100, near: linked)" in line
    assert "local" in accel(fleet, "claim list --long").out


def test_a_renewed_claim_is_held_for_longer(fleet: ServedFleet) -> None:
    claim = claimed(fleet, "--profile pair --lease 1h")

    outcome = accel(fleet, f"claim renew {claim['uuid'][:8]} --lease 2h")

    assert outcome.code == 0
    assert outcome.out.startswith(f"{claim['uuid'][:8]} is held until ")
    assert listed(fleet)[0]["lease_seconds"] == 7200
    assert listed(fleet)[0]["expires_at"] > claim["expires_at"]


def test_a_claim_without_a_lease_is_held_until_it_is_released(fleet: ServedFleet) -> None:
    claim = claimed(fleet, "--profile pair")

    assert claim["expires_at"] is None
    assert accel(fleet, f"claim renew {claim['uuid']}").code == WRONG_USE


def test_several_claims_are_released_and_none_when_one_name_is_wrong(fleet: ServedFleet) -> None:
    uuids = [claimed(fleet, "--profile pair")["uuid"] for _ in range(2)]
    assert accel(fleet, f"claim release {uuids[0]} nosuch").code == NOT_FOUND
    assert len(listed(fleet)) == 2

    outcome = accel(fleet, f"claim release {uuids[0]} {uuids[1]} {uuids[0]}")

    assert outcome.lines == [f"{uuid[:8]} is released" for uuid in uuids]


# Waiting


def filled(fleet: ServedFleet) -> list[str]:
    """Take all H100."""
    return [claimed(fleet)["uuid"] for _ in range(2)]


def test_a_claim_that_waits_is_made_as_soon_as_something_is_given_back(fleet: ServedFleet) -> None:
    taken = filled(fleet)

    outcome = accel(fleet, f"claim {FOUR} --wait -f json", looks(3, lambda: accel(fleet, f"claim release {taken[0]}")))

    assert outcome.code == 0
    assert outcome.json["accelerators"] == 4
    assert outcome.err.startswith("waiting: ")
    assert len(listed(fleet)) == 2


def test_waiting_takes_nothing_by_itself_and_says_where_there_is_room(fleet: ServedFleet) -> None:
    taken = filled(fleet)

    outcome = accel(
        fleet, f"claim wait {FOUR} --for 1m -f json", looks(3, lambda: accel(fleet, f"claim release {taken[0]}"))
    )

    assert outcome.code == 0
    assert outcome.json["nodes"]
    assert len(listed(fleet)) == 1


def test_whoever_waits_in_vain_is_told_so_in_time_with_the_reason(fleet: ServedFleet) -> None:
    filled(fleet)
    waited: list[float] = []

    outcome = accel(fleet, f"claim wait {FOUR} --for 5s", waited.append)

    assert outcome.code == TIME_OUT
    assert sum(waited) == 5
    assert "did not fit within 5 s" in outcome.err
    assert outcome.out == ""
    assert outcome.err.count("waiting: ") == 1


def test_waiting_can_be_interrupted(fleet: ServedFleet) -> None:
    assert accel(fleet, "claim --type FPGA --wait", looks(2)).code == INTERRUPTED


def test_what_is_wrong_is_not_waited_for(fleet: ServedFleet) -> None:
    assert accel(fleet, "claim --profile nosuch --wait").code == NOT_FOUND
    assert json.loads(accel(fleet, "claim list -f json").out) == []


# What has happened


def test_history_tells_which_claim_had_what_and_what_for(fleet: ServedFleet) -> None:
    uuid = claimed(fleet, f"{FOUR} --consumer training --lease 1h")["uuid"]
    accel(fleet, f"claim release {uuid}")

    name = f"claim {uuid[:8]}"
    told = accel(fleet, "event list --all -f json").json
    of_claim = [(one["kind"], one["change"].partition(", until ")[0]) for one in told if one["subject"] == uuid]
    of_requests = {one["change"] for one in told if one["kind"].startswith("request.")}
    assert of_claim == [("claim.created", "for training"), ("claim.released", "for training")]
    assert {f"Bound: {name} has 0000:13:00.0", f"Bound → deleted: {name} gave back 0000:13:00.0"} <= of_requests
    assert f"{name}: for training, until 2" in accel(fleet, "event list --all").out
