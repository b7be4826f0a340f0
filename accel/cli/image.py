"""``accel image …``: list, show, add, change, sign, verify, delete."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from cliff.command import Command

from accel import signing
from accel.cli import human, image_source, refs
from accel.cli.base import ListCommand, ShowCommand, app_of, client_of, query
from accel.cli.client import Client, Item
from accel.cli.columns import Column, member, plain, short_uuid
from accel.cli.errors import CommandFailed, WrongState, WrongUse
from accel.cli.image_source import Source
from accel.cli.progress import Progress

REF_HELP = "name, name:version, UUID, or its first four characters or more"
_LOOK_SECONDS = 1.0
_PREFIX = "sha256:"
_FACTS = ("vendor", "platform", "region_ids", "function_ids", "kind")


def name(image: Item) -> str:
    """What to call an image in a sentence."""
    version = f" {image['version']}" if image["version"] else ""
    return f"{image['name']}{version} ({image['uuid'][:8]})"


def _lines(values: Iterable[Any]) -> str:
    return "\n".join(map(plain, values))


def _where(parts: Iterable[Item]) -> str:
    return "\n".join(f"{part['node']}: {part['name']} ({part['uuid'][:8]})" for part in parts)


_COLUMNS = (
    short_uuid(),
    member("name"),
    member("version"),
    member("kind"),
    member("size_bytes", human.size),
    member("vendor"),
    member("platform"),
    member("region_ids"),
    member("function_ids"),
    member("purpose"),
    member("visibility"),
    member("projects"),
    member("project_id"),
    member("state"),
    member("reason"),
    member("signature_state"),
    member("public_key"),
    member("signature"),
    member("digest"),
    member("source"),
    member("source_ref"),
    member("created_at", human.ago),
    member("updated_at", human.ago),
)


class ImageList(ListCommand):
    """List images for programmable devices."""

    noun = "image"
    columns: ClassVar[tuple[Column, ...]] = _COLUMNS
    order = ("name", "version")
    shown = ("uuid", "name", "version", "kind", "size_bytes", "visibility", "signature_state", "state")
    shown_long = (*shown, "function_ids", "project_id", "digest", "created_at")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which images."""
        group = parser.add_argument_group("which images")
        group.add_argument("--name", help="of this name")
        group.add_argument("--kind", choices=["gbs", "xclbin", "raw"], help="files of this kind")
        group.add_argument("--vendor", metavar="ID", help="for cards of this PCI vendor")
        group.add_argument("--region", dest="region_id", metavar="ID", help="built for this region")
        group.add_argument("--function", dest="function_id", metavar="ID", help="that have this function")
        group.add_argument("--state", choices=["awaiting", "fetching", "ready", "failed"], help="in this state")
        group.add_argument(
            "--signature", dest="signature_state", choices=["missing", "valid", "revoked"], help="signed so"
        )
        group.add_argument(
            "--visibility", choices=["private", "shared", "public"], help="seen by these: its project, some, or all"
        )
        group.add_argument("--project", dest="project_id", metavar="ID", help="that belong to this project")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the images."""
        names = ("name", "kind", "vendor", "region_id", "function_id", "state", "signature_state", "visibility")
        asked = {"sort_key": "name", **query(parsed_args, (*names, "project_id"))}
        return client_of(self).items("/images", asked, limit=limit)


class ImageShow(ShowCommand):
    """Show all about one image, and where it is loaded."""

    columns: ClassVar[tuple[Column, ...]] = (
        *(member(column.key, _lines) if column.key.endswith("_ids") else column for column in _COLUMNS),
        member("loaded_in", _where),
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which image."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help=REF_HELP)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the image."""
        client = client_of(self)
        return client.get(f"/images/{refs.image(client, parsed_args.image)['uuid']}")


class ImageAdd(Command):
    """Add an image: a file, a URL, an OCI layout, one of Glance."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what it is and where it is."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "source",
            metavar="SOURCE",
            help="a file; https://… with --digest; oci:DIRECTORY[:TAG] for a layout on this machine; glance:ID",
        )
        parser.add_argument("--name", help="what to call it (default: as its source is called)")
        parser.add_argument("--image-version", dest="version", metavar="TEXT", help="its version, in your words")
        parser.add_argument("--digest", metavar="SHA256", help="what its bytes must have; needed for a URL")
        parser.add_argument("--kind", choices=["gbs", "xclbin", "raw"], help="what it is (default: as it says)")
        parser.add_argument("--vendor", metavar="ID", help="the PCI vendor of the cards that it is for")
        parser.add_argument("--platform", metavar="NAME", help="the board or shell that it is for")
        for what, of in (("region", "a region that it is for"), ("function", "a function that it has")):
            parser.add_argument(f"--{what}", dest=f"{what}_ids", metavar="ID", action="append", help=of)
        _add_sight(parser)
        parser.add_argument("--sign", metavar="FILE", type=Path, help="sign it with the private key in a file")
        parser.add_argument("--no-wait", action="store_true", help="do not wait for what the server fetches itself")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Announce it, send it or wait for it, and say so."""
        client, progress = client_of(self), Progress(self.app.stderr)
        source = image_source.find(parsed_args.source, digest=parsed_args.digest, progress=progress.of("reading"))
        new = {"name": source.name, **query(parsed_args, ("name", "version", *_FACTS)), **_sight(parsed_args)}
        new |= source.members
        if parsed_args.sign:
            new["signature"] = _signature(parsed_args.sign, source.digest)
        announced = client.post("/images", new)
        try:
            ready = self._completed(client, source, announced, progress, waits=not parsed_args.no_wait)
        finally:
            progress.clear()
        self.app.stdout.write(f"{name(ready)} is {'added' if ready['state'] == 'ready' else ready['state']}\n")
        return 0

    def _completed(self, client: Client, source: Source, image: Item, progress: Progress, *, waits: bool) -> Item:
        path = f"/images/{image['uuid']}"
        if source.path is not None:
            try:
                return client.upload(f"{path}/content", source.path, progress.of("sending"))
            except (CommandFailed, KeyboardInterrupt):
                client.delete(path, {})
                raise
        while waits and image["state"] == "fetching":
            app_of(self).wait(_LOOK_SECONDS)
            image = client.get(path)
        if image["state"] == "failed":
            raise WrongState(f"{name(image)} could not be fetched: {image['reason']}\nDelete it and add it again")
        return image


class ImageSet(Command):
    """Change what an image is called, and who sees it."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which image and what to change."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help=REF_HELP)
        parser.add_argument("--name", help="its new name")
        parser.add_argument("--image-version", dest="version", metavar="TEXT", help="its version, in your words")
        _add_sight(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Change it and say so."""
        changes = {**query(parsed_args, ("name", "version")), **_sight(parsed_args)}
        if not changes:
            raise WrongUse("nothing to change: accel image set --help lists what can be")
        client = client_of(self)
        after = client.patch(f"/images/{refs.image(client, parsed_args.image)['uuid']}", changes)
        self.app.stdout.write(f"{name(after)} is changed\n")
        return 0


class ImageSign(Command):
    """Sign an image with a private key on this machine."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which image and with what."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help=REF_HELP)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--key", metavar="FILE", type=Path, help="a private key of Ed25519, in PEM")
        what.add_argument("--signature", metavar="FILE", type=Path, help="a signature made elsewhere, in base64")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Sign it and say so."""
        client = client_of(self)
        image = refs.image(client, parsed_args.image)
        if parsed_args.key and not image["digest"]:
            raise WrongState(f"{name(image)} is {image['state']}: it can be signed when its bytes are known")
        if parsed_args.key:
            signature = _signature(parsed_args.key, image["digest"])
        else:
            signature = image_source.read(parsed_args.signature).decode("ascii", errors="replace").strip()
        client.patch(f"/images/{image['uuid']}", {"signature": signature})
        self.app.stdout.write(f"{name(image)} is signed\n")
        return 0


class ImageVerify(Command):
    """Check the signature and the bytes of an image here."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which image, and against what."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help=REF_HELP)
        parser.add_argument(
            "file", metavar="FILE", nargs="?", type=Path, help="a file that must be it (default: what the server has)"
        )
        parser.add_argument(
            "--key", metavar="FILE", type=Path, help="the public key that must have signed it (default: the server's)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Check both and say so."""
        client, progress = client_of(self), Progress(self.app.stderr)
        image = refs.image(client, parsed_args.image)
        if image["signature_state"] != "valid":
            raise WrongState(f"{name(image)} is not to be trusted: its signature is {image['signature_state']}")
        key = image_source.public_key(parsed_args.key) if parsed_args.key else image["public_key"]
        digest = image["digest"].removeprefix(_PREFIX)
        if not signing.is_signed_by(key, digest=digest, signature=image["signature"]):
            raise WrongState(f"{name(image)} is not signed with the key {key}")
        try:
            found = self._digest(client, image, parsed_args.file, progress)
        finally:
            progress.clear()
        if found != digest:
            raise WrongState(
                f"{parsed_args.file or 'what the server has'} is not {name(image)}: its SHA-256 is {found}"
            )
        self.app.stdout.write(f"{name(image)} is signed with {key}, and its bytes are those that were signed\n")
        return 0

    def _digest(self, client: Client, image: Item, path: Path | None, progress: Progress) -> str:
        if path is not None:
            return image_source.digest_of(path, progress.of("reading"))
        return image_source.digest_of_parts(
            client.download(f"/images/{image['uuid']}/content"), image["size_bytes"], progress.of("reading")
        )


class ImageDelete(Command):
    """Delete images that nobody uses."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which images."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", nargs="+", help=REF_HELP)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Delete them one by one and say so."""
        client = client_of(self)
        for image in [refs.image(client, text) for text in parsed_args.image]:
            client.delete(f"/images/{image['uuid']}", {})
            self.app.stdout.write(f"{name(image)} is deleted\n")
        return 0


def _add_sight(parser: argparse.ArgumentParser) -> None:
    """Add the options that say who sees an image."""
    sight = parser.add_mutually_exclusive_group()
    sight.add_argument(
        "--private", dest="visibility", action="store_const", const="private", help="its project sees it"
    )
    sight.add_argument("--public", dest="visibility", action="store_const", const="public", help="all projects see it")
    sight.add_argument("--share", metavar="PROJECT", action="append", help="this project sees it too; can be repeated")


def _sight(parsed_args: argparse.Namespace) -> dict[str, Any]:
    if parsed_args.share:
        return {"visibility": "shared", "projects": parsed_args.share}
    return {"visibility": parsed_args.visibility, "projects": []} if parsed_args.visibility else {}


def _signature(key: Path, digest: str) -> str:
    if not digest:
        raise WrongUse("--sign: the digest is not known before the server has the bytes: accel image sign afterwards")
    return signing.sign(image_source.read(key), digest.removeprefix(_PREFIX))
