"""When a batch was last retried: from which revision, and with which round it began afresh."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAMES = ("retried", "first_round")


def upgrade() -> None:
    """Add the columns; consumers of the version before do not know them and go on."""
    for name in NAMES:
        op.add_column("batches", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take the columns away again."""
    for name in NAMES:
        op.drop_column("batches", name)
