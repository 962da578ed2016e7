"""The answer to the use of a refresh token is kept for a moment; addresses whose domains only look the same are two."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The key's domain had its case folded, by which different domains became one. Addresses are stored in their one form.
DOMAINS = """
UPDATE users
SET email_key = left(email_key, -strpos(reverse(email_key), '@')) || '@' || lower(right(email, strpos(reverse(email), '@') - 1))
WHERE email ~ '[^[:ascii:]]'
"""


def upgrade() -> None:
    op.add_column("refresh_tokens", sa.Column("reply", sa.LargeBinary(), nullable=True))
    op.execute(DOMAINS)


def downgrade() -> None:
    op.drop_column("refresh_tokens", "reply")
