"""The attributes of a deployable as one text in its row: lists need not read the attributes themselves.

Revision: 0007, follows 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Add the column. The deployables that there are get their texts from the first conductor that starts."""
    op.add_column("deployables", sa.Column("attributes_text", LONG_TEXT, nullable=True))
