"""Run by Alembic: apply the migrations to the database of the studio."""

from alembic import context
from sqlalchemy import create_engine

from impasto.serving.tables import Base

engine = create_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
