"""What can go wrong in the store.

    StoreError              an EngineError; its message is one sentence for a person, and never holds a password
      StoreUnavailable      the database cannot be reached or does not answer; trying again later is right
        OutcomeUnknown      ... and it is not known whether the append is durable: load the stream to see
      SchemaMismatch        the database was made by a newer release, or migrations must run first

The one rule: no error of SQLAlchemy or of a driver leaves engine.store.
"""

from engine.core.errors import EngineError


class StoreError(EngineError):
    """The message is one clear sentence that says what was wrong and what to do."""


class StoreUnavailable(StoreError):
    """The database cannot be reached, or did not answer in time. No append was written; any call may be repeated."""


class OutcomeUnknown(StoreUnavailable):
    """The connection was lost while an append was committed, and stayed away: load the stream to know more."""


class SchemaMismatch(StoreError):
    """The tables are not those of this release: newer, or older and not to be migrated by this call."""
