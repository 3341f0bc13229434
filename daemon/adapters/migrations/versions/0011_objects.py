"""Which files name an object: found by its key, not by a look at all of them."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an index; consumers of the version before do not know it and go on.

    Plans wait while it is made. PostgreSQL keeps digests of the keys alone: 60 bytes a file instead of 136
    (20,000 keys of 80 bytes).
    """
    op.create_index("ix_files_s3_key", "files", ["s3_key"], postgresql_using="hash")


def downgrade() -> None:
    """Take it away again."""
    op.drop_index("ix_files_s3_key", "files")
