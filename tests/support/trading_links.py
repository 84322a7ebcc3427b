"""The links of `TradingWorld` in virtual time: what `net.py` and `rest.py` do with sockets, with delays that are drawn.

A socket keeps its order both ways, unless a test makes it shuffle. A cut loses what is on its way to the gateway; what
is on its way to the venue arrives or not, as the test says. REST is the real door's own code for signing, for taking
secrets out and for cancels that go first; only the exchange itself is played here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final, Protocol

from connectors.session import Trading
from runtime.dialling import BACKOFF_FIRST_S, BACKOFF_MAX_S, STEADY_S
from runtime.fetching import ANSWER_S
from runtime.inputs import Frame, Input, LinkDown, LinkUp
from runtime.rest import RestDoor, _Request
from runtime.sim.frames import Close
from runtime.sim.kraken import Answer, Connection, KrakenVenue
from runtime.vault import Vault

MS: Final = 10**6
SECOND: Final = 10**9
NAME: Final = "kraken"
NO_NETWORK: Final = b"never left: cannot reach https://api.kraken.com (ConnectError: no route to host)"


class Hands(Protocol):
    """What links need of their world."""

    now_ns: int
    venue: KrakenVenue
    dice: Random
    is_down: bool

    def later(self, delay_ns: int, what: Callable[[], None]) -> None: ...
    def feed(self, given: Input) -> None: ...
    def latency_ns(self) -> int: ...
    def tell(self, text: str, level: str = "info") -> None: ...
    def note(self, *what: Any) -> None: ...


class Wire:
    """One WebSocket. `shuffle`: how often (0 … 1) a frame overtakes those before it. `dials`: how often it dialled."""

    def __init__(self, hands: Hands, link: str, vault: Vault | None) -> None:
        self.link = link
        self.shuffle = 0.0
        self.dials: list[int] = []
        self.connection: Connection | None = None
        self.is_up = False
        self._hands = hands
        self._vault = vault
        self._life = 0  # of the connection: what belongs to an earlier one arrives nowhere
        self._last_in = self._last_out = 0
        self._attempts = 0
        self._up_ns = 0
        self._is_ended = False

    # --- dialling ---------------------------------------------------------------------------------------------------

    def dial(self, delay_ns: int = 0) -> None:
        """Again and again, with back-off, until it is up."""
        life = self._life
        self._hands.later(delay_ns, lambda: self._dial() if life == self._life and not self._is_ended else None)

    def _dial(self) -> None:
        hands = self._hands
        self.dials.append(hands.now_ns)
        if hands.is_down or hands.venue.refusal(hands.now_ns) is not None:
            self.dial(self._back_off_ns())
            return
        self.connection = hands.venue.connect(hands.now_ns, is_private=self._vault is not None)
        self.is_up, self._up_ns = True, hands.now_ns
        self._last_in = self._last_out = hands.now_ns
        hands.feed(LinkUp(NAME, self.link))

    def _back_off_ns(self) -> int:
        seconds = min(BACKOFF_FIRST_S * 2.0 ** min(self._attempts, 10), BACKOFF_MAX_S)
        self._attempts += 1
        return int(seconds * SECOND)

    def cut(self, why: str = "cut", *, lands: bool = True, again: bool = True) -> None:
        """The socket is gone. `lands`: what was on its way to the venue gets there all the same."""
        if not self.is_up:
            return
        hands, connection = self._hands, self.connection
        self._life += 1
        self.is_up, self.connection = False, None
        if connection is not None:
            hands.later(hands.latency_ns() * 3 if lands else 0, lambda: connection.close(hands.now_ns))
        if hands.now_ns - self._up_ns >= STEADY_S * SECOND:
            self._attempts = 0
        if again:
            self.dial(self._back_off_ns())
        hands.feed(LinkDown(NAME, self.link, why))

    def end(self) -> None:
        """The gateway is gone: nobody dials, nobody hears."""
        self._is_ended = True
        self.cut("the gateway ended", again=False)

    # --- bytes ------------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> bool:
        """As `VenueLink.send`: False for what is certainly not sent."""
        hands, connection = self._hands, self.connection
        filled = data if self._vault is None else self._vault.fill(data)
        if filled is None or connection is None:
            hands.tell(f"{self.link}: not sent: {data[:60]!r}", "warning")
            return False
        text = filled
        self._last_out = at_ns = max(self._last_out, hands.now_ns + hands.latency_ns())
        hands.later(at_ns - hands.now_ns, lambda: connection.receive(text, hands.now_ns))
        return True

    def collect(self) -> None:
        """What the venue has to say sets out for the gateway."""
        if self.connection is None:
            return
        hands = self._hands
        for frame in self.connection.take():
            at_ns = hands.now_ns + hands.latency_ns()
            if not (self.shuffle and hands.dice.random() < self.shuffle):
                self._last_in = at_ns = max(at_ns, self._last_in)
            hands.later(at_ns - hands.now_ns, partial(self._heard, frame, self._life))

    def _heard(self, frame: str | bytes | Close, life: int) -> None:
        if life != self._life:
            return
        if isinstance(frame, Close):
            self.cut(frame.reason)
        elif isinstance(frame, str):
            raw = frame.encode()
            self._hands.note("in", self.link, raw)
            self._hands.feed(Frame(NAME, self.link, raw if self._vault is None else self._vault.hide(raw)))


class VirtualRest(RestDoor):
    """The real door, but for the exchange. `requests`: (time, path) of what set out; `is_broken`: no network there."""

    def __init__(self, hands: Hands, trading: Trading, vault: Vault) -> None:
        super().__init__(NAME, trading, trading.rest_url, vault, hands.feed, hands.tell)
        self.requests: list[tuple[int, str]] = []
        self.is_broken = False
        self._hands = hands
        self._is_busy = self._is_ended = False

    def send(self, data: bytes) -> bool:
        request = _Request(data)
        assert not request.problem, request.problem
        assert not request.is_public, "no question of ours is public"
        self._private.put(request)
        self._next()
        return True

    def end(self) -> None:
        self._is_ended = True

    def _next(self) -> None:
        lane = self._private
        if self._is_busy or not (lane.cancels or lane.waiting):
            return
        self._is_busy = True
        self._ask_now(lane.cancels.popleft() if lane.cancels else lane.waiting.popleft())

    def _ask_now(self, request: Any) -> None:
        hands = self._hands
        if self.is_broken or hands.is_down:
            hands.later(hands.latency_ns(), lambda: self._came(request, 0, NO_NETWORK))
            return
        method, url, headers, body = self._prepare(request)
        self.requests.append((hands.now_ns, request.path))
        lower = {name.lower(): value for name, value in headers.items()}

        def arrive() -> None:
            answer = hands.venue.rest(method, url.removeprefix(self._base_url), lower, body or b"", hands.now_ns)
            self._answered(request, answer)

        hands.later(hands.latency_ns(), arrive)

    def _answered(self, request: Any, answer: Answer) -> None:
        hands = self._hands
        delay_ns = hands.latency_ns() + answer.delay_ns
        if answer.is_lost or hands.is_down or self.is_broken:
            hands.later(delay_ns, lambda: self._came(request, 0, b"no answer: RemoteProtocolError: cut"))
        elif delay_ns > ANSWER_S * SECOND:
            gone_ns = int(ANSWER_S * SECOND)
            hands.later(gone_ns, lambda: self._came(request, 0, b"no answer: none within 15 s"))
        else:
            hands.later(delay_ns, lambda: self._came(request, answer.status, answer.body))

    def _came(self, request: Any, status: int, body: bytes) -> None:
        self._is_busy = False
        if self._is_ended:
            return
        self._hands.note("rest", request.path, status, body)
        self._answer(request, status, body)
        self._next()
