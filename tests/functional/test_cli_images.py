"""Images on the command line, against the real API."""

import hashlib
import json
import stat
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from support.cli import Outcome, Terminal, run
from support.images import gbs
from support.served import served

from accel.cli.app import AccelApp
from accel.db.engine import Database

WRONG_USE, NOT_FOUND, CONFLICT = 2, 3, 6
REGION, FUNCTION = "ce489693-98f0-5f33-946d-560708be108a", "d8424dc4-a4a3-c413-f89e-433683f9040b"
BYTES = gbs(REGION, FUNCTION)


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    with served(database) as url:
        yield url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "blur filter.gbs"
    path.write_bytes(BYTES)
    return path


def accel(url: str, *words: object) -> Outcome:
    return run("image", *map(str, words), endpoint=url)


def shown(url: str, name: str) -> Any:
    return accel(url, "show", "-f", "json", name).json


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def layout(directory: Path, *tags: str, media_type: str = "application/octet-stream", layers: int = 1) -> Path:
    """An OCI layout that has the image under these tags."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> dict[str, Any]:
        (blobs / digest(data)).write_bytes(data)
        return {"digest": f"sha256:{digest(data)}", "size": len(data)}

    title = {"org.opencontainers.image.title": "sharpen.gbs"}
    layer = put(BYTES) | {"mediaType": media_type, "annotations": title}
    manifest = {"layers": [layer] * layers, "annotations": {"org.opencontainers.image.version": "3.1"}}
    described = put(json.dumps(manifest).encode())
    manifests = [described | {"annotations": {"org.opencontainers.image.ref.name": tag}} for tag in tags]
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    return directory


def test_a_file_is_added_shown_and_deleted(url: str, file: Path) -> None:
    added = accel(url, "add", file, "--image-version", "1.2", "--share", "red")
    image = shown(url, "blur-filter:1.2")
    assert added.out == f"blur-filter 1.2 ({image['uuid'][:8]}) is added\n"
    assert (image["kind"], image["size_bytes"], image["digest"]) == ("gbs", len(BYTES), f"sha256:{digest(BYTES)}")
    assert (image["visibility"], image["projects"], image["loaded_in"]) == ("shared", ["red"], [])
    assert image["function_ids"] == [FUNCTION.replace("-", "")]

    rows = accel(url, "list")
    assert rows.lines[0].split() == [
        "UUID",
        "Name",
        "Version",
        "Kind",
        "Size",
        "bytes",
        "Visibility",
        "Signature",
        "state",
        "State",
    ]
    assert rows.lines[1].split()[1:4] == ["blur-filter", "1.2", "gbs"]
    assert accel(url, "delete", "blur-filter").out == f"blur-filter 1.2 ({image['uuid'][:8]}) is deleted\n"
    assert accel(url, "show", "blur-filter").code == NOT_FOUND


def test_the_list_is_narrowed(url: str, file: Path) -> None:
    accel(url, "add", file, "--name", "blur", "--private")
    accel(url, "add", file, "--name", "sharpen", "--public")

    def names(*options: str) -> list[str]:
        return [image["name"] for image in accel(url, "list", "-f", "json", *options).json]

    assert names() == ["blur", "sharpen"]
    assert names("--name", "blur") == ["blur"]
    assert names("--visibility", "public") == ["sharpen"]
    assert names("--function", FUNCTION, "--region", REGION, "--kind", "gbs", "--vendor", "8086") == ["blur", "sharpen"]
    assert names("--signature", "valid") == names("--state", "failed") == names("--project", "red") == []


def test_an_image_is_signed_and_verified_with_a_key_that_stays_here(url: str, file: Path, tmp_path: Path) -> None:
    private = tmp_path / "private.pem"
    registered = accel(url, "key", "add", "release", private, "--generate")
    key = accel(url, "key", "show", "-f", "json", "release").json
    assert registered.out == f"release ({key['uuid'][:8]}) is registered: {key['public_key']}\n"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600

    accel(url, "add", file, "--name", "blur")
    refused = accel(url, "verify", "blur")
    assert (refused.code, "its signature is missing" in refused.err) == (CONFLICT, True)
    assert accel(url, "sign", "blur", "--key", private).out.endswith("is signed\n")
    for more in ([], [file]):
        verified = accel(url, "verify", "blur", *more)
        assert verified.out.endswith(f"is signed with {key['public_key']}, and its bytes are those that were signed\n")

    accel(url, "add", file, "--name", "signed", "--sign", private)
    assert shown(url, "signed")["signature_state"] == "valid"
    assert accel(url, "key", "revoke", "release").out == f"release ({key['uuid'][:8]}) is revoked\n"
    assert shown(url, "blur")["signature_state"] == "revoked"
    assert accel(url, "sign", "blur", "--key", private).code == CONFLICT
    assert [row["name"] for row in accel(url, "key", "list", "--revoked", "-f", "json").json] == ["release"]
    assert accel(url, "key", "list", "--good", "-f", "json").json == []


def test_other_bytes_and_other_keys_are_not_verified(url: str, file: Path, tmp_path: Path) -> None:
    private, other = tmp_path / "private.pem", tmp_path / "other"
    accel(url, "key", "add", "release", private, "--generate")
    accel(url, "add", file, "--name", "blur", "--sign", private)
    other.write_bytes(BYTES + b"more")
    public = tmp_path / "public.pem"
    public.write_text("iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\n")

    others = accel(url, "verify", "blur", other)
    assert (others.code, f"{other} is not blur" in others.err) == (CONFLICT, True)
    by_other = accel(url, "verify", "blur", "--key", public)
    assert (by_other.code, "is not signed with the key iojj" in by_other.err) == (CONFLICT, True)


def test_a_signature_that_was_made_elsewhere_is_taken(url: str, tmp_path: Path) -> None:
    hello, public, signature = (tmp_path / name for name in ("hello", "public", "signature"))
    hello.write_bytes(b"hello")
    public.write_text("iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\n")
    signature.write_text("R8OFx3C41tTZIOE0Tm7bNdnDFcT3ZqYg8UeolaDrigOe6f42XaYzOT3PRcNe+LwYxgN5JNbD7JT9Uto9W/PSDA==\n")
    accel(url, "add", hello)
    accel(url, "key", "add", "release", public)

    assert accel(url, "sign", "hello", "--signature", signature).code == 0
    assert shown(url, "hello")["signature_state"] == "valid"


def test_the_layer_of_an_oci_layout_is_added(url: str, tmp_path: Path) -> None:
    root = layout(tmp_path / "layout", "stable", "next")
    several = accel(url, "add", f"oci:{root}")
    assert (several.code, "there are 2: stable, next" in several.err) == (WRONG_USE, True)

    assert accel(url, "add", f"oci:{root}:stable").code == 0
    image = shown(url, "sharpen")
    assert (image["version"], image["digest"], image["source"]) == ("3.1", f"sha256:{digest(BYTES)}", "upload")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"media_type": "application/vnd.oci.image.layer.v1.tar+gzip"}, "is an archive"),
        ({"layers": 2}, "has 2 layers"),
        ({"damaged": True}, "is damaged"),
        ({"lost": True}, "an OCI layout has it"),
        ({"document": "[]"}, "is no JSON object"),
        ({"document": "{"}, "is no JSON"),
        ({"document": '{"manifests": 5}'}, "there are 0"),
        ({"document": '{"manifests": [{"digest": "sha256:../../secret"}]}'}, "is no digest by SHA-256"),
    ],
)
def test_a_layout_that_is_none_is_refused(made: dict[str, Any], said: str, url: str, tmp_path: Path) -> None:
    kinds = {key: value for key, value in made.items() if key in {"media_type", "layers"}}
    root = layout(tmp_path / "layout", "stable", **kinds)
    blob = root / "blobs" / "sha256" / digest(BYTES)
    if "damaged" in made:
        blob.write_bytes(BYTES + b"x")
    if "lost" in made:
        (root / "index.json").unlink()
    if "document" in made:
        (root / "index.json").write_text(made["document"])

    outcome = accel(url, "add", f"oci:{root}")
    assert (outcome.code, said in outcome.err) == (WRONG_USE, True), outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "/nowhere.gbs"), "/nowhere.gbs: cannot be read"),
        (("add", "https://example.org/a"), "--digest: needed for a URL"),
        (("add", "https://example.org/a", "--digest", "abc"), "--digest: 'abc' is not a SHA-256"),
        (("add", "https://example.org/a", "--digest", "0" * 64), "url_hosts"),
        (("add", "glance:nosuch"), "[glance] auth_type is not set"),
        (("add", "FILE", "--digest", "0" * 64), "has the SHA-256"),
        (("add", "FILE", "--function", "abc"), "function_ids[0]: 'abc'"),
        (("add", "FILE", "--function", "1" * 32), "what the header of the image says"),
        (("add", "FILE", "--name", "a b"), "letters, digits"),
        (("add", "FILE", "--sign", "/nowhere.pem"), "/nowhere.pem: cannot be read"),
        (("add", "FILE", "--sign", "FILE"), "a private key in PEM"),
        (("set", "blur"), "nothing to change"),
        (("key", "add", "a", "FILE"), "a public key of Ed25519"),
        (("key", "add", "a", "FILE", "--generate"), "cannot be made: File exists"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_said_and_leaves_nothing(words: tuple[str, ...], said: str, url: str, file: Path) -> None:
    outcome = accel(url, *(str(file) if word == "FILE" else word for word in words))

    assert (outcome.code, said in outcome.err) == (WRONG_USE, True), outcome.err
    assert accel(url, "list", "-f", "json").json == []


def test_an_image_is_called_otherwise_and_seen_by_others(url: str, file: Path) -> None:
    accel(url, "add", file, "--name", "blur", "--share", "red")
    assert accel(url, "set", "blur", "--name", "sharpen", "--image-version", "2", "--private").code == 0
    image = shown(url, "sharpen:2")
    assert (image["visibility"], image["projects"]) == ("private", [])


def test_of_several_versions_the_one_that_is_meant_is_said(url: str, file: Path) -> None:
    for version in ("1", "2"):
        accel(url, "add", file, "--name", "blur", "--image-version", version)
    several = accel(url, "show", "blur")
    assert several.code == WRONG_USE
    assert "blur:1" in several.err
    assert "blur:2" in several.err
    assert shown(url, "blur:2")["version"] == "2"


def test_sending_a_large_file_shows_how_far_it_is(url: str, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(3 << 20))
    err = Terminal()
    code = AccelApp(stdout=StringIO(), stderr=err).run(["--endpoint", url, "image", "add", str(large)])

    assert code == 0
    assert "reading" in err.getvalue()
    assert "sending" in err.getvalue()
    assert "100 %" in err.getvalue()
