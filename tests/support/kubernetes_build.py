"""Kubernetes itself, built from Debian's source with Debian's Go, and the programs around it, from Debian's packages.

Nothing is installed: apt's own files and all that it fetches are in ``build/kubelet``, which is made once.
"""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
BUILD = REPOSITORY / "build/kubelet"
PROGRAMS = BUILD / "bin"
ROOT = BUILD / "root"
"""The files of the packages."""

_SUITE = "deb http://deb.debian.org/debian bookworm main\n"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PACKAGES = (
    *("containerd", "runc", "etcd-server", "kubernetes-client", "busybox-static"),
    *("golang-1.19-go", "golang-1.19-src"),
    *("podman", "conmon", "libsubid4", "libgpgme11", "libassuan0"),
)
_VERSION = "k8s.io/kubernetes/vendor/k8s.io/component-base/version.git"
_STAMPS = {"Version": "v1.20.2", "Major": "1", "Minor": "20"}
_COMMANDS = ("kubelet", "kube-apiserver", "kube-scheduler")


def what_is_missing() -> str:
    """Why Kubernetes cannot be run here, in words; empty where it can."""
    if os.geteuid() != 0:
        return "only root can run a kubelet"
    needed = (Path("/usr/bin/apt-get"), Path("/usr/bin/dpkg-deb"), Path("/usr/bin/nsenter"), _KEYRING)
    missing = [str(path) for path in needed if not path.exists()]
    return f"{' and '.join(missing)} is not there: this wants a Debian" if missing else ""


def search_path() -> str:
    """Where the programs are, as ``PATH`` has it."""
    return ":".join(
        [str(PROGRAMS), str(ROOT / "usr/bin"), str(ROOT / "usr/sbin"), str(ROOT / "bin"), os.environ["PATH"]]
    )


def build() -> None:
    """Have all programs there; the first time this takes ten minutes of two processors and 5 GB of disk."""
    if not all((PROGRAMS / name).exists() for name in _COMMANDS):
        _fetch()
        _generate(_sources())
        _compile(f"k8s.io/kubernetes/cmd/{name}" for name in _COMMANDS)


def _fetch() -> None:
    """The packages, unpacked, and the source of Kubernetes."""
    packages = BUILD / "packages"
    (BUILD / "lists/partial").mkdir(parents=True, exist_ok=True)
    packages.mkdir(exist_ok=True)
    signed = f"[signed-by={_KEYRING}]"
    lines = [_SUITE.replace("deb ", f"{kind} {signed} ") for kind in ("deb", "deb-src")]
    (BUILD / "sources.list").write_text("".join(lines))
    _apt("update")
    _apt("download", *_PACKAGES)
    _apt("source", "--download-only", "kubernetes")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, ROOT], check=True)


def _apt(*words: str) -> None:
    options = {
        "Dir::Etc::SourceList": BUILD / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": BUILD / "lists",
        "Dir::Cache": BUILD,
        "APT::Sandbox::User": "root",
    }
    said = [f"-o{key}={value}" for key, value in options.items()]
    subprocess.run(["apt-get", "-qq", *said, *words], cwd=BUILD / "packages", check=True)


def _sources() -> Path:
    """Where the sources are, in a workspace of Go."""
    sources = BUILD / "go/src/k8s.io/kubernetes"
    if not sources.exists():
        (archive,) = (BUILD / "packages").glob("kubernetes_*.orig.tar.gz")
        unpacked = sources.with_name("unpacked")
        unpacked.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-xzf", archive, "-C", unpacked, "--strip-components=1"], check=True)
        unpacked.rename(sources)
    return sources


def _generate(sources: Path) -> None:
    """The one part of the sources that its makers do not keep: the description of the API."""
    _compile(["k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen"])
    vendored = [path for path in (sources / "vendor/k8s.io").iterdir() if path.is_symlink()]
    said = subprocess.run(
        [
            "grep",
            "-rl",
            "--include=*.go",
            "+k8s:openapi-gen=",
            "pkg",
            *(f"vendor/k8s.io/{path.name}/" for path in vendored),
        ],
        cwd=sources,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = [line for line in said.splitlines() if "code-generator" not in line and "sample-apiserver" not in line]
    folders = sorted({f"k8s.io/kubernetes/{Path(file).parent}" for file in files if not file.endswith("_test.go")})
    command = [PROGRAMS / "openapi-gen", "-i", ",".join(folders), "-p", "k8s.io/kubernetes/pkg/generated/openapi"]
    command += ["-O", "zz_generated.openapi", "-o", BUILD / "go/src", "-r", BUILD / "violations.txt"]
    command += ["-h", "vendor/k8s.io/code-generator/hack/boilerplate.go.txt"]
    subprocess.run(command, cwd=sources, env=_environment(), check=True)


def _compile(packages: Iterable[str]) -> None:
    PROGRAMS.mkdir(exist_ok=True)
    stamps = " ".join(f"-X {_VERSION}{key}={value}" for key, value in _STAMPS.items())
    command = ["nice", "-n", "10", "go", "build", "-p", "2", "-ldflags", stamps, "-o", f"{PROGRAMS}/", *packages]
    subprocess.run(command, cwd=BUILD / "go/src/k8s.io/kubernetes", env=_environment(), check=True)


def _environment() -> dict[str, str]:
    """Go's: everything is in the workspace, nothing is fetched."""
    return os.environ | {
        "GOROOT": str(ROOT / "usr/lib/go-1.19"),
        "GOPATH": str(BUILD / "go"),
        "GOCACHE": str(BUILD / "cache"),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
        "PATH": f"{ROOT / 'usr/lib/go-1.19/bin'}:{search_path()}",
    }
