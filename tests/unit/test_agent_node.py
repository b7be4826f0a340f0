"""What is said about the host itself."""

from pathlib import Path

from accel.agent.node import boot_id, node_info
from accel.drivers.base import Host
from accel.model.report import NumaNode


def written(root: Path, files: dict[str, str]) -> Host:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Host(name="node-1", root=root)


def test_memory_nodes_may_have_gaps_and_no_processors(tmp_path: Path) -> None:
    nodes = "sys/devices/system/node"
    host = written(
        tmp_path,
        {
            f"{nodes}/node8/cpulist": "16-31,48-63\n",
            f"{nodes}/node0/cpulist": "0-15,32-47\n",
            f"{nodes}/node0/meminfo": "Node 0 MemTotal:       65536 kB\nNode 0 MemFree:        1024 kB\n",
            f"{nodes}/node250/cpulist": "\n",
            f"{nodes}/node250/meminfo": "Node 250 MemTotal:     16384 kB\n",
            f"{nodes}/online": "0,8,250\n",
        },
    )

    info = node_info(host, agent_version="1", rack="", labels={})

    assert info.numa == (
        NumaNode(id=0, cpus="0-15,32-47", memory_bytes=64 * 1024 * 1024),
        NumaNode(id=8, cpus="16-31,48-63", memory_bytes=None),
        NumaNode(id=250, cpus="", memory_bytes=16 * 1024 * 1024),
    )


def test_a_host_that_says_nothing_is_described_by_what_is_configured(tmp_path: Path) -> None:
    info = node_info(Host(name="node-1", root=tmp_path), agent_version="1", rack="r7", labels={"pool": "training"})

    assert (info.name, info.kernel, info.rack, info.labels, info.numa) == (
        "node-1",
        "",
        "r7",
        {"pool": "training"},
        (),
    )


def test_kernel_and_boot_are_those_of_the_host(tmp_path: Path) -> None:
    host = written(
        tmp_path, {"proc/sys/kernel/osrelease": "6.1.0-42-amd64\n", "proc/sys/kernel/random/boot_id": "7ad3\n"}
    )

    assert node_info(host, agent_version="1", rack="", labels={}).kernel == "6.1.0-42-amd64"
    assert boot_id(host) == "7ad3"


def test_a_captured_host_lives_as_long_as_the_machine_it_is_looked_at_on(tmp_path: Path) -> None:
    assert boot_id(Host(name="node-1", root=tmp_path)) == boot_id(Host(name="node-1"))
