"""The share of the photo in progress that is done."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("part", sa.Double, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("jobs", "part")
