"""Accelerator requests on the command line, against the real API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cli import Outcome, run
from support.inventory import Inventory
from support.served_fleet import FLEET, ServedFleet, served_fleet
from support.steps import AwayStep, FailingStep

FAILED, WRONG_USE, NOT_FOUND, CONFLICT = 1, 2, 3, 6
INSTANCE = "5b0e8f6a-9c1d-4e2f-8a3b-7d6c5e4f3a2b"
CARD = "gpu-01_0000:13:00.0"
OTHER_CARD = "gpu-01_0000:14:00.0"


@pytest.fixture(scope="module")
def whole_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    directory = tmp_path_factory.mktemp("fleet")
    with served_fleet(directory) as fleet:
        fleet.report_fleet(FLEET, directory)
        inventory = Inventory(fleet.database, first=10_000)
        beta = inventory.node("beta")
        pool = inventory.deployable(inventory.device(beta), "pool")
        for _ in range(2):
            inventory.handle(pool)
        inventory.device(beta, address="0000:99:00.0")
        for node in (beta, inventory.node("gamma")):
            inventory.deployable(inventory.device(node), rp_uuid="two")
        accel(fleet, "profile create one --group resources:PGPU=1")
        accel(fleet, "profile create pair --group resources:PGPU=2")
        yield fleet


@pytest.fixture
def fleet(whole_fleet: ServedFleet) -> Iterator[ServedFleet]:
    """A fleet without requests."""
    yield whole_fleet
    left = [item["uuid"] for item in listed(whole_fleet)]
    if left:
        assert request(whole_fleet, f"delete {' '.join(left)}").code == 0


def accel(fleet: ServedFleet, line: str) -> Outcome:
    """Run what stands after ``accel``."""
    return run(*line.split(), endpoint=fleet.url)


def request(fleet: ServedFleet, line: str) -> Outcome:
    """Run what stands after ``accel request``."""
    return accel(fleet, f"request {line}")


def created(fleet: ServedFleet, profile: str = "one") -> list[str]:
    return request(fleet, f"create {profile} -f value -c uuid").out.split()


def bound(fleet: ServedFleet, where: str = f"--deployable {CARD}", instance: str = INSTANCE) -> str:
    (uuid,) = created(fleet)
    outcome = request(fleet, f"bind {uuid} {where} --instance {instance}")
    assert outcome.code == 0, outcome.err
    return uuid


def listed(fleet: ServedFleet, options: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = request(fleet, f"list -f json {options}").json
    return found


def only(fleet: ServedFleet) -> dict[str, Any]:
    (found,) = listed(fleet)
    return found


def columns(line: str) -> list[str]:
    return line.split()


# Making and reading


def test_a_profile_makes_a_request_for_each_accelerator_that_it_asks_for(fleet: ServedFleet) -> None:
    outcome = request(fleet, "create pair")
    assert columns(outcome.lines[0]) == ["UUID", "State", "Profile", "Resource", "class"]
    assert [columns(line)[1:] for line in outcome.lines[1:]] == [["Initial", "pair", "PGPU"]] * 2
    assert [line.split()[0] for line in outcome.lines[1:]] == [item["uuid"][:8] for item in listed(fleet)]


def test_a_request_for_scripts_has_stable_keys(fleet: ServedFleet) -> None:
    bound(fleet)
    assert list(only(fleet)) == [
        *("uuid", "state", "profile", "resource_class", "node", "handle", "instance_uuid", "project_id", "reason"),
        *("group_index", "group", "rp_uuid", "handle_type", "handle_uuid", "handle_info", "created_at", "updated_at"),
    ]
    assert only(fleet)["handle_info"] == {"domain": "0000", "bus": "13", "device": "00", "function": "0"}
    assert only(fleet)["group"] == {"resources:PGPU": "1"}


def test_a_list_shows_who_has_what(fleet: ServedFleet) -> None:
    uuid = bound(fleet)
    created(fleet)
    lines = request(fleet, "list").lines
    assert columns(lines[1]) == [uuid[:8], "Bound", "one", "PGPU", "gpu-01", "PCI", "0000:13:00.0", INSTANCE[:8]]
    assert columns(lines[2])[1:] == ["Initial", "one", "PGPU", "-", "-", "-"]
    assert INSTANCE in request(fleet, "list --long").out


@pytest.mark.parametrize(
    ("options", "amount"),
    [
        ("", 4),
        (f"--instance {INSTANCE}", 1),
        ("--instance nosuch", 0),
        ("--state Bound", 2),
        ("--state Initial", 2),
        ("--profile pair", 2),
        ("--node gpu-01", 1),
        ("--host gpu-02", 1),
        ("--project local", 4),
        ("--project another", 0),
        ("--limit 3", 3),
    ],
)
def test_the_list_is_narrowed(options: str, amount: int, fleet: ServedFleet) -> None:
    bound(fleet)
    bound(fleet, "--deployable gpu-02_0000:13:00.0", "vm-2")
    created(fleet, "pair")
    assert len(listed(fleet, options)) == amount


def test_a_request_is_shown_by_the_start_of_its_uuid_and_by_its_instance(fleet: ServedFleet) -> None:
    uuid = bound(fleet)
    for text in (uuid, uuid[:8], INSTANCE):
        lines = request(fleet, f"show {text}").lines
        assert columns(lines[0]) == ["UUID", uuid]
        assert any(columns(line) == ["Instance", "UUID", INSTANCE] for line in lines)
        assert any(columns(line) == ["Handle", "PCI", "0000:13:00.0"] for line in lines)


def test_an_instance_that_has_several_requests_means_none_of_them_alone(fleet: ServedFleet) -> None:
    requests = created(fleet, "pair")
    request(fleet, f"bind {' '.join(requests)} --deployable {CARD} --deployable {OTHER_CARD} --instance vm-1")
    outcome = request(fleet, "show vm-1")
    assert outcome.code == WRONG_USE
    assert "vm-1 means several requests; say which:\n" in outcome.err
    assert outcome.err.count("  pair  Bound\n") == 2


# Binding


@pytest.mark.parametrize(
    "where",
    [
        f"--deployable {CARD}",
        "--device gpu-01/0000:13:00.0",
        "--provider {rp_uuid}",
        "--provider {rp_uuid} --host gpu-01",
        f"--deployable {CARD} --node gpu-01",
    ],
)
def test_a_place_is_named_as_one_likes(where: str, fleet: ServedFleet) -> None:
    place = accel(fleet, f"deployable show {CARD} -f json").json
    uuid = bound(fleet, where.format(rp_uuid=place["rp_uuid"]))
    found = only(fleet)
    assert (found["uuid"], found["state"], found["node"]) == (uuid, "Bound", "gpu-01")
    assert (found["rp_uuid"], found["handle"]) == (place["rp_uuid"], "PCI 0000:13:00.0")


def test_a_bind_shows_what_was_got(fleet: ServedFleet) -> None:
    (uuid,) = created(fleet)
    outcome = request(fleet, f"bind {uuid[:8]} --deployable {CARD} --instance {INSTANCE}")
    assert columns(outcome.lines[1]) == [uuid[:8], "Bound", "gpu-01", "PCI", "0000:13:00.0", INSTANCE[:8]]


def test_requests_of_one_instance_are_bound_together_each_to_its_place(fleet: ServedFleet) -> None:
    first, second = created(fleet, "pair")
    request(fleet, f"bind {first} {second} --deployable {OTHER_CARD} --device gpu-01/0000:13:00.0 --instance vm-1")
    handles = {item["uuid"]: item["handle"] for item in listed(fleet)}
    assert handles == {first: "PCI 0000:14:00.0", second: "PCI 0000:13:00.0"}


def test_one_place_is_for_all_requests(fleet: ServedFleet) -> None:
    request(fleet, f"bind {' '.join(created(fleet, 'pair'))} --deployable pool --instance vm-1")
    assert [item["node"] for item in listed(fleet, "--instance vm-1")] == ["beta", "beta"]


def test_a_second_claim_of_a_card_is_refused_with_the_reason(fleet: ServedFleet) -> None:
    bound(fleet)
    (uuid,) = created(fleet)
    outcome = request(fleet, f"bind {uuid} --deployable {CARD} --instance vm-2")
    assert outcome.code == CONFLICT
    assert outcome.out == ""
    assert outcome.err.startswith(f"accel: {CARD} (provider ")
    assert outcome.err.endswith(") has 0 free of 1 attach handles; 1 wanted\n")
    assert listed(fleet, "--state Initial")[0]["uuid"] == uuid


def test_what_is_disabled_is_refused_with_the_reason(fleet: ServedFleet) -> None:
    accel(fleet, "device disable gpu-03/0000:14:00.0")
    (uuid,) = created(fleet)
    outcome = request(fleet, f"bind {uuid} --device gpu-03/0000:14:00.0 --instance vm-2")
    assert outcome.code == CONFLICT
    assert outcome.err.startswith("accel: gpu-03_0000:14:00.0 (provider ")
    assert "is disabled (maintaining)" in outcome.err


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        ("", WRONG_USE, "1 request and 0 places: say --deployable"),
        (f"--deployable {CARD} --deployable {OTHER_CARD}", WRONG_USE, "1 request and 2 places"),
        ("--deployable nosuch", NOT_FOUND, "there is no deployable nosuch"),
        ("--device nosuch", NOT_FOUND, "there is no device nosuch"),
        ("--provider nosuch", NOT_FOUND, "there is no deployable with provider nosuch"),
        ("--provider two", WRONG_USE, "provider two is on several nodes; say which: --node beta, --node gamma"),
        ("--provider nosuch --host gpu-01", NOT_FOUND, "nosuch"),
        (f"--deployable {CARD} --host gpu-02", CONFLICT, "gpu-01"),
        (
            "--device mig-01/0000:13:00.0",
            WRONG_USE,
            "has several parts; say which:\n  --deployable mig-01_0000:13:00.0_",
        ),
        ("--device beta/0000:99:00.0", WRONG_USE, "has no parts"),
    ],
)
def test_a_place_that_cannot_be_is_said(where: str, code: int, said: str, fleet: ServedFleet) -> None:
    (uuid,) = created(fleet)
    outcome = request(fleet, f"bind {uuid} {where} --instance vm-1")
    assert outcome.code == code, outcome.err
    assert said in outcome.err


# Giving back


@pytest.mark.parametrize("which", ["{uuid}", f"--instance {INSTANCE}"])
def test_what_is_unbound_can_be_bound_again(which: str, fleet: ServedFleet) -> None:
    uuid = bound(fleet)
    outcome = request(fleet, f"unbind {which.format(uuid=uuid[:8])}")
    assert columns(outcome.lines[1]) == [uuid[:8], "Unbound", "one", "PGPU"]
    assert request(fleet, f"bind {uuid} --deployable {CARD} --instance vm-2").code == 0


@pytest.mark.parametrize("which", ["{uuid}", f"--instance {INSTANCE}"])
def test_what_is_deleted_frees_what_it_held(which: str, fleet: ServedFleet) -> None:
    uuid = bound(fleet)
    outcome = request(fleet, f"delete {which.format(uuid=uuid[:8])}")
    assert outcome.out == f"{uuid[:8]} (one) is deleted\n"
    assert listed(fleet) == []
    bound(fleet)


def test_an_instance_without_requests_has_nothing_to_lose(fleet: ServedFleet) -> None:
    outcome = request(fleet, "delete --instance vm-9")
    assert (outcome.code, outcome.out) == (0, "instance vm-9 has no requests\n")
    assert request(fleet, "unbind --instance vm-9 -f json").json == []


def test_nothing_is_deleted_when_one_of_the_names_is_wrong(fleet: ServedFleet) -> None:
    uuid = bound(fleet)
    assert request(fleet, f"delete {uuid} ffff0000").code == NOT_FOUND
    assert only(fleet)["state"] == "Bound"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("create nosuch", NOT_FOUND, "there is no profile nosuch"),
        ("show ffff0000", NOT_FOUND, "there is no request ffff0000"),
        (f"bind ffff0000 --deployable {CARD} --instance vm-1", NOT_FOUND, "there is no request ffff0000"),
        ("unbind", WRONG_USE, "say which requests"),
        ("delete", WRONG_USE, "say which requests"),
        ("delete ffff0000 --instance vm-1", WRONG_USE, "say which requests"),
        ("list -c nope", WRONG_USE, "no column nope"),
        ("create one -c nope", WRONG_USE, "no column nope"),
    ],
)
def test_what_is_wrong_is_said(line: str, code: int, said: str, fleet: ServedFleet) -> None:
    outcome = request(fleet, line)
    assert outcome.code == code
    assert said in outcome.err
    assert listed(fleet) == []


# Work on the node


def test_what_cannot_be_made_ready_is_a_conflict_with_the_reason(tmp_path: Path) -> None:
    with served_fleet(tmp_path, steps={"step": FailingStep(tmp_path)}) as fleet:
        fleet.report_fleet(FLEET, tmp_path)
        accel(fleet, "profile create one --group resources:PGPU=1")
        (uuid,) = created(fleet)
        outcome = request(fleet, f"bind {uuid} --deployable {CARD} --instance vm-1")
        assert (outcome.code, outcome.out) == (CONFLICT, "")
        assert outcome.err == f"accel: could not be made ready on the node:\n{uuid[:8]} (one): no room on the node\n"
        assert only(fleet)["state"] == "BindFailed"


def test_what_is_still_to_be_undone_on_the_node_is_being_deleted(tmp_path: Path) -> None:
    with served_fleet(tmp_path, steps={"step": AwayStep(tmp_path)}) as fleet:
        fleet.report_fleet(FLEET, tmp_path)
        accel(fleet, "profile create one --group resources:PGPU=1")
        uuid = bound(fleet)
        outcome = request(fleet, f"delete {uuid}")
        said = f"{uuid[:8]} (one) is being deleted: something is to be undone on its node first\n"
        assert (outcome.code, outcome.out) == (0, said)
        assert (only(fleet)["state"], only(fleet)["reason"]) == ("Deleting", "the node does not answer")


# History


def told(fleet: ServedFleet, options: str = "") -> list[str]:
    """What the history says, after time, kind and node."""
    return [line.split("  ")[-1].strip() for line in accel(fleet, f"event list {options}").lines[1:]]


def test_history_tells_the_life_of_a_request_in_words(fleet: ServedFleet) -> None:
    uuid = bound(fleet)
    request(fleet, f"unbind {uuid}")
    request(fleet, f"bind {uuid} --deployable {OTHER_CARD} --instance vm-2")
    request(fleet, f"delete {uuid}")
    name = f"request {uuid[:8]}"
    assert told(fleet, f"--request {uuid}") == [
        f"{name}: a PGPU as in profile one",
        f"{name}: Initial → Bound: {INSTANCE} has 0000:13:00.0",
        f"{name}: Bound → Unbound: {INSTANCE} gave back 0000:13:00.0",
        f"{name}: Unbound → Bound: vm-2 has 0000:14:00.0",
        f"{name}: Bound → deleted: vm-2 gave back 0000:14:00.0",
    ]


def test_the_history_of_a_device_tells_who_had_it(fleet: ServedFleet) -> None:
    uuid = bound(fleet)
    request(fleet, f"unbind {uuid}")
    assert [line.partition(": ")[0] for line in told(fleet, "--device gpu-01/0000:13:00.0")][-2:] == [
        f"request {uuid[:8]}",
        f"request {uuid[:8]}",
    ]


def test_history_is_narrowed_to_requests_and_projects(fleet: ServedFleet) -> None:
    uuid = bound(fleet)
    created(fleet)
    assert len(told(fleet, f"--request {uuid[:8]}")) == 2
    assert len(told(fleet, "--project local --limit 3")) == 3
    assert told(fleet, "--project another") == []


# Attaching


def attach_spec(fleet: ServedFleet, which: str, name: str) -> Outcome:
    return accel(fleet, f"attach-spec {which} --format {name}")


def test_a_bound_function_is_told_to_hypervisors_and_container_engines(fleet: ServedFleet) -> None:
    uuid = bound(fleet)
    gpu = accel(fleet, "device show -f json gpu-01/0000:13:00.0").json["identity"]
    assert "bus='0x13' slot='0x00' function='0x0'" in attach_spec(fleet, uuid[:8], "libvirt-xml").out
    assert attach_spec(fleet, INSTANCE, "qemu").out == "-device vfio-pci,host=0000:13:00.0\n"
    assert attach_spec(fleet, uuid, "docker").out == f"--device nvidia.com/gpu={gpu}\n"
    assert attach_spec(fleet, uuid, "cdi").out == f"nvidia.com/gpu={gpu}\n"


def test_json_has_all_that_is_known(fleet: ServedFleet) -> None:
    (part,) = accel(fleet, "deployable list -f json --rc CUSTOM_MIG_1G_10GB").json
    uuid = bound(fleet, f"--deployable {part['name']}")
    (spec,) = accel(fleet, f"attach-spec {uuid}").json
    assert list(spec) == ["request", "node", "handle", "device", "formats", "unsuitable"]
    assert (spec["request"]["uuid"], spec["node"], spec["handle"]["type"]) == (uuid, "mig-01", "MIG")
    assert spec["device"]["identity"] == spec["handle"]["info"]["parent"]
    assert spec["formats"]["docker"] == f"--gpus device={spec['handle']['info']['uuid']}"
    assert sorted(spec["unsuitable"]) == ["libvirt-xml", "nvme-cli", "qemu"]


def test_a_format_that_makes_no_sense_is_wrong_use_and_says_which_do(fleet: ServedFleet) -> None:
    uuid = bound(fleet, "--device fpga-01/0000:13:00.0")
    outcome = attach_spec(fleet, uuid, "docker")
    assert outcome.code == WRONG_USE
    assert outcome.err == (
        "accel: --format docker: of PCI functions a container can be given whole NVIDIA GPUs only, and 0000:13:00.1 is "
        "none; it can be had as: libvirt-xml, qemu, json\n"
    )


def test_all_that_an_instance_has_is_attached_at_once(fleet: ServedFleet) -> None:
    requests = " ".join(created(fleet, "pair"))
    request(fleet, f"bind {requests} --deployable {CARD} --deployable {OTHER_CARD} --instance vm-1")
    functions = "-device vfio-pci,host=0000:13:00.0\n-device vfio-pci,host=0000:14:00.0\n"
    assert attach_spec(fleet, "--instance vm-1", "qemu").out == functions
    assert attach_spec(fleet, requests, "qemu").out == functions
    assert len(attach_spec(fleet, "--instance vm-1", "json").json) == 2


def test_an_instance_that_has_nothing_has_nothing_to_attach(fleet: ServedFleet) -> None:
    outcome = attach_spec(fleet, "--instance vm-9", "qemu")
    assert (outcome.code, outcome.err) == (NOT_FOUND, "accel: instance vm-9 has no requests\n")


def test_what_holds_nothing_cannot_be_attached(fleet: ServedFleet) -> None:
    (uuid,) = created(fleet)
    outcome = attach_spec(fleet, uuid, "qemu")
    assert outcome.code == CONFLICT
    assert outcome.err == f"accel: request {uuid[:8]} (one) is Initial and holds nothing: bind it first\n"
