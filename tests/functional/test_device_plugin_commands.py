"""``accel-device-plugin`` as a person runs it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from support.offered import Node, card, node

from accel.cmd.device_plugin import main

pytestmark = pytest.mark.timeout(180)

GPU = "accel.io/gpu"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path, as a socket's is limited."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.fixture
def made(place: Path) -> Iterator[Node]:
    with node(place, card(1), card(2)) as running:
        running.kubelet.wait_for(GPU, allocatable=2)
        yield running


def doctor(made: Node, capsys: pytest.CaptureFixture[str], **said: Any) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit status, and by probe the state and what was found."""
    file = made.directory / "plugin.yaml"
    places = {
        "node_socket": made.agent.path,
        "kubelet_directory": made.kubelet.device_plugins,
        "pod_resources_socket": made.kubelet.pod_resources / "kubelet.sock",
        "cdi_directory": made.directory / "cdi",
    }
    file.write_text(json.dumps({**{key: str(path) for key, path in places.items()}, **said}))
    status = main(["doctor", "--config", str(file), "--format", "json"])
    findings = json.loads(capsys.readouterr().out)
    return status, {one["probe"]: (one["state"], one["found"]) for one in findings}


def test_the_doctor_finds_nothing_where_all_is_well(made: Node, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = doctor(made, capsys)

    assert status == 0
    assert {state for state, _ in found.values()} == {"ok"}
    assert found[f"resource {GPU}"] == ("ok", "2")
    assert found["agent"] == ("ok", "node node-1 with 2 devices")


def test_the_doctor_says_what_is_missing_and_how_to_mend_it(made: Node, capsys: pytest.CaptureFixture[str]) -> None:
    made.agent.stop()
    made.kubelet.stop()
    (made.kubelet.device_plugins / "kubelet.sock").unlink(missing_ok=True)

    status, found = doctor(made, capsys, features_directory=str(made.directory / "nowhere"))

    assert status == 1
    assert {probe for probe, (state, _) in found.items() if state == "failed"} == {"agent", "kubelet", "labels"}
    assert found["pods"][0] == "warning"
    made.kubelet = type(made.kubelet)(made.directory / "kubelet")
    made.kubelet.start()


def test_the_doctor_says_what_is_not_offered_although_it_was_asked_for(
    made: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    made.agent.board.withdraw("somebody", {next(iter(made.agent.board.offer.states)): "it is being cut"})

    _, found = doctor(made, capsys)

    assert found[f"resource {GPU}"] == ("warning", "2; of some: it is being cut")


def test_a_table_is_for_people(made: Node, capsys: pytest.CaptureFixture[str]) -> None:
    file = made.directory / "plugin.yaml"
    file.write_text(f"node_socket: {made.agent.path}")

    main(["doctor", "--config", str(file)])

    assert capsys.readouterr().out.startswith("PROBE ")


def test_a_mistake_in_the_file_is_told_in_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = place / "plugin.yaml"
    file.write_text("mig: some")

    assert main(["--config", str(file)]) == 1
    assert capsys.readouterr().err == (f"accel-device-plugin: {file}: mig: 'some' is not one of none, single, mixed\n")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("accel.cmd.device_plugin", ["oslo_config", "oslo_messaging", "msgspec", "http.server", "requests"]),
        ("accel.cmd.agent_daemon", ["grpc", "google.protobuf"]),
    ],
)
def test_what_is_not_wanted_is_not_loaded(module: str, absent: list[str]) -> None:
    """A node daemon is as small as what it does: the agent without a node socket does without gRPC."""
    script = f"import {module}, sys; print([name for name in {absent} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
