"""Run by Alembic: apply the migrations to the database of the studio, all of them or none."""

from alembic import context

from impasto.serving.database import connect
from impasto.serving.tables import Base

#: Key of the lock that servers which share a PostgreSQL take in turn.
LOCK = 0x1397A570

engine = connect(context.config.attributes["url"], foreign_keys=False)  # a table that is rewritten is dropped first
try:
    with engine.connect() as connection:
        context.configure(connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True)
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            context.run_migrations()
finally:
    engine.dispose()
