"""Pods for a node of Kubernetes, and the one image that all their containers are made of."""

import io
import json
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from support.kubernetes_build import ROOT

IMAGE = "accel.test/busybox:1"
STAYS = "trap exit TERM; while :; do sleep 1 & wait; done"
"""What a container does that only is there."""


def pod(name: str, *containers: Mapping[str, int], **more: Any) -> Mapping[str, Any]:
    """A pod that stays; each container asks for so many of each resource."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "hostNetwork": True,
            "terminationGracePeriodSeconds": 1,
            "containers": [container(f"c{place}", limits) for place, limits in enumerate(containers)],
            **more,
        },
    }


def container(name: str, limits: Mapping[str, int], *command: str) -> Mapping[str, Any]:
    """A container that does this, or stays."""
    return {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/bin/sh", "-c", *(command or [STAYS])],
        "resources": {"limits": {resource: str(count) for resource, count in limits.items()}},
    }


def write_image(archive: Path) -> None:
    """The one image that there is, with busybox alone: for all containers, and for the sandboxes of pods."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        _pack(files, "bin/busybox", (ROOT / "bin/busybox").read_bytes())
        for name in ("sh", "sleep", "env", "ls", "cat", "dd", "mknod"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            files.addfile(link)
    content = layer.getvalue()
    blobs: dict[str, bytes] = {}
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Entrypoint": ["/bin/sh", "-c", STAYS]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(content).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "config": _blob(blobs, "config.v1+json", json.dumps(configuration).encode()),
        "layers": [_blob(blobs, "layer.v1.tar", content)],
    }
    named = {"annotations": {"io.containerd.image.name": IMAGE, "org.opencontainers.image.ref.name": IMAGE}}
    index = {"schemaVersion": 2, "manifests": [_blob(blobs, "manifest.v1+json", json.dumps(manifest).encode()) | named]}
    with tarfile.open(archive, "w") as files:
        _pack(files, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        _pack(files, "index.json", json.dumps(index).encode())
        for digest, blob in blobs.items():
            _pack(files, f"blobs/sha256/{digest}", blob)


def _blob(blobs: dict[str, bytes], kind: str, content: bytes) -> dict[str, Any]:
    """Put something beside the others, as OCI's image layout has it, and give what says where it is."""
    digest = sha256(content).hexdigest()
    blobs[digest] = content
    return {
        "mediaType": f"application/vnd.oci.image.{kind}",
        "digest": f"sha256:{digest}",
        "size": len(content),
    }


def _pack(files: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755
    files.addfile(entry, io.BytesIO(content))
