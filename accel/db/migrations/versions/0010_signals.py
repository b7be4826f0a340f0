"""The signals of a device's health as one text in its row.

Revision: 0010, follows 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Add the column. Devices get their signals with the next report that has any."""
    op.add_column("devices", sa.Column("signals_text", LONG_TEXT, nullable=True))
