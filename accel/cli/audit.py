"""``accel audit …``: what does not add up between attach handles, who holds them, and requests; and in Placement."""

import argparse
from collections.abc import Iterable
from typing import ClassVar

from accel.cli.base import ListCommand, client_of
from accel.cli.client import Item
from accel.cli.columns import Column, member, short_uuid
from accel.cli.errors import FindingsRemain
from accel.cli.human import plural


class _Audit(ListCommand):
    """Look for what does not add up, and mend it."""

    what: ClassVar[str]
    """The last word of the command, and of the path."""
    noun = "finding"
    columns: ClassVar[tuple[Column, ...]] = (
        member("kind"),
        short_uuid("subject"),
        member("node"),
        member("project_id"),
        member("mended"),
        member("mend"),
        member("text"),
    )
    shown = ("kind", "subject", "node", "mended", "text")
    shown_long = ("kind", "subject", "node", "project_id", "mended", "mend", "text")

    _left: tuple[Item, ...] = ()
    """What is so still."""

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add whether to mend."""
        parser.add_argument("--fix", action="store_true", help="mend what can be mended (default: only look)")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Look, or look and mend."""
        client = client_of(self)
        path = f"/audit/{self.what}"
        audit = client.post(path) if parsed_args.fix else client.get(path)
        for text in audit["left_out"]:
            self.tell(f"not looked for: {text}")
        self._left = tuple(finding for finding in audit["findings"] if not finding["mended"])
        return list(audit["findings"])[:limit]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """List what is found.

        :raises FindingsRemain: some of it is so still
        """
        code = super().run(parsed_args)
        if self._left:
            raise FindingsRemain(_remaining(self.what, self._left, has_tried=parsed_args.fix))
        return code


class AuditAllocations(_Audit):
    """Look for what does not add up among handles; mend it."""

    what = "allocations"


class AuditPlacement(_Audit):
    """Compare OpenStack Placement with the inventory; mend it."""

    what = "placement"


def _remaining(what: str, findings: Iterable[Item], *, has_tried: bool) -> str:
    found = list(findings)
    can_be_mended = sum(finding["mend"] is not None for finding in found)
    said = f"{plural(len(found), 'finding')} {'left' if has_tried else 'in all'}"
    return said if has_tried or not can_be_mended else f"{said}; accel audit {what} --fix mends {can_be_mended}"
