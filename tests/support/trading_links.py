"""The links of `TradingWorld` in virtual time: what `net.py` and `rest.py` do with sockets, with delays that are drawn.

A socket keeps its order both ways, unless a test makes it shuffle. A cut loses what is on its way to the gateway; what
is on its way to the venue arrives or not, as the test says. REST is the real door's own code for signing, for taking
secrets out and for cancels that go first; only the exchange itself is played here. Calls without a key are all played.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any, Final, Protocol

from connectors.session import CALLS, Trading
from runtime.dialling import BACKOFF_FIRST_S, BACKOFF_MAX_S, STEADY_S
from runtime.fetching import ANSWER_S
from runtime.inputs import Frame, Input, LinkDown, LinkUp
from runtime.rest import RestDoor, _Request
from runtime.sim.exchange.answer import Answer
from runtime.sim.frames import Close, Ping
from runtime.vault import Vault

MS: Final = 10**6
SECOND: Final = 10**9
NO_NETWORK: Final = b"never left: cannot reach %s (ConnectError: no route to host)"


class Hands(Protocol):
    """What links need of their world."""

    name: str
    now_ns: int
    venue: Any
    dice: Random
    is_down: bool

    def later(self, delay_ns: int, what: Callable[[], None]) -> None: ...
    def feed(self, given: Input) -> None: ...
    def latency_ns(self) -> int: ...
    def tell(self, text: str, level: str = "info") -> None: ...
    def note(self, *what: Any) -> None: ...


Seal = Callable[[bytes, Mapping[str, str], int], bytes]


class Wire:
    """One WebSocket. `shuffle`: how often (0 … 1) a frame overtakes those before it. `dials`: how often it dialled."""

    def __init__(self, hands: Hands, link: str, vault: Vault | None, seal: Seal | None = None) -> None:
        self.link = link
        self._seal = seal
        self.shuffle = 0.0
        self.dials: list[int] = []
        self.connection: Any = None
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
        if hands.is_down or hands.venue.refusal(hands.now_ns, self._path) is not None:
            self.dial(self._back_off_ns())
            return
        self.connection = hands.venue.connect(hands.now_ns, self._path)
        self.is_up, self._up_ns = True, hands.now_ns
        self._last_in = self._last_out = hands.now_ns
        hands.feed(LinkUp(hands.name, self.link))

    @property
    def _path(self) -> str:
        return str(self._hands.venue.links[self.link])

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
        hands.feed(LinkDown(hands.name, self.link, why))

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
        if self._seal is not None and self._vault is not None:
            secrets = self._vault.signing()
            assert secrets is not None
            filled = self._seal(filled, secrets, hands.now_ns)
        text = filled.decode()
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
            if isinstance(frame, Ping):  # the library answers those by itself
                hands.later(at_ns - hands.now_ns, partial(self._pong, self.connection, frame.payload))
                continue
            if not (self.shuffle and hands.dice.random() < self.shuffle):
                self._last_in = at_ns = max(at_ns, self._last_in)
            hands.later(at_ns - hands.now_ns, partial(self._heard, frame, self._life))

    def _pong(self, connection: Any, payload: bytes) -> None:
        if connection is self.connection:
            connection.pong(payload, self._hands.now_ns)

    def _heard(self, frame: str | bytes | Close, life: int) -> None:
        if life != self._life:
            return
        if isinstance(frame, Close):
            self.cut(frame.reason)
        elif isinstance(frame, str):
            raw = frame.encode()
            self._hands.note("in", self.link, raw)
            self._hands.feed(Frame(self._hands.name, self.link, raw if self._vault is None else self._vault.hide(raw)))


class VirtualRest(RestDoor):
    """The real door, but for the exchange. `requests`: (time, path) of what set out; `is_broken`: no network there."""

    def __init__(self, hands: Hands, trading: Trading, vault: Vault) -> None:
        super().__init__(
            hands.name, trading, trading.rest_url, vault, hands.feed, hands.tell, clock_ns=lambda: hands.now_ns
        )
        self.requests: list[tuple[int, str]] = []
        self.is_broken = False
        self._hands = hands
        self._at_once = trading.rest_at_once
        self._busy = self._asking = 0  # under way, and those of them that are no cancels
        self._is_ended = False

    def send(self, data: bytes) -> bool:
        request = _Request(data)
        assert not request.problem, request.problem
        self._lane.put(request)
        self._next()
        return True

    def end(self) -> None:
        self._is_ended = True

    def _next(self) -> None:
        lane = self._lane
        while self._busy < self._at_once:
            if lane.cancels:
                self._ask_now(lane.cancels.popleft())
            elif lane.waiting and self._asking < max(self._at_once - 1, 1):
                self._asking += 1
                self._ask_now(lane.waiting.popleft())
            else:
                return

    def _ask_now(self, request: Any) -> None:
        hands = self._hands
        self._busy += 1
        if self.is_broken or hands.is_down:
            hands.later(hands.latency_ns(), lambda: self._came(request, 0, NO_NETWORK % self._base_url.encode()))
            return
        method, url, headers, body = self._prepare(request)
        self.requests.append((hands.now_ns, request.path))
        lower = {name.lower(): value for name, value in headers.items()}

        def arrive() -> None:
            answer = hands.venue.rest(method, url.removeprefix(self._base_url), lower, body or b"", hands.now_ns)
            answered(hands, answer, partial(self._came, request), is_broken=self.is_broken)

        hands.later(hands.latency_ns(), arrive)

    def _came(self, request: Any, status: int, body: bytes) -> None:
        self._busy -= 1
        self._asking -= not request.is_cancel
        if self._is_ended:
            return
        self._hands.note("rest", request.path, status, body)
        self._answer(request, status, body)
        self._next()


class VirtualCalls:
    """Questions without a key, each answered by one Frame."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._is_ended = False

    def send(self, data: bytes) -> bool:
        hands = self._hands
        head, _, query = data.decode().partition("\n")
        number, *_, path = head.split(" ")
        target = f"{path}?{query}" if query else path

        def came(status: int, body: bytes) -> None:
            hands.note("calls", path, status, body)
            if not self._is_ended:
                hands.feed(Frame(hands.name, CALLS, b"%s %d\n%s" % (number.encode(), status, body)))

        def arrive() -> None:
            answered(hands, hands.venue.rest("GET", target, {}, b"", hands.now_ns), came)

        if hands.is_down:
            hands.later(hands.latency_ns(), lambda: came(0, NO_NETWORK % b"the venue"))
        else:
            hands.later(hands.latency_ns(), arrive)
        return True

    def end(self) -> None:
        self._is_ended = True


def answered(hands: Hands, answer: Answer, came: Callable[[int, bytes], None], *, is_broken: bool = False) -> None:
    """An answer on its way back, or what the door says where none comes."""
    delay_ns = hands.latency_ns() + answer.delay_ns
    if answer.is_lost or hands.is_down or is_broken:
        hands.later(delay_ns, lambda: came(0, b"no answer: RemoteProtocolError: cut"))
    elif delay_ns > ANSWER_S * SECOND:
        hands.later(int(ANSWER_S * SECOND), lambda: came(0, b"no answer: none within 15 s"))
    else:
        hands.later(delay_ns, lambda: came(answer.status, answer.body))
