"""What the part of a chunk came to: its lines, its bytes and their digest."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; where they stay empty the part itself is read."""
    op.add_column("chunks", sa.Column("part_lines", sa.Integer))
    op.add_column("chunks", sa.Column("part_bytes", sa.BigInteger))
    op.add_column("chunks", sa.Column("part_sha256", sa.Text))


def downgrade() -> None:
    """Take the columns away again."""
    op.drop_column("chunks", "part_sha256")
    op.drop_column("chunks", "part_bytes")
    op.drop_column("chunks", "part_lines")
