"""Jobs, files and inputs."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("lane", sa.String, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("light", sa.Boolean, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("wish", sa.String),
        sa.Column("wished", sa.Double),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("done_before", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("started", sa.Double),
        sa.Column("finished", sa.Double),
        sa.Column("changed", sa.Double, nullable=False),
        sa.Column("error", sa.String),
        sa.Column("outcome", sa.JSON),
        sa.Column("claim", sa.String),
        sa.Column("claimed", sa.Double),
        sa.Column("worker", sa.String),
        sa.Column("lease", sa.Double),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("waiting", "jobs", ["lane", "state", "priority", "created"])
    op.create_index("changes", "jobs", ["changed"])
    op.create_table(
        "files",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("media", sa.String, nullable=False),
        sa.Column("suffix", sa.String, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("job", sa.String, sa.ForeignKey("jobs.id", ondelete="CASCADE")),
        sa.Column("source", sa.String),
        sa.Column("settings", sa.JSON),
        sa.Column("favourite", sa.Boolean, nullable=False),
        sa.Column("shown", sa.Boolean, nullable=False),
        sa.Column("thumbnail", sa.Boolean, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_index("gallery", "files", ["kind", "shown", "created"])
    op.create_index("of_job", "files", ["job"])
    op.create_table(
        "inputs",
        sa.Column("job", sa.String, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("file", sa.String, sa.ForeignKey("files.id"), primary_key=True),
    )
    op.create_index("ix_inputs_file", "inputs", ["file"])


def downgrade() -> None:
    for table in ("inputs", "files", "jobs"):
        op.drop_table(table)
