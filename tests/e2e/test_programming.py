"""From a file to an FPGA that has it: `accel up` over a captured host, with Intel's program stood in for."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
from support.cli import Outcome, run
from support.host_trees import HOSTS
from support.image_sources import running_web
from support.images import gbs
from support.processes import accel_up
from support.vendor_tools import behave, calls, install
from support.waiting import until

from accel.testing import unpack

REGION = "f64e598bea11517fa28e7bc65d885104"
NEW, OTHER = "1" * 32, "2" * 32
CONFLICT, PATIENCE_SECONDS = 6, 60


@dataclass(frozen=True, slots=True)
class Site:
    """A running service over a captured host."""

    url: str
    tree: Path
    directory: Path

    def accel(self, *words: object) -> Outcome:
        """A command, which succeeds."""
        outcome = self.attempt(*words)
        assert outcome.code == 0, outcome.err
        return outcome

    def attempt(self, *words: object) -> Outcome:
        """A command; it asks again at once whatever it waits for."""
        return run(*map(str, words), endpoint=self.url, wait=lambda _seconds: None)

    def add(self, name: str, content: bytes, *more: object) -> str:
        """An image; gives its UUID."""
        file = self.directory / f"{name}.gbs"
        file.write_bytes(content)
        self.accel("image", "add", file, *more)
        return str(self.accel("image", "show", "-f", "json", name).json["uuid"])

    def region(self) -> dict[str, Any]:
        """The region of the host's board, as it is recorded."""
        (found,) = self.accel("deployable", "list", "--kind", "region", "-f", "json").json
        return dict(found)

    def is_bound(self, claim: str) -> bool:
        """Whether all that a claim wants is ready."""
        shown = self.accel("claim", "show", claim, "-f", "json").json
        states = {one["state"] for one in shown["allocations"]}
        assert states <= {"BindStarted", "Bound"}, shown
        return states == {"Bound"}

    def fenced(self) -> list[int]:
        """How many attach handles each job has left fenced."""
        return [job["fenced"] for job in self.accel("job", "list", "-f", "json").json]

    def patch(self, deployable: str, image: str, path: str = "") -> requests.Response:
        """What OpenStack's clients send."""
        body = [{"path": "/program", "op": "replace", "value": [{"image_uuid": image}]}]
        return requests.patch(f"{self.url}/v2/deployables/{deployable}/program{path}", json=body, timeout=120)


@contextmanager
def running(directory: Path, *, options: str = "") -> Iterator[Site]:
    (archive,) = (HOSTS / "fpga-a10-dfl").glob("*.tar.gz")
    tree = unpack(archive, directory / "node3")
    tools = install(tree, "fpgaconf")
    config = directory / "accel.conf"
    config.write_text(f"[intel_fpga]\nfpgaconf = {tools['fpgaconf']}\n{options}")
    arguments = ["--no-host", "--host-tree", tree, "--driver", "intel_fpga", "--config-file", config]
    with accel_up(directory / "state", *arguments) as up:
        yield Site(up.endpoint, tree, directory)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running(tmp_path) as site:
        site.accel("image", "key", "add", "release", tmp_path / "release.pem", "--generate")
        yield site


def test_an_image_is_added_signed_and_loaded_and_the_device_shows_it(site: Site) -> None:
    image = site.add("blur", gbs(REGION, NEW), "--sign", site.directory / "release.pem", "--image-version", "1.2")
    region = site.region()
    answer = site.patch(region["uuid"], image)

    assert (answer.status_code, answer.json()["uuid"], answer.json()["bitstream_id"]) == (200, region["uuid"], image)
    after = site.region()
    assert after["bitstream_id"] == image
    assert after["attributes"]["afu_id"] == NEW  # what the next look has found there
    (loaded,) = site.accel("image", "show", "-f", "json", "blur").json["loaded_in"]
    assert (loaded["uuid"], loaded["node"]) == (region["uuid"], site.tree.name)
    in_use = site.attempt("image", "delete", "blur")
    assert (in_use.code, f"in use by deployable {region['name']}" in in_use.err) == (CONFLICT, True)

    other = site.add("sharpen", gbs(REGION, OTHER), "--sign", site.directory / "release.pem")
    card = next(part for part in site.accel("deployable", "list", "-f", "json").json if part["kind"] != "region")
    said = site.accel("image", "load", "sharpen", card["uuid"])  # a card stands for its only region
    assert said.out == f"sharpen ({other[:8]}) is loaded in {region['name']}\n"
    assert site.region()["bitstream_id"] == other
    assert site.accel("image", "delete", "blur").code == 0
    assert [job["state"] for job in site.accel("job", "list", "--kind", "program", "-f", "json").json] == ["done"] * 2
    assert len(calls(site.tree, "fpgaconf")) == 2


def test_the_path_of_the_sdk_with_the_uuid_twice_is_the_same(site: Site) -> None:
    image = site.add("blur", gbs(REGION, NEW), "--sign", site.directory / "release.pem")
    region = site.region()["uuid"]
    assert site.patch(region, image, f"/{region}").status_code == 200


def test_what_may_not_be_loaded_is_refused_before_the_node_hears_of_it(site: Site) -> None:
    key, region = site.directory / "release.pem", site.region()["uuid"]
    unsigned = site.add("unsigned", gbs(REGION, NEW))
    misfit = site.add("misfit", gbs(OTHER, NEW), "--sign", key)
    revoked = site.add("revoked", gbs(REGION, NEW), "--sign", key)

    for image, code in ((unsigned, "accel.signature_missing"), (misfit, "accel.image_mismatch")):
        refused = _program(site, region, image)
        assert (refused.status_code, refused.json()["code"]) == (409, code)
    site.accel("image", "key", "revoke", "release")
    assert _program(site, region, revoked).json()["code"] == "accel.key_revoked"
    assert site.accel("job", "list", "-f", "json").json == []
    assert calls(site.tree, "fpgaconf") == []


def test_a_failure_on_the_node_reaches_whoever_asked_and_leaves_the_device_fenced(site: Site) -> None:
    image = site.add("blur", gbs(REGION, NEW), "--sign", site.directory / "release.pem")
    region = site.region()
    behave(site.tree, "fpgaconf", status=7, stderr="Error writing bitstream to FPGA: timeout")
    failed = _program(site, region["uuid"], image)

    assert (failed.status_code, failed.json()["code"]) == (500, "accel.tool_failed")
    assert "FPGA programming failed" in failed.json()["detail"]
    assert "Error writing bitstream to FPGA" in failed.json()["detail"]
    assert site.region()["bitstream_id"] is None
    assert site.fenced() == [1]

    behave(site.tree, "fpgaconf")
    assert site.attempt("image", "load", "blur", region["uuid"]).code == 0
    assert site.fenced() == [0, 0]


def test_a_node_that_trusts_another_key_loads_nothing_by_this_one(tmp_path: Path) -> None:
    options = "[agent]\ntrusted_image_keys = iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\n"
    with running(tmp_path, options=options) as site:
        key = tmp_path / "release.pem"
        site.accel("image", "key", "add", "release", key, "--generate")
        image = site.add("blur", gbs(REGION, NEW), "--sign", key)
        refused = _program(site, site.region()["uuid"], image)

    assert (refused.status_code, refused.json()["code"]) == (409, "accel.key_not_trusted")
    assert calls(site.tree, "fpgaconf") == []


def _program(site: Site, deployable: str, image: str) -> requests.Response:
    """A request that is answered in the words of the newest version."""
    body = [{"path": "/program", "op": "replace", "value": [{"image_uuid": image}]}]
    headers = {"OpenStack-API-Version": "accelerator 2.4"}
    path = f"{site.url}/v2/deployables/{deployable}/program"
    return requests.patch(path, json=body, headers=headers, timeout=120)


def test_a_request_whose_profile_names_a_function_gets_it_loaded_before_it_is_bound(site: Site) -> None:
    image = site.add("blur", gbs(REGION, NEW), "--sign", site.directory / "release.pem")
    group = f"resources:FPGA=1,accel:function_id={UUID(NEW)}"
    site.accel("profile", "create", "blurring", "--group", group)
    claim = site.accel("claim", "--profile", "blurring", "-f", "json").json
    until(lambda: site.is_bound(claim["uuid"]), patience_seconds=PATIENCE_SECONDS)

    region = site.region()
    assert (region["bitstream_id"], region["attributes"]["afu_id"]) == (image, NEW)
    (job,) = site.accel("job", "list", "--kind", "program", "-f", "json").json
    assert (job["state"], job["fenced"]) == ("done", 0)
    held = _program(site, region["uuid"], image)
    assert (held.status_code, "is held (reservation)" in held.json()["detail"]) == (409, True)

    site.accel("claim", "release", str(claim["uuid"]))
    again = site.accel("claim", "--profile", "blurring", "-f", "json").json  # it is there already
    until(lambda: site.is_bound(again["uuid"]), patience_seconds=PATIENCE_SECONDS)
    assert len(calls(site.tree, "fpgaconf")) == 1


def test_a_request_for_an_image_that_is_not_to_be_loaded_is_refused_at_once(site: Site) -> None:
    image = site.add("unsigned", gbs(REGION, NEW))
    site.accel("profile", "create", "blurring", "--group", f"resources:FPGA=1,accel:bitstream_id={image}")
    refused = site.attempt("claim", "--profile", "blurring")
    assert (refused.code, "is not signed" in refused.err) == (CONFLICT, True)
    both = f"resources:FPGA=1,accel:bitstream_id={image},accel:function_id={UUID(NEW)}"
    twice = site.attempt("profile", "create", "both", "--group", both)
    assert (twice.code, "one of both is enough" in twice.err) == (2, True)


def test_an_image_that_is_elsewhere_is_fetched_by_the_service(tmp_path: Path) -> None:
    with running_web() as web:
        url = web.has("/images/blur.gbs", gbs(REGION, NEW))
        options = f"[images]\nurl_hosts = {web.host}\nurl_networks = 127.0.0.0/8\n"
        with running(tmp_path, options=options) as site:
            said = site.accel("image", "add", url, "--digest", hashlib.sha256(gbs(REGION, NEW)).hexdigest())
            image = site.accel("image", "show", "-f", "json", "blur").json
            missing = site.attempt("image", "add", f"{web.url}/nowhere", "--digest", "0" * 64)

    assert said.out == f"blur ({image['uuid'][:8]}) is added\n"
    assert (image["state"], image["kind"], image["source_ref"]) == ("ready", "gbs", url)
    assert (missing.code, "answers 404" in missing.err) == (CONFLICT, True)
