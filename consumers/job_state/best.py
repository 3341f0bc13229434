"""Which of several lines of one record counts: the best, of equals the first."""

from collections import defaultdict
from enum import IntEnum

from consumers.core.rows import JudgedRecord, SentAs
from schemas.outcomes import Outcome


class Rank(IntEnum):
    """How much the best line of a record is worth."""

    NONE = 0
    BAD = 1
    CUT = 2
    WHOLE = 3


class Best:
    """The rank of each record's best line, by type of analysis and position of its file."""

    def __init__(self) -> None:
        self._ranks: defaultdict[str, bytearray] = defaultdict(bytearray)

    def rank(self, record: SentAs) -> Rank:
        """Return how good the lines met so far were."""
        ranks = self._ranks[record.analysis_type]
        return _RANKS[ranks[record.position]] if record.position < len(ranks) else Rank.NONE

    def rise(self, record: SentAs, before: Rank, rank: Rank) -> bool:
        """Note a line's rank; tells whether it is better than what was there before."""
        if rank <= before:
            return False
        ranks = self._ranks[record.analysis_type]
        if record.position >= len(ranks):
            ranks.extend(bytes(record.position + 1 - len(ranks)))
        ranks[record.position] = rank
        return True


_RANKS = tuple(Rank)


def rank_of(judged: JudgedRecord) -> Rank:
    """Rank a whole answer before the kept part of a cut one, and that before everything else."""
    if judged.outcome is Outcome.SUCCEEDED:
        return Rank.WHOLE
    return Rank.CUT if judged.outcome is Outcome.TRUNCATED and judged.repaired else Rank.BAD
