"""What the engine is fed, one at a time, which is what a tape is a list of; and what it answers."""

import msgspec

from connectors.events import ExecReport, Notice
from connectors.orders import Action, AmendOrder, Approved, CancelOrder, NewOrder
from connectors.session import Reconnect, Send, WakeAt
from risk.denial import Denied
from risk.happenings import Happening
from risk.limits import LimitTree
from risk.override import Grant
from runtime.regions import Param


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame of a venue's link, byte for byte."""

    venue: str
    link: str
    raw: bytes


class LinkUp(msgspec.Struct, frozen=True):
    """A link is open: nothing was said on it yet."""

    venue: str
    link: str


class LinkDown(msgspec.Struct, frozen=True):
    """A link is gone, for the reason the socket gave."""

    venue: str
    link: str
    reason: str = ""


class Timer(msgspec.Struct, frozen=True):
    """Time passed; every session ticks."""


class Command(msgspec.Struct, frozen=True):
    """A person's word: `kill`, `reduce`, `arm`, `drain`, `stop`, `set`, `limits`, `override`, `promote`; or a door's.

    `who` is for the record. `drain` cancels everything and lets nothing but reducing orders pass, `stop` is the end.
    `kill`, `reduce` and `arm` are of the scope `target` (`risk/states.py`), "" being all.
    `set` gives the algo called `target` new values of its parameters (`ConfigRegion`). `limits` puts `limits` in the
    place of those in force, `override` adds `grant`, `promote` makes the module with the digest `target` no canary.
    From the doors: `unsent`, bytes were stopped by `who` before they left (`target` is `new:` or `amend:` and the
    order); `breach`, bytes that were about to leave differ from what was approved, in the way that `target` says.
    """

    name: str
    who: str = ""
    target: str = ""
    params: tuple[Param, ...] = ()
    limits: LimitTree | None = None
    grant: Grant | None = None


Input = Frame | LinkUp | LinkDown | Timer | Command


class VenueOutput(msgspec.Struct, frozen=True):
    """An output of a venue's session, with the venue it is for."""

    venue: str
    output: Send | Reconnect


Output = VenueOutput | WakeAt | Notice


Verdict = Approved[NewOrder] | Approved[CancelOrder] | Approved[AmendOrder] | Denied


class ActionRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One action and its verdict: `approval` is its number, or 0 and `denied` says why.

    `by`: "algo", "intent" for a later order of an intent, or "gateway" for a cancel of ours on its behalf.
    `client_order_id` is the order's, empty if denied. A cancel that ended a waiting intent has neither.
    """

    n: int
    algo: int
    by: str
    action: Action
    approval: int
    client_order_id: str
    denied: Denied | None


class BookSeen(msgspec.Struct, frozen=True, tag=True):
    """The book a denied action was judged by: action `n`'s market, its top five levels a side.

    `reducing_1e8`: up to which quantity it would only have reduced the account's position (an amend: up to which
    total).
    """

    n: int
    market: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    valid: bool
    reducing_1e8: int = 0


# What a turn did that no output shows: for journal and people, not in the session's hash.
Aside = BookSeen | Happening


class GuestLine(msgspec.Struct, frozen=True, array_like=True):
    """One line a guest logged."""

    algo: int
    level: int
    text: bytes


# What counts as an output: the session's hash is taken over these, in order (`runtime/digest.py`).
Trace = list[ActionRecord | ExecReport | GuestLine | bytes]
