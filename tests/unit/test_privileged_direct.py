"""Acts on a host made of files, and how tools are run."""

import os
import pickle
import threading
from pathlib import Path

import pytest
from support.waiting import until

from accel.drivers.base import Host
from accel.errors import ActNotAllowed, ActTimedOut, ToolFailed, ToolMissing
from accel.privileged.base import AdminCommand, Context, NodeAccess
from accel.privileged.direct import Direct
from accel.privileged.tools import check_owner, end_running
from accel.testing import HostTree, PciRow


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    tree = HostTree(tmp_path)
    tree.pci_function(PciRow(address="0000:81:00.0", attributes={"sriov_numvfs": "16"}))
    return tree


def tool(directory: Path, script: str, name: str = "xbmgmt") -> str:
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_what_is_written_replaces_what_was_there(tree: HostTree) -> None:
    file = tree.host().sysfs / "bus/pci/devices/0000:81:00.0/sriov_numvfs"

    tree.host().privileged.write(file, "0")

    assert file.read_text() == "0"


def test_what_is_not_there_is_not_made(tree: HostTree) -> None:
    file = tree.host().sysfs / "bus/pci/devices/0000:81:00.0/reset"

    with pytest.raises(FileNotFoundError, match=str(file)):
        tree.host().privileged.write(file, "1")


def test_the_lists_count_on_a_host_made_of_files_too(tree: HostTree) -> None:
    with pytest.raises(ActNotAllowed):
        tree.host().privileged.write(tree.host().sysfs / "bus/pci/devices/0000:81:00.0/vendor", "0x10de")


def test_who_acts_goes_with_the_host_into_another_process(tree: HostTree) -> None:
    host = Host(name="node-1", root=tree.root, hands=Direct(tree.root))
    assert pickle.loads(pickle.dumps(host)).privileged == tree.host().privileged  # noqa: S301  # our own


def test_a_tool_gives_what_it_printed_and_knows_nothing_of_our_environment(tmp_path: Path) -> None:
    program = tool(tmp_path, 'echo "$1 in $PWD, $ACCEL_SECRET"')
    os.environ["ACCEL_SECRET"] = "secret"

    assert Direct(tmp_path).run(program, "program") == "program in /, \n"


@pytest.mark.parametrize("what", ["nothing", "a file", "a directory"])
def test_what_is_no_program_is_named(tmp_path: Path, what: str) -> None:
    program = tmp_path / "xbmgmt"
    if what == "a file":
        program.touch()
    elif what == "a directory":
        program.mkdir()

    with pytest.raises(ToolMissing, match=f"{program} is not there, or no program: install it"):
        Direct(tmp_path).run(str(program), "program")


@pytest.mark.parametrize("stream", [1, 2])
def test_what_a_tool_says_when_it_fails_is_told_whichever_stream_it_uses(tmp_path: Path, stream: int) -> None:
    program = tool(tmp_path, f"(echo invalid field; echo; echo giving up) >&{stream}; exit 3")

    with pytest.raises(ToolFailed, match="xbmgmt ended with status 3: invalid field; giving up") as caught:
        Direct(tmp_path).run(program, "program")

    assert caught.value.status == 3


def test_a_tool_that_hangs_is_killed_with_what_it_has_started(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    program = tool(tmp_path, f"sleep 1000 > {pipe} & wait")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(ActTimedOut, match=r"did not end within 0\.5 s, and was killed"):
        Direct(tmp_path).run(program, "program", timeout_seconds=0.5)

    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # nobody holds the other end any more
    os.close(reader)


@pytest.mark.parametrize(("trap", "number"), [("", "SIGTERM"), ("trap '' TERM; ", "SIGKILL")])
def test_a_tool_that_is_cancelled_is_asked_to_end_and_killed_when_it_does_not(
    tmp_path: Path, trap: str, number: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    program = tool(tmp_path, f"{trap}echo begun > {pipe}; read never < {pipe}")
    said: list[str] = []

    def run() -> None:
        with pytest.raises(ToolFailed) as caught:
            Direct(tmp_path).run(program, "program")
        said.append(str(caught.value))

    waiting = threading.Thread(target=run)
    waiting.start()
    assert pipe.read_text() == "begun\n"
    until(lambda: end_running(patience_seconds=0.2))
    waiting.join()

    assert said == [f"{program} was ended by {number}: it says nothing"]
    assert not Direct(tmp_path).end_tool()


def test_a_program_that_others_than_root_could_exchange_is_not_run_with_privilege(tmp_path: Path) -> None:
    program = Path(tool(tmp_path, "true"))
    program.chmod(0o777)

    with pytest.raises(ActNotAllowed, match="could be exchanged by others than root: let /"):
        check_owner(program)


def test_a_program_of_the_system_is_root_s() -> None:
    check_owner(Path("/usr/bin/env"))


def test_a_node_is_given_to_a_group(tree: HostTree) -> None:
    node = tree.write("dev/vfio/12", "")
    node.chmod(0o600)

    tree.host().privileged.give(node, NodeAccess(group=os.getgid(), mode=0o660))

    assert node.stat().st_mode & 0o777 == 0o660


def test_a_node_that_can_be_opened_or_is_not_there_is_open_to_nobody(tree: HostTree) -> None:
    hands = tree.host().privileged
    assert not hands.is_open(tree.write("dev/vfio/12", ""))
    assert not hands.is_open(tree.root / "dev/vfio/13")
    with pytest.raises(ActNotAllowed):
        hands.is_open(tree.write("dev/sda", ""))


def test_a_file_that_is_no_controller_takes_no_command(tree: HostTree) -> None:
    node = tree.write("dev/nvme0", "")

    with pytest.raises(OSError, match="Inappropriate ioctl"):
        tree.host().privileged.nvme_admin(node, AdminCommand(opcode=0x06, answer_bytes=4096))


def test_on_a_host_made_of_files_every_context_can_work(tree: HostTree) -> None:
    assert all(tree.host().privileged.check(context) for context in Context)


def test_a_piece_of_a_namespace_is_read_and_zeroed_and_nothing_beside_it(tree: HostTree) -> None:
    disk, hands = tree.write("dev/nvme0n1", "x" * 4096), tree.host().privileged

    hands.zero_blocks(disk, 512, 1024)

    assert hands.read_blocks(disk, 512, 1024) == bytes(1024)
    assert disk.read_bytes() == b"x" * 512 + bytes(1024) + b"x" * 2560


def test_a_namespace_does_not_grow_and_is_not_made(tree: HostTree) -> None:
    disk, hands = tree.write("dev/nvme0n1", "x" * 4096), tree.host().privileged

    with pytest.raises(OSError, match=str(disk)):
        hands.zero_blocks(disk, 4096, 512)
    with pytest.raises(FileNotFoundError, match="nvme0n2"):
        hands.read_blocks(disk.with_name("nvme0n2"), 0, 512)
    with pytest.raises(ActNotAllowed, match="at most 1048576 can be read at once"):
        hands.read_blocks(disk, 0, 2 << 20)
    assert disk.read_text() == "x" * 4096
