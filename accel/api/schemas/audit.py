"""Schemas of audits."""

from accel.api.schemas.common import BOOLEAN, TEXT, TEXT_OR_NULL, UUID, list_of, members
from accel.model.audit import FindingKind

AUDIT = members(
    {
        "findings": list_of(
            members(
                {
                    "kind": {"enum": [str(kind) for kind in FindingKind]},
                    "subject": {
                        **UUID,
                        "description": "Of the request, holding, provider, consumer or node that it is about.",
                    },
                    "node": TEXT_OR_NULL,
                    "project_id": TEXT_OR_NULL,
                    "text": {**TEXT, "description": "What is the matter."},
                    "mend": {**TEXT_OR_NULL, "description": "What mending does; null: nothing, a person decides."},
                    "mended": {**BOOLEAN, "description": "Whether it is so no more."},
                }
            )
        ),
        "left_out": {**list_of(TEXT), "description": "What was not looked for, and why."},
    }
)
