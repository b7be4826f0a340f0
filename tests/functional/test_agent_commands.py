"""What a person sees of the agent on a node."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.faulty_drivers import FOLDER, faulty_drivers

from accel.cmd.agent import main
from accel.privileged.base import Context

__all__ = ["faulty_drivers"]  # a fixture
pytestmark = pytest.mark.usefixtures("faulty_drivers")

NOBODY_LISTENS = "rabbit://guest:guest@127.0.0.1:1/"


def configured(directory: Path, *, drivers: str = "", more: str = "") -> list[str]:
    """The arguments that name a configuration file."""
    (directory / "sys/bus/pci/devices").mkdir(parents=True)
    (directory / "card").touch()
    file = directory / "accel.conf"
    file.write_text(
        f"[DEFAULT]\nhost = node-1\nstate_path = {directory}/state\ntransport_url = {NOBODY_LISTENS}\n"
        f"[agent]\nhost_root = {directory}\nenabled_drivers = {drivers}\n{more}\n[rpc]\ncall_timeout_seconds = 1\n"
    )
    return ["--config-file", str(file)]


def test_discover_prints_what_each_driver_sees_and_what_has_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["discover", *configured(tmp_path, drivers="test-one-card,test-segfaults")])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["DRIVER", "ADDRESS", "TYPE", "MODEL", "IDENTITY", "HEALTH"]
    assert lines[1].split() == ["test-one-card", "0000:3b:00.0", "GPU", "Test", "card", "pci:0000:3b:00.0", "healthy"]
    assert "crashed: its process was ended by SIGSEGV" in lines[2]
    assert status == 1


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        ("test-load-segfaults", "its process was ended by SIGSEGV"),
        ("test-load-raises", "ZeroDivisionError: a mistake in the module"),
        ("test-load-hangs", "no answer within 3 s"),
    ],
)
def test_a_driver_that_cannot_be_loaded_harms_neither_the_agent_nor_the_others(
    driver: str, said: str, tmp_path: Path
) -> None:
    arguments = configured(tmp_path, drivers=f"{driver},test-one-card", more="driver_timeout_seconds = 3")
    command = [str(Path(sys.executable).with_name("accel-agent")), "discover", "--format", "json", *arguments]
    environment = os.environ | {"PYTHONPATH": str(FOLDER)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    harmful, well = json.loads(done.stdout)
    assert said in harmful["failure"]["message"]
    assert [device["model"] for device in well["devices"]] == ["Test card"]
    assert done.returncode == 1


def test_discover_prints_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["discover", "--format", "json", *configured(tmp_path, drivers="test-one-card,test-lacks-library")])

    one_card, lacks_library = json.loads(capsys.readouterr().out)
    assert one_card["devices"][0]["model"] == "Test card"
    assert lacks_library["failure"]["hint"] == "install libtest"
    assert status == 0  # there is nothing wrong with a host that has no such library


def test_the_options_of_a_driver_are_read_from_the_group_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "[test-one-card]\naddress = 0001:02:03.4"

    main(["discover", *configured(tmp_path, drivers="test-one-card", more=more)])

    assert "0001:02:03.4" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["serve", "discover", "doctor"])
def test_a_driver_that_is_not_installed_is_refused_with_the_list_of_those_that_are(
    tmp_path: Path, command: str
) -> None:
    done = run(command, *configured(tmp_path, drivers="nvida"))

    assert done.returncode == 1
    assert "driver 'nvida' is enabled but not installed" in done.stderr
    assert "accel, amd_gpu, ascend, fake, intel_fpga, " in done.stderr


def test_a_fleet_file_with_a_mistake_is_refused_with_its_place(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("nodes:\n  - nam: x\n")

    done = run("--fleet", str(fleet), *configured(tmp_path))

    assert done.returncode == 1
    assert f"{fleet}:2" in done.stderr


def test_a_transport_url_that_is_none_is_refused(tmp_path: Path) -> None:
    arguments = configured(tmp_path)
    file = tmp_path / "accel.conf"
    file.write_text(file.read_text().replace(NOBODY_LISTENS, "carrier-pigeon://coop/"))

    done = run(*arguments)

    assert done.returncode == 1
    assert "transport_url" in done.stderr


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The program in a process of its own, which it may configure as it likes."""
    program = Path(sys.executable).with_name("accel-agent")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_an_unknown_command_is_refused_with_the_list_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["dokter"])

    assert refusal.value.code == 2
    assert "'dokter' is none of serve, discover, doctor" in capsys.readouterr().err


@pytest.mark.timeout(60)
def test_the_doctor_says_of_everything_that_is_wrong_how_to_mend_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = configured(tmp_path, drivers="test-one-card,test-raises,test-lacks-library")
    (tmp_path / "state").write_text("a file where a directory should be")

    status = main(["doctor", "--format", "json", *arguments])

    findings = {finding["probe"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert status == 1
    assert {name: finding["state"] for name, finding in findings.items() if name != "kernel events"} == {
        "configuration": "ok",
        "node name": "ok",
        "user": "ok",
        **{f"privileged {context}": "ok" for context in Context},
        "sysfs": "ok",
        "spool": "failed",
        "installed drivers": "ok",
        "driver test-one-card": "ok",
        "driver test-raises": "failed",
        "driver test-lacks-library": "warning",
        "broker 127.0.0.1:1": "failed",
        "conductor": "failed",
    }
    assert all(finding["mend"] for finding in findings.values() if finding["state"] != "ok")


def test_the_doctor_says_that_a_host_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = configured(tmp_path, drivers="test-one-card")
    (tmp_path / "sys").rename(tmp_path / "elsewhere")

    assert main(["doctor", *arguments]) == 1

    (sysfs,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("sysfs ")]
    assert "failed" in sysfs
    assert "[agent] host_root" in sysfs
