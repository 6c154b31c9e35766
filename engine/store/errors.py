"""What can go wrong in the store.

    StoreError              an EngineError; its message is one sentence for a person, and never holds a password
      StoreUnavailable      the database cannot be reached or does not answer; trying again later is right
        OutcomeUnknown      ... and it is not known whether the append is durable: load the stream to see
      SchemaMismatch        the database was made by a newer release, or migrations must run first
      Erased                the run's data was erased with its person's; nothing can read it again
      StillOpen             somebody's data cannot be erased while a run of theirs is open
      WrongMasterKey        something is sealed under a master key that was not given
      NoSealer              there is no master key to keep a secret by
      SealBroken            a sealed text is not as it was sealed: `vb verify` shows more

The one rule: no error of SQLAlchemy or of a driver leaves engine.store.
"""

from collections.abc import Sequence

from engine.core.errors import EngineError


class StoreError(EngineError):
    """The message is one clear sentence that says what was wrong and what to do."""


class StoreUnavailable(StoreError):
    """The database cannot be reached, or did not answer in time. No append was written; any call may be repeated."""


class OutcomeUnknown(StoreUnavailable):
    """The connection was lost while an append was committed, and stayed away: load the stream to know more."""


class SchemaMismatch(StoreError):
    """The tables are not those of this release: newer, or older and not to be migrated by this call."""


class Erased(StoreError):
    def __init__(self, stream: str) -> None:
        self.stream = stream
        super().__init__(
            f"The data of {stream} was erased for good, as somebody had asked; that it ran is all that is left"
        )


class StillOpen(StoreError):
    def __init__(self, subject: str, runs: Sequence[str]) -> None:
        self.subject = subject
        self.runs = tuple(runs)
        super().__init__(f"Runs of {subject} are still open, such as {', '.join(runs[:3])}: cancel them, then erase")


class WrongMasterKey(StoreError):
    """`master` is the fingerprint of the key that is missing."""

    def __init__(self, master: str) -> None:
        self.master = master
        super().__init__(
            f"runs in the database are sealed under the master key with the fingerprint {master}, which was not given: "
            "set it as the master key, or as an older one"
        )


class NoSealer(StoreError):
    def __init__(self) -> None:
        super().__init__(
            "there is no master key to keep secrets by: vb keys new makes one, and VB_MASTER_KEY_FILE names it"
        )


class SealBroken(StoreError):
    def __init__(self, what: str) -> None:
        super().__init__(
            f"what is sealed as {what} was changed, or belongs elsewhere: verify the log, and see a backup"
        )
