"""Alembic's entry: run the scripts on the connection, and in the transaction, that `engine.store.migrate` gives.

The one rule: there is no other way in; the URL, the locks and the commit are the caller's.
"""

from alembic import context

from engine.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
