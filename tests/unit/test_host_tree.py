"""Unpacking captured hosts: their root is found, and nothing gets out of it."""

import io
import tarfile
from pathlib import Path

import pytest

from accel.testing.host_tree import unpack


def archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"1\n"))
    return path


def file(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = 2
    return member


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


@pytest.mark.parametrize("root", ["", "tmp/", "./", "captures/node/"])
def test_the_root_is_where_sys_is(tmp_path: Path, root: str) -> None:
    packed = archive(tmp_path / "a.tgz", file(f"{root}sys/devices/x"))
    assert (unpack(packed, tmp_path / "out") / "sys/devices/x").read_text() == "1\n"


def test_without_sys_the_root_is_the_top(tmp_path: Path) -> None:
    assert unpack(archive(tmp_path / "a.tgz", file("nodes/0")), tmp_path / "out") == tmp_path / "out"


def test_links_to_absolute_paths_lead_to_the_same_path_of_the_captured_host(tmp_path: Path) -> None:
    packed = archive(tmp_path / "a.tgz", file("tmp/sys/devices/x"), link("tmp/sys/class/a/x", "/sys/devices/x"))
    assert (unpack(packed, tmp_path / "out") / "sys/class/a/x").resolve() == tmp_path / "out/tmp/sys/devices/x"


@pytest.mark.parametrize(
    "member", [file("../escaped"), link("sys/up", "../../escaped"), file("sys/up/../../../escaped")]
)
def test_what_leads_out_is_left_out(tmp_path: Path, member: tarfile.TarInfo) -> None:
    root = unpack(archive(tmp_path / "a.tgz", file("sys/devices/x"), member), tmp_path / "out")
    assert sorted(path.name for path in root.rglob("*")) == ["devices", "sys", "x"]
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("member", [file("up/escaped"), link("up/escaped", "x")])
def test_nothing_is_written_through_a_link(tmp_path: Path, member: tarfile.TarInfo) -> None:
    """Links that stay inside one by one may lead out together."""
    links = (link("a/b/top", "../.."), link("up", "a/b/top/.."))
    unpack(archive(tmp_path / "a.tgz", *links, member, file("sys/devices/x")), tmp_path / "out")
    assert not list(tmp_path.glob("escaped*"))


def test_device_nodes_are_left_out(tmp_path: Path) -> None:
    node = tarfile.TarInfo("dev/sda")
    node.type = tarfile.BLKTYPE
    root = unpack(archive(tmp_path / "a.tgz", file("sys/devices/x"), node), tmp_path / "out")
    assert not (root / "dev").exists() or not list((root / "dev").iterdir())


def test_loops_of_links_are_kept(tmp_path: Path) -> None:
    packed = archive(tmp_path / "a.tgz", file("sys/devices/x"), link("sys/region0/region0", "../region0"))
    assert (unpack(packed, tmp_path / "out") / "sys/region0/region0").is_symlink()
