"""The private link: login, subscriptions, life, the dead-man's switch.
https://www.okx.com/docs-v5/en/#overview-websocket-login

A new link logs in (the door puts time and signature into the frame as it leaves), subscribes `orders` and `account`,
then arms the switch over HTTP: `cancel-all-after` of 60 s, again every 15 s while this link is sound. Nothing need come
on it for long, so the text `ping` is sent after five seconds without a frame, and ten without one are a dead link.

Nothing is told on subscribing `orders`: what happened before, a look has to find; the engine makes one whenever orders
may be sent again. A notice that OKX is about to close the connection (a minute ahead) stops new orders; a few seconds
later, when what was under way is answered, the link is left.
"""

from typing import Final

from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.exchange.deadman import DeadMan
from connectors.exchange.feeds import ANSWER_NS, SECOND, Feed, Stand
from connectors.exchange.rest import Question, Reply, Rest
from connectors.exchange.skew import Skew
from connectors.exchange.verdict import Next
from connectors.session import PRIVATE, Output, Reconnect, Send
from connectors.venues.okx import private
from connectors.venues.okx.errors import TIMES, classify, code_of
from connectors.venues.okx.subscription import PING_AFTER_NS, SILENCE_MAX_NS

RETRY_NS: Final = 10 * SECOND
CLOCK_NS: Final = 2 * SECOND  # a login does not wait longer for the venue's time
LEAVE_NS: Final = 5 * SECOND
OWN_IDS: Final = 10**9  # our own requests are numbered from here on, approvals below
TIMER: Final = "cancel-all-after"
TIMEOUT_S: Final = 60
REFRESH_S: Final = 15
_CLOSING: Final = "64008"
_LOGIN: Final = (
    b'{"op":"login","args":[{"apiKey":"{secret:key}","passphrase":"{secret:passphrase}","timestamp":"{time_s}",'
    b'"sign":"{sign}"}]}'
)


class PrivateLink:
    """One session's; `why` says what is still missing before an order may leave on it."""

    def __init__(self, account: Account, rest: Rest, skew: Skew) -> None:
        self._account = account
        self._rest = rest
        self._skew = skew
        self.dead_man = DeadMan(account.venue, TIMEOUT_S, REFRESH_S)
        self._feeds = {"orders": Feed("orders", b',"instType":"SPOT"'), "account": Feed("account", b"")}
        self._asked: dict[str, str] = {}  # our own requests → channel
        self._next_id = OWN_IDS
        self.is_open = False
        self._is_in = False
        self._login_ns: int | None = None  # when it was sent
        self._opened_ns = 0
        self._reconnect_ns: int | None = None  # when to try anew, from the very beginning
        self._problem = ""
        self._last_frame_ns = self._last_ping_ns = 0

    # --- up and down -----------------------------------------------------------------------------------------------

    def open(self, now_ns: int) -> list[Output]:
        """OKX remembers nothing of an earlier connection."""
        self.close()
        self.is_open = True
        self._opened_ns = self._last_frame_ns = self._last_ping_ns = now_ns
        self.dead_man.opened()
        return self._log_in(now_ns)

    def close(self) -> None:
        self.is_open = self._is_in = False
        self._login_ns = None
        self._asked.clear()
        self._reconnect_ns, self._problem = None, ""
        for feed in self._feeds.values():
            feed.move(Stand.IDLE)

    def is_sound(self, now_ns: int) -> bool:
        """Whether a cancel may go this way: HTTP is the other one."""
        return self.is_open and self._is_in and now_ns - self._last_frame_ns <= SILENCE_MAX_NS

    def why(self, now_ns: int) -> str:
        """Why no order may leave on it; ""."""
        if not self.is_open:
            return "the private link is down"
        if self._problem:
            return self._problem
        if not self._is_in:
            return "not logged in to the private link yet"
        missing = [feed.name for feed in self._feeds.values() if feed.stand is not Stand.LIVE]
        if missing:
            return f"not subscribed: {', '.join(missing)}"
        if now_ns - self._last_frame_ns > SILENCE_MAX_NS:
            return "the private link is silent"
        return self.dead_man.why(now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        if not self.is_open:
            return []
        silent_ns = now_ns - self._last_frame_ns
        if silent_ns > SILENCE_MAX_NS:
            return self._again(f"no frame for {silent_ns / SECOND:.1f} s")
        if self._reconnect_ns is not None and now_ns >= self._reconnect_ns:
            return self._again(self._problem)
        is_asking = self._login_ns is not None and not self._is_in and not self._account.halted and not self._problem
        if is_asking and now_ns - (self._login_ns or 0) >= ANSWER_NS:
            return self._again(f"no answer to the login in {ANSWER_NS // SECOND} s")
        out: list[Output] = []
        if now_ns - max(self._last_frame_ns, self._last_ping_ns) >= PING_AFTER_NS:
            self._last_ping_ns = now_ns
            out.append(Send(PRIVATE, b"ping"))
        for feed in self._feeds.values():
            if feed.due_ns is not None and now_ns >= feed.due_ns:
                return self._again(f"no answer about {feed.name} in {ANSWER_NS // SECOND} s")
        return out + self._log_in(now_ns) + self.dead_man.tick(now_ns) + self._arm(now_ns)

    def _again(self, why: str) -> list[Output]:
        self.close()
        return [Reconnect(PRIVATE, why)]

    def heard(self, now_ns: int) -> None:
        self._last_frame_ns = now_ns

    def give_up(self, why: str, now_ns: int, wait_ns: int = RETRY_NS) -> list[Output]:
        """Nothing more is expected of this connection: another one, after a while."""
        if self._reconnect_ns is not None or not self.is_open:
            return []
        self._problem = why
        self._reconnect_ns = now_ns + wait_ns
        return [Notice("error", f"okx: {why}; trying anew in {wait_ns // SECOND} s")]

    # --- login -----------------------------------------------------------------------------------------------------

    def _log_in(self, now_ns: int) -> list[Output]:
        """Once a connection, and with the venue's time where that is known soon."""
        is_early = self._skew.sure_ns < 0 and now_ns - self._opened_ns < CLOCK_NS
        if not self.is_open or self._login_ns is not None or is_early or self._account.halted or self._problem:
            return []
        self._login_ns = now_ns
        return [self._skew.into(Send(PRIVATE, _LOGIN))]

    def clock_known(self, now_ns: int) -> list[Output]:
        return self._log_in(now_ns)

    def renew(self, why: str, now_ns: int) -> list[Output]:
        """OKX says that nobody is logged in here, which nothing but a new connection mends (60031: no second login)."""
        self._is_in = False
        return self.give_up(f"the login is no good: {why}", now_ns)

    # --- events ----------------------------------------------------------------------------------------------------

    def event(self, message: private.Message, now_ns: int) -> list[Output]:
        """Everything that is neither a push nor an answer to an order."""
        text = f"{message.code} {message.msg}".strip()
        if message.event == "login" and message.code in ("", "0"):
            self._is_in = True
            return [self._subscribe(feed, now_ns) for feed in self._feeds.values()]
        if message.event in ("login", "error"):
            return self._refused(self._asked.pop(message.id, ""), message, text, now_ns)
        if message.event == "notice":
            if message.code != _CLOSING:
                return [Notice("warning", f"okx says: {text:.200}")]
            return self.give_up("OKX is about to close the private link", now_ns, LEAVE_NS)
        if message.event == "channel-conn-count-error":
            return self.give_up(f"too many connections follow {message.channel:.40} of this account", now_ns)
        feed = self._feeds.get(message.arg.channel) if message.arg is not None else None
        if feed is None:
            return []
        if message.event == "unsubscribe":
            return self.give_up(f"OKX ended the subscription of {feed.name}", now_ns)
        if message.event == "subscribe" and feed.stand is Stand.WAIT_ACK:
            feed.move(Stand.LIVE)
            return self._arm(now_ns)
        return []

    def _subscribe(self, feed: Feed, now_ns: int) -> Send:
        feed.move(Stand.WAIT_ACK, now_ns + ANSWER_NS)
        self._next_id += 1
        self._asked[str(self._next_id)] = feed.name
        form = b'{"id":"%d","op":"subscribe","args":[{"channel":"%s"%s}]}'
        return Send(PRIVATE, form % (self._next_id, feed.name.encode(), feed.params))

    def _refused(self, channel: str, message: private.Message, text: str, now_ns: int) -> list[Output]:
        """Of the login, or of a subscription."""
        verdict = classify(text)
        if code_of(text) in TIMES:
            self._skew.again()
        is_own = bool(channel) or (self._login_ns is not None and not self._is_in)
        if verdict.next is Next.HALT and is_own:
            return self._account.halt(text, f"{channel or 'the login'} is refused ({text})")
        if channel:
            self._feeds[channel].move(Stand.REFUSED)
            return self.give_up(f"{channel} refused: {text}", now_ns)
        if is_own:
            return self.give_up(f"the login is refused: {text}", now_ns)
        if verdict.next is Next.RENEW:
            return self.renew(text, now_ns)
        if verdict.next is Next.BACK_OFF:
            self._account.slower(now_ns)
        return [Notice("error", f"okx says: {text:.200} {message.id:.40}".rstrip())]

    # --- the dead-man's switch -------------------------------------------------------------------------------------

    def _arm(self, now_ns: int) -> list[Output]:
        """Once everything is subscribed, and from then on while the link is sound."""
        is_live = all(feed.stand is Stand.LIVE for feed in self._feeds.values())
        if not self.is_sound(now_ns) or not is_live or self._account.halted or not self.dead_man.is_due(now_ns):
            return []
        self.dead_man.asked(now_ns)
        return [self._timer(TIMEOUT_S, now_ns)]

    def _timer(self, seconds: int, now_ns: int) -> Send:
        body = f'{{"timeOut":"{seconds}"}}'
        return self._rest.ask(TIMER, f"POST /api/v5/trade/{TIMER}", body, now_ns, carry=seconds)[1]

    def timer_answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        if question.carry == 0:
            if not reply.error or self.dead_man.is_wanted:
                return []
            return [Notice("warning", f"okx: the dead-man's switch is not disarmed: {reply.error}")]
        return self.dead_man.answered(reply.error, question.sent_ns, now_ns) if self.dead_man.is_wanted else []

    def disarm(self, now_ns: int) -> list[Output]:
        """Nothing, where it was never armed."""
        is_idle = not self.dead_man.was_sent
        self.dead_man.disarmed()
        return [] if is_idle or self._account.halted else [self._timer(0, now_ns)]
