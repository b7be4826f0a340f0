"""The body of an audit."""

from typing import Any

from accel.model.audit import MENDS, Audit, Finding


def render(audit: Audit) -> dict[str, Any]:
    """What does not add up, and what was not looked for."""
    return {"findings": [_finding(finding) for finding in audit.findings], "left_out": list(audit.left_out)}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "subject": finding.subject,
        "node": finding.node,
        "project_id": finding.project_id,
        "text": finding.text,
        "mend": MENDS[finding.kind],
        "mended": finding.is_mended,
    }
