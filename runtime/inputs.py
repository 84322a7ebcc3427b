"""What the engine is fed, one at a time, which is what a tape is a list of; and what it answers."""

import msgspec

from connectors.events import ExecReport, Notice
from connectors.orders import Action, AmendOrder, Approved, CancelOrder, NewOrder
from connectors.session import Reconnect, Send, WakeAt
from risk.denial import Denied
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
    """A person's word: `kill`, `reduce`, `arm`, `stop`, `set`. `who` is for the record.

    `set` gives the algo called `target` new values of its parameters (`ConfigRegion`).
    """

    name: str
    who: str = ""
    target: str = ""
    params: tuple[Param, ...] = ()


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


class GuestLine(msgspec.Struct, frozen=True, array_like=True):
    """One line a guest logged."""

    algo: int
    level: int
    text: bytes


# What counts as an output: the session's hash is taken over these, in order (`runtime/digest.py`).
Trace = list[ActionRecord | ExecReport | GuestLine | bytes]
