"""The audit: who did what, held by triggers to be added to and nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WORDS = "the audit is only added to"
SQLITE = [
    f"""CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit
    BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"""
    for verb in ("UPDATE", "DELETE")
]
SQLITE.append(
    f"CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS "  # noqa: S608 - nothing from outside
    f"(SELECT 1 FROM audit WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"
)
POSTGRES = [
    f"""CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{WORDS}' USING ERRCODE = 'restrict_violation'; END $$""",
    """CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
]


def upgrade() -> None:
    """Create the table and what holds it; consumers of the version before do not know it and go on."""
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("actor", "verb", "phase", "target")),
        sa.Column("batch_id", sa.Text),
        sa.Column("requested_by", sa.Text),
        sa.Column("objects", sa.BigInteger),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("cost_usd", sa.Numeric(38, 12).with_variant(sa.BigInteger(), "sqlite")),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_batch_id", "audit", ["batch_id"])
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRES:
        op.execute(statement)


def downgrade() -> None:
    """Take it away again."""
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_refuse")
