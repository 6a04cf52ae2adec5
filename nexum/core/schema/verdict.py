"""The answer of a comparison of two schemas."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Answer(Enum):
    """Whether a reader accepts everything that is written. Undecided is treated as no, and named."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


class Verdict(NamedTuple):
    """An answer; for NO and UNDECIDED the path of the place (`$.claim.items[*]`) and the reason, a sentence part."""

    answer: Answer
    path: str = ""
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """True only for YES."""
        return self.answer is Answer.YES

    def __str__(self) -> str:
        return self.answer.value if self.accepted else f"{self.answer.value}: {self.path}: {self.reason}"


YES = Verdict(Answer.YES)


def no(path: str, reason: str) -> Verdict:
    """The reader refuses something that may be written."""
    return Verdict(Answer.NO, path, reason)


def undecided(path: str, reason: str) -> Verdict:
    """It cannot be told by this much looking."""
    return Verdict(Answer.UNDECIDED, path, reason)
