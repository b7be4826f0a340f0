"""An index that has the attributes of a deployable in the order of their making: lists need not sort them.

Revision: 0006, follows 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_attributes_deployable_id", "attributes", ["deployable_id"])
