"""A trading session on a desk: a real gate approves, a real tap reads what leaves, `trading.toml` answers.

Time is virtual.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from connectors.events import Doubt, ExecReport, ExecType, Notice, Picture, Ready
from connectors.instrument import Instrument
from connectors.orders import Approved, NewOrder
from connectors.session import PRIVATE, REST, TRADE, Output, Reconnect, Send, Stop, TradingPlan, Venue
from runtime.conformance.approvals import T0, Mint, example
from runtime.conformance.cards import hold
from runtime.conformance.phrases import CANARY, Answer, Phrases, Says, Speaker
from runtime.conformance.truth import check
from runtime.port import OURS

__all__ = ["CANARY", "Desk"]
MS: Final = 10**6
TICK_NS: Final = 500 * MS
NO_ANSWER_NS: Final = 10 * 10**9  # what the door waits for an answer
READY_NS: Final = 40 * 10**9


class Desk:
    """`sent`: what left. `outputs`: all that the session said. `mute`: kinds of requests that nobody answers.

    `refusal`: (code, text) by which every new order is refused; None: they are taken.
    """

    def __init__(self, venue: Venue, phrases: Phrases) -> None:
        trading = venue.trading
        assert trading is not None  # noqa: S101 - the cards ask for it
        self.venue, self.trading, self.phrases = venue, trading, phrases
        import msgspec

        parsed = Instrument.parse(venue.name, phrases.instrument)
        self.instrument = msgspec.structs.replace(
            parsed, venue_symbol=phrases.venue_symbol, venue_code=phrases.venue_code
        )
        self.mint = Mint(venue, [self.instrument])
        self.speaker = Speaker(phrases, parsed.price_precision, parsed.size_precision)
        plan = TradingPlan(((0, parsed.symbol),), [self.instrument], OURS, phrases.options)
        self.session = trading.session(plan)
        self.now_ns = T0
        self.why: str | None = None
        self.outputs: list[Output] = []
        self.sent: list[Send] = []
        self.taped: list[bytes] = []  # what the session was given, as it would stand on a tape
        self.mute: set[str] = set()
        self.refusal: tuple[str, str] | None = None
        self.places: dict[str, dict[str, str]] = {}  # of each order, by our name
        self._names: dict[str, str] = {}  # as the wire has it → ours
        self._frames: deque[tuple[str, bytes]] = deque()
        self._later: list[tuple[int, str, bytes]] = []
        self._redial: dict[str, int] = {}
        self._links: set[str] = set()  # that are up
        self._secrets: dict[str, str] = {}
        self._made = 0

    # --- time and links ----------------------------------------------------------------------------------------------

    def ready(self) -> Desk:
        """Everything opened and answered: orders may leave. Raises AssertionError where the session says otherwise."""
        self.take(self.session.start(self.now_ns))
        for link in (PRIVATE, TRADE) if self.trading.trade_url else (PRIVATE,):
            self.up(link)
        end_ns = self.now_ns + READY_NS
        while self.why != "" and self.now_ns < end_ns:
            self.wait(1)
        stopped = [one.reason for one in self.outputs if isinstance(one, Stop)]
        why, said = (stopped or [str(self.why)])[0], [one.data[:120] for one in self.sent[-2:]]
        told = f"not ready after {READY_NS // 10**9} s: {why}; trading.toml answers nothing to {said}"
        hold(self.why == "", told)
        return self

    def up(self, link: str) -> None:
        self._links.add(link)
        self._frames += self._frames_of([one for one in self.phrases.greetings if one.link == link], {})
        self.take(self.session.open(self.now_ns, link))

    def down(self, link: str) -> None:
        self._links.discard(link)
        self._frames = deque(one for one in self._frames if one[0] != link)
        self.take(self.session.close(self.now_ns, link))

    def wait(self, seconds: float) -> None:
        """Time passes, half a second a tick; the venue's hearts beat as its answers to pings say."""
        end_ns = self.now_ns + int(seconds * 10**9)
        while self.now_ns < end_ns:
            self.now_ns += TICK_NS
            due = [one for one in self._later if one[0] <= self.now_ns]
            self._later = [one for one in self._later if one[0] > self.now_ns]
            self._frames += [(link, frame) for _, link, frame in due]
            self._frames += self._frames_of([one for one in self.phrases.beats if one.link in self._links], {})
            self._pump()
            for link in [link for link, at_ns in self._redial.items() if at_ns <= self.now_ns]:
                del self._redial[link]
                self.up(link)
            self.take(self.session.tick(self.now_ns))

    # --- what the session says ---------------------------------------------------------------------------------------

    def take(self, outputs: list[Output]) -> None:
        """Carries outputs out, as the engine does; then what the venue says to that."""
        self._carry(outputs)
        self._pump()

    def _carry(self, outputs: list[Output]) -> None:
        check(outputs)
        for output in outputs:
            self.outputs.append(output)
            match output:
                case Send():
                    self._left(output)
                case ExecReport():
                    self.mint.told(output, self.now_ns)
                case Ready(_, why):
                    self.why = why
                    if not why:
                        self._carry(self.session.look(T0, self.now_ns))
                case Doubt():
                    self._carry(self.session.look(T0, self.now_ns))
                case Reconnect(link):
                    self._redial[link] = self.now_ns + 10**9
                    self.down(link)

    def _pump(self) -> None:
        while self._frames:
            link, frame = self._frames.popleft()
            self.now_ns += MS
            self.taped.append(self._hidden(frame))
            self._carry(self.session.receive(self.taped[-1], self.now_ns, link))

    def _hidden(self, frame: bytes) -> bytes:
        """As the door gives it on: without the secrets that it knows."""
        for name, value in self._secrets.items():
            frame = frame.replace(value.encode(), b"{secret:%s}" % name.encode())
        return frame

    def _left(self, send: Send) -> None:
        problem = self.mint.tap.leaving(self.venue.name, send.data, send.approval, send.more)
        hold(not problem, f"the tap stops what leaves: {problem}")
        self.sent.append(send)
        text = send.data.decode("utf-8", "replace")
        heard = [
            (rule, found)
            for rule in self.phrases.answers
            if rule.on == send.link and (found := re.search(rule.hears, text))
        ]
        is_answered = False
        for rule, found in heard:
            if rule.kind in self.mute and rule.kind:
                continue
            is_refused = rule.kind == "new" and self.refusal is not None
            if is_refused and is_answered:
                continue  # one order is refused once, however many rules say yes to it
            is_answered |= self._answer(rule, found, send)
        if send.link == REST and not is_answered:
            number = text.partition(" ")[0]
            self._later.append((self.now_ns + NO_ANSWER_NS, REST, f"{number} 0\nno answer".encode()))

    def _answer(self, rule: Answer, found: re.Match[str], send: Send) -> bool:
        link, groups = rule.link or rule.on, {name: text or "" for name, text in found.groupdict().items()}
        places = self._known(rule, groups)
        forms = [(link, form) for form in rule.says]
        if rule.kind == "new" and self.refusal is not None:
            code, text = self.refusal
            places = places | {"code": code, "text": text}
            forms = [(one.link, form) for one in self.phrases.refused for form in one.says]
        for where, form in forms:
            frame = self.speaker.frame(form, places, self.now_ns)
            if where == REST:
                path = send.data.partition(b"\n")[0].split(b" ")[-1].decode()
                self._secrets |= self.trading.secrets_in(path, frame.partition(b"\n")[2])
            self._frames.append((where, frame))
        if rule.kind == "cancel" and self.refusal is None:
            self._frames += self._frames_of(self.phrases.cancelled, places)
        return any(where == send.link for where, _ in forms)

    def _known(self, rule: Answer, groups: dict[str, str]) -> dict[str, str]:
        """The places of the order that this is about."""
        name = self._names.get(groups.get("name", ""), "")
        if not name and "order" in groups:
            name = next((one for one, places in self.places.items() if places["order"] == groups["order"]), "")
        if rule.kind != "new" or not name:
            return self.places.get(name, {}) | groups
        self.places[name] |= groups
        return self.places[name]

    # --- orders ------------------------------------------------------------------------------------------------------

    def new(self, parts: int = 3) -> Approved[NewOrder]:
        """An order that the gate approved, sent."""
        px, qty = example(self.instrument, parts)
        approved = self.mint.new(px, qty, self.now_ns)
        name = approved.order.client_order_id
        self._made += 1
        size = self.speaker.size
        self.places[name] = {
            "order": str(7_000_000 + self._made), "name": name, "px": self.speaker.price(px), "qty": size(qty),
            "cum": size(0), "left": size(qty),
        }  # fmt: skip
        self._names |= {name: name, name.replace("-", ""): name}
        self.take(self.session.submit(approved, self.now_ns))
        return approved

    def cancel(self, approved: Approved[NewOrder]) -> None:
        self.take(self.session.cancel(self.mint.cancel(approved.order, self.now_ns), self.now_ns))

    def fill(self, approved: Approved[NewOrder], last_1e8: int, cum_1e8: int, exec_id: str) -> list[tuple[str, bytes]]:
        """The venue tells an execution; the frames it said."""
        order = approved.order
        cost = order.px_1e9 * last_1e8 // 10**8
        places = self.places[order.client_order_id]
        places |= {
            "exec": exec_id, "last": self.speaker.size(last_1e8), "cum": self.speaker.size(cum_1e8),
            "left": self.speaker.size(order.qty_1e8 - cum_1e8), "cost": f"{cost // 10**9}.{cost % 10**9:09d}",
        }  # fmt: skip
        self.speaker.trades.setdefault(exec_id, self.speaker.frame(self.phrases.traded, places, self.now_ns).decode())
        when = "last" if cum_1e8 == order.qty_1e8 else "part"
        frames = self._frames_of([one for one in self.phrases.filled if one.when in ("", when)], places)
        self._frames += frames
        self._pump()
        return frames

    def again(self, frames: list[tuple[str, bytes]]) -> None:
        """The same frames once more."""
        self._frames += frames
        self._pump()

    def _frames_of(self, said: list[Says], places: dict[str, str]) -> list[tuple[str, bytes]]:
        return [(one.link, self.speaker.frame(form, places, self.now_ns)) for one in said for form in one.says]

    # --- what was said -----------------------------------------------------------------------------------------------

    def reports(self, approved: Approved[NewOrder], kind: ExecType | None = None) -> list[ExecReport]:
        """Of one order, in order."""
        name = approved.order.client_order_id
        told = [one for one in self.outputs if isinstance(one, ExecReport) and one.client_order_id == name]
        return [one for one in told if kind is None or one.exec_type is kind]

    def asked_for(self, what: str, name: str) -> int:
        """How often bytes that left asked for this of that order."""
        reader = self.venue.asked
        assert reader is not None  # noqa: S101 - the registry refuses a venue without
        return sum(
            one.what == what and one.client_order_id.replace("-", "") == name.replace("-", "")
            for send in self.sent if send.approval
            for one in reader(send.data)
        )  # fmt: skip

    def notices(self, level: str) -> list[str]:
        return [one.text for one in self.outputs if isinstance(one, Notice) and one.level == level]

    def pictures(self) -> list[Picture]:
        return [one for one in self.outputs if isinstance(one, Picture)]
