"""What is forgotten, and what is removed by its age."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
TEXTS, TIMES = ("request_sha256", "summary"), ("results_removed_at", "rows_removed_at")


def upgrade() -> None:
    """Add columns and a table; consumers of the version before do not know them and go on."""
    for name in TEXTS:
        op.add_column("batches", sa.Column(name, sa.Text))
    for name in TIMES:
        op.add_column("batches", sa.Column(name, TIME))
    op.add_column("files", sa.Column("forgotten", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "forgettings",
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("file_id", "echo", "bucket", "s3_key")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("safe_names", "chunk_ids")),
        sa.Column("begun_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "position", name="pk_forgettings"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name="fk_forgettings_batch_id"),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("forgettings")
    op.drop_column("files", "forgotten")
    for name in (*TEXTS, *TIMES):
        op.drop_column("batches", name)
