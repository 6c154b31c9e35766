"""What verifying finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: where (`seq` None: not at one event), and what, in one sentence."""

    stream: str
    seq: int | None
    what: str

    def __str__(self) -> str:
        where = self.stream if self.seq is None else f"{self.stream} seq {self.seq}"
        return f"{where}: {self.what}"
