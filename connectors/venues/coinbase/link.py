"""The private socket: the user channel and heartbeats, and whether what it says is whole.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels#user-channel

Without `product_ids` the user channel tells of every product. It begins with all open orders, fifty a message; the
first message with fewer is the last. Whether that holds for exactly fifty the documentation does not say, nor whether
anything comes for none: after five seconds what came counts as all. That snapshot is no proof of anything, a look is.

Messages are numbered as on the public socket. A lost one cannot be had again: the next state of its order says all, and
of an order that has none any more a look does; one is asked for. Heartbeats are due every second: four without a frame
that moves the numbering on are the link's end.
"""

from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.session import PRIVATE, Output, Reconnect, Send
from connectors.venues.coinbase import private, wire
from connectors.venues.coinbase.numbering import OLD, Numbering

SECOND: Final = 10**9
SILENCE_MAX_NS: Final = 4 * SECOND
ANSWER_NS: Final = 5 * SECOND
PAGE: Final = 50
_SUBSCRIBE: Final = b'{"type":"subscribe","channel":"%s","jwt":"{jwt%s}"}'
_SNAPSHOTS: Final = frozenset({"snapshot", "patch"})  # a snapshot that goes on is called a patch in its description
_OTHERS: Final = frozenset({"heartbeats", "subscriptions"})
UNREADABLE: Final = (msgspec.MsgspecError, WireError, ValueError, RecursionError)


class Heard(msgspec.Struct):
    """`orders`: (those of a snapshot or not, as they came), `timestamp` the message's. `problem`: what nobody can read,
    or what is missing."""

    out: list[Output] = []
    orders: list[tuple[bool, msgspec.Raw]] = []
    timestamp: str = ""
    problem: str = ""


class PrivateLink:
    """`is_open`: the socket is up."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._numbering = Numbering(per_product=False)
        self.is_open = False
        self._is_listed = False
        self._is_whole = False  # the snapshot came to its end
        self._due_ns = 0  # of the acknowledgement, then of the snapshot
        self._proof_ns = 0

    def open(self, now_ns: int, ahead_ms: int) -> list[Output]:
        """`ahead_ms`: of the venue's clock, for the tokens."""
        self.is_open = True
        self._is_listed = self._is_whole = False
        self._due_ns, self._proof_ns = now_ns + ANSWER_NS, now_ns
        self._numbering.restart()
        ahead = b":%+d" % ahead_ms if ahead_ms else b""
        return [Send(PRIVATE, _SUBSCRIBE % (channel, ahead)) for channel in (b"heartbeats", b"user")]

    def close(self) -> None:
        self.is_open = False

    def why(self, now_ns: int) -> str:
        """Why orders cannot be followed; ""."""
        if not self.is_open:
            return "the private link is down"
        if not self._is_listed:
            return "the user channel is not subscribed yet"
        if not self._is_whole:
            return "the open orders were not told yet"
        silent_ns = now_ns - self._proof_ns
        return f"the private link is silent for {silent_ns / SECOND:.1f} s" if silent_ns > SILENCE_MAX_NS else ""

    def tick(self, now_ns: int) -> list[Output]:
        if not self.is_open:
            return []
        if now_ns - self._proof_ns > SILENCE_MAX_NS:
            return self._again(f"no heartbeat for {(now_ns - self._proof_ns) / SECOND:.1f} s")
        if not self._is_whole and now_ns >= self._due_ns:
            if not self._is_listed:
                return self._again("no acknowledgement of the user channel")
            self._is_whole = True
        return []

    def _again(self, why: str) -> list[Output]:
        self.is_open = False
        return [Reconnect(PRIVATE, why)]

    def heard(self, frame: bytes, now_ns: int) -> Heard:
        """One frame."""
        heard = Heard()
        try:
            envelope = wire.decode_envelope(frame)
            if not envelope.channel and envelope.type != "error":
                raise WireError("neither a channel nor an error")
        except UNREADABLE as error:
            heard.problem = f"unexplained frame {frame[:120]!r}: {error}"
            return heard
        if not envelope.channel:
            return self._error(envelope.message, heard)
        if envelope.sequence_num >= 0:
            missing = self._numbering.missing(envelope.sequence_num, envelope.channel, "")
            if missing == OLD:
                return heard
            if missing:
                heard.problem = f"message {envelope.sequence_num} came, {missing} before it did not"
        self._proof_ns = now_ns
        try:
            self._read(envelope, heard, now_ns)
        except UNREADABLE as error:
            heard.problem = heard.problem or f"{envelope.channel} message that cannot be read: {error}"
        return heard

    def _error(self, message: str, heard: Heard) -> Heard:
        heard.out.append(Notice("error", f"coinbase says: {message:.200}"))
        if not self._is_listed:
            heard.out += self._again(f"coinbase says: {message:.200}")
        return heard

    def _read(self, envelope: wire.Envelope, heard: Heard, now_ns: int) -> None:
        """Raises UNREADABLE."""
        if envelope.channel == "subscriptions":
            told = wire.decode_subscriptions(envelope.events)
            is_listed = any("user" in event.subscriptions for event in told)
            if is_listed and not self._is_listed:
                self._due_ns = now_ns + ANSWER_NS
            elif self._is_listed and not is_listed:
                heard.out += self._again("the user channel is not subscribed any more")
            self._is_listed = is_listed
        elif envelope.channel == "user":
            heard.timestamp = envelope.timestamp
            for event in private.decode_user_events(envelope.events):
                is_snapshot = event.type in _SNAPSHOTS
                heard.orders += [(is_snapshot, raw) for raw in event.orders]
                if is_snapshot and len(event.orders) < PAGE:
                    self._is_whole = True
        elif envelope.channel not in _OTHERS:
            text = f"coinbase: data of channel {envelope.channel:.40} on the private link, not read here"
            heard.out.append(Notice("warning", text))
