"""What a venue's refusal means for the one who asked. The tables that say so, by code or by words, are the venues'."""

from enum import Enum, auto
from typing import Final, NamedTuple

from connectors.events import RejectCode


class Next(Enum):
    """What the caller does.

    DEFINITE: it was refused, that is certain. UNKNOWN: nobody knows what became of it; look. BACK_OFF: refused for
    certain, and slower from now on. RENEW: refused for certain, for the link's token or login is no good; get another.
    HALT: refused for certain, and so will everything be: nothing more is sent.
    """

    DEFINITE = auto()
    UNKNOWN = auto()
    BACK_OFF = auto()
    RENEW = auto()
    HALT = auto()


class Verdict(NamedTuple):
    """`is_listed`: the venue documents this answer, or was seen to give it. `until_ns`: of BACK_OFF, where it said."""

    next: Next
    code: RejectCode
    is_listed: bool = True
    until_ns: int = 0


UNLISTED: Final = Verdict(Next.UNKNOWN, RejectCode.UNKNOWN, is_listed=False)
