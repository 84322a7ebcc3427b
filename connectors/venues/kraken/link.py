"""The private link: token, subscriptions, life, the dead-man's switch. https://docs.kraken.com/api/docs/guides/spot-ws-auth

A new link asks REST for a token (it stands as `{secret:ws_token}` wherever it is used; only the door knows it), then
subscribes, then arms the switch. Once anything is subscribed, a heartbeat comes every second: 3.5 s without a frame
other than our own pongs is a dead link (session.py has the same rule for the public one).
"""

from typing import Final

from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.exchange.deadman import DeadMan
from connectors.exchange.feeds import ANSWER_NS, SECOND, Feed, Stand
from connectors.exchange.rest import Question, Reply, Rest
from connectors.exchange.verdict import Next
from connectors.session import PRIVATE, Output, Reconnect, Send
from connectors.venues.kraken import private
from connectors.venues.kraken.errors import classify
from connectors.venues.kraken.limits import EngineLimits
from connectors.venues.kraken.liveness import PING_AFTER_NS, SILENCE_MAX_NS

TOKEN_NS: Final = 15 * SECOND
RETRY_NS: Final = 10 * SECOND
OWN_IDS: Final = 10**9  # our own requests are numbered from here on, approvals below
TOKEN: Final = "GetWebSocketsToken"  # noqa: S105 - a request's name
TIMER: Final = "CancelAllOrdersAfter"
TIMEOUT_S: Final = 60  # https://docs.kraken.com/api/docs/websocket-v2/cancel_after
REFRESH_S: Final = 15
_SECRET: Final = b'"token":"{secret:ws_token}"'


class PrivateLink:
    """One session's private link; `why` says what is still missing before an order may leave on it."""

    def __init__(self, account: Account, rest: Rest, engine: EngineLimits) -> None:
        self._account = account
        self._rest = rest
        self._engine = engine
        self.dead_man = DeadMan(account.venue, TIMEOUT_S, REFRESH_S)
        flags = b',"snap_orders":true,"snap_trades":true,"order_status":true,"ratecounter":true'
        self._feeds = {"executions": Feed("executions", flags), "balances": Feed("balances", b',"snapshot":true')}
        self._asked: dict[int, tuple[str, str, int]] = {}  # our own requests → (method, channel, when)
        self._next_id = OWN_IDS
        self.is_open = False
        self._token: Question | None = None
        self._has_token = False
        self._token_tries = 0
        self._reconnect_ns: int | None = None  # when to try anew, from the very beginning
        self._problem = ""
        self._last_frame_ns = self._last_proof_ns = self._last_ping_ns = 0

    # --- up and down -------------------------------------------------------------------------------------------------

    def open(self, now_ns: int) -> list[Output]:
        """Kraken remembers nothing of an earlier connection."""
        self.close()
        self.is_open = True
        self._token_tries = 0
        self._last_frame_ns = self._last_proof_ns = self._last_ping_ns = now_ns
        self.dead_man.opened()
        return [] if self._account.halted else [self._ask_token(now_ns)]

    def close(self) -> None:
        self.is_open = self._has_token = False
        self._asked.clear()
        self._reconnect_ns, self._problem = None, ""
        if self._token is not None:
            self._rest.forget(self._token)
            self._token = None
        for feed in self._feeds.values():
            feed.move(Stand.IDLE)

    def is_sound(self, now_ns: int) -> bool:
        """Whether a cancel may go this way: REST is the other one."""
        return self.is_open and self._has_token and now_ns - self._last_proof_ns <= SILENCE_MAX_NS

    def why(self, now_ns: int) -> str:
        """Why no order may leave on it; ""."""
        if not self.is_open:
            return "the private link is down"
        if self._problem:
            return self._problem
        if not self._has_token:
            return "no token for the private link yet"
        missing = [feed.name for feed in self._feeds.values() if feed.stand is not Stand.LIVE]
        if missing:
            return f"not subscribed: {', '.join(missing)}"
        if now_ns - self._last_proof_ns > SILENCE_MAX_NS:
            return "the private link is silent"
        return self.dead_man.why(now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        if not self.is_open:
            return []
        is_subscribed = any(feed.stand is Stand.LIVE for feed in self._feeds.values())
        silent_ns = now_ns - (self._last_proof_ns if is_subscribed else self._last_frame_ns)
        if silent_ns > SILENCE_MAX_NS:
            return self._again(f"no frame for {silent_ns / SECOND:.1f} s")
        if self._reconnect_ns is not None and now_ns >= self._reconnect_ns:
            return self._again(self._problem)
        if self._token is not None and now_ns - self._token.sent_ns >= TOKEN_NS:
            return self._again("no answer to the request for a token")
        out: list[Output] = []
        if now_ns - max(self._last_frame_ns, self._last_ping_ns) >= PING_AFTER_NS:
            self._last_ping_ns = now_ns
            out.append(self._send(b"ping", "", b"", now_ns))
        for feed in self._feeds.values():
            if feed.due_ns is not None and now_ns >= feed.due_ns:
                out += self._overdue(feed, now_ns)
        return out + self.dead_man.tick(now_ns) + self._arm(now_ns)

    def _again(self, why: str) -> list[Output]:
        self.close()
        return [Reconnect(PRIVATE, why)]

    def heard(self, now_ns: int, *, is_pong: bool = False) -> None:
        """A frame came; our own ping coming back proves less than anything else."""
        self._last_frame_ns = now_ns
        if not is_pong:
            self._last_proof_ns = now_ns

    # --- the token ---------------------------------------------------------------------------------------------------

    def _ask_token(self, now_ns: int) -> Send:
        self._token, send = self._rest.ask(TOKEN, f"/0/private/{TOKEN}", "", now_ns)
        return send

    def renew(self, why: str, now_ns: int) -> list[Output]:
        """The token is no good: another one, once a connection; then from the beginning, after a while."""
        if not self.is_open or self._token is not None:
            return []
        self._has_token = False
        self._token_tries += 1
        if self._token_tries > 1:
            return self._give_up(f"the token is refused again: {why}", now_ns)
        return [Notice("warning", f"kraken: {why}: asking for another token"), self._ask_token(now_ns)]

    def token_answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        """What the answer held that is secret, the door has taken out."""
        if question is not self._token:
            return []
        self._token = None
        if not reply.error:
            self._has_token = True
            return [
                out
                for feed in self._feeds.values()
                if feed.stand in (Stand.IDLE, Stand.REFUSED)
                for out in self._subscribe(feed, now_ns)
            ]
        verdict = classify(reply.error)
        is_passing = reply.is_silent or reply.error.startswith("EAPI:Invalid nonce")
        if is_passing and self._token_tries == 0:  # for instance, a cancel went before it
            self._token_tries += 1
            return [self._ask_token(now_ns)]
        if not reply.is_silent and verdict.next is Next.HALT:
            return self._account.halt(reply.error, f"no token is given ({reply.error})")
        return self._give_up(f"no token: {reply.error}", now_ns)

    def _give_up(self, why: str, now_ns: int) -> list[Output]:
        self._problem = why
        self._reconnect_ns = now_ns + RETRY_NS
        return [Notice("error", f"kraken: {why}; trying anew in {RETRY_NS // SECOND} s")]

    # --- subscriptions -----------------------------------------------------------------------------------------------

    def _send(self, method: bytes, channel: str, params: bytes, now_ns: int) -> Send:
        self._next_id += 1
        self._asked[self._next_id] = (method.decode(), channel, now_ns)
        body = b',"params":{%s}' % params if params else b""
        return Send(PRIVATE, b'{"method":"%s"%s,"req_id":%d}' % (method, body, self._next_id))

    def _subscribe(self, feed: Feed, now_ns: int) -> list[Output]:
        feed.move(Stand.WAIT_ACK, now_ns + ANSWER_NS)
        params = b'"channel":"%s"%s,%s' % (feed.name.encode(), feed.params, _SECRET)
        return [self._send(b"subscribe", feed.name, params, now_ns)]

    def _unsubscribe(self, feed: Feed, now_ns: int) -> list[Output]:
        feed.move(Stand.WAIT_UNSUBSCRIBED, now_ns + ANSWER_NS)
        params = b'"channel":"%s",%s' % (feed.name.encode(), _SECRET)
        return [self._send(b"unsubscribe", feed.name, params, now_ns)]

    def _overdue(self, feed: Feed, now_ns: int) -> list[Output]:
        if feed.stand is not Stand.AGAIN:
            return self._again(f"no answer about {feed.name} in {ANSWER_NS // SECOND} s")
        busy = (Stand.WAIT_ACK, Stand.WAIT_UNSUBSCRIBED)
        if any(other.stand in busy for other in self._feeds.values()):
            return []  # one after the other: Kraken closes a private link that has no subscription
        return self._unsubscribe(feed, now_ns)

    def resubscribe(self, why: str, now_ns: int, channel: str = "") -> list[Output]:
        """Something of this channel (of both) was lost: its snapshots again."""
        if not self.is_open:
            return []
        out: list[Output] = [Notice("error", f"kraken: {why}; subscribing again")]
        for feed in self._feeds.values():
            if feed.name == (channel or feed.name) and feed.stand is Stand.LIVE:
                feed.again(now_ns)
        for feed in self._feeds.values():
            if feed.stand is Stand.AGAIN and feed.due_ns is not None and now_ns >= feed.due_ns:
                out += self._overdue(feed, now_ns)
        return out

    def sequence(self, channel: str, number: int, now_ns: int) -> list[Output]:
        """Of a message of this channel: whether one before it was lost."""
        feed = self._feeds[channel]
        if feed.stand is not Stand.LIVE:
            if feed.stand is Stand.WAIT_ACK:
                feed.gap(number)  # a snapshot that overtook its acknowledgement
            return []
        gap = feed.gap(number)
        return self.resubscribe(gap, now_ns, channel) if gap else []

    # --- answers -----------------------------------------------------------------------------------------------------

    def answer(self, answer: private.Answer, now_ns: int) -> list[Output] | None:
        """None: not of a request of this link's own. Raises msgspec's errors."""
        asked = self._asked.pop(answer.req_id, None) if answer.req_id is not None else None
        if asked is None:
            return None
        method, channel, sent_ns = asked
        error = answer.error or ("" if answer.success is True else "no reason given")
        if method == "cancel_all_orders_after":
            if channel:  # a disarming: nobody waits for it
                return [Notice("warning", f"kraken: the dead-man's switch is not disarmed: {error}")] if error else []
            return self.dead_man.answered(error, sent_ns, now_ns) if self.dead_man.is_wanted else []
        feed = self._feeds.get(channel)
        if feed is None:
            return []
        if method == "unsubscribe":  # refused: it was not subscribed, which is what we wanted
            return self._subscribe(feed, now_ns) if feed.stand is Stand.WAIT_UNSUBSCRIBED else []
        return self._subscribed(feed, answer, error, now_ns)

    def _subscribed(self, feed: Feed, answer: private.Answer, error: str, now_ns: int) -> list[Output]:
        if feed.stand is not Stand.WAIT_ACK:
            return []
        if error == "Already subscribed":
            return self._unsubscribe(feed, now_ns)
        if error:
            feed.move(Stand.REFUSED)
            verdict = classify(error)
            if verdict.next is Next.RENEW:
                return self.renew(error, now_ns)
            if verdict.next is Next.HALT:
                return self._account.halt(error, f"{feed.name} is refused ({error})")
            return self._give_up(f"{feed.name} refused: {error}", now_ns)
        feed.stand, feed.due_ns = Stand.LIVE, None  # a sequence seen before stays
        out: list[Output] = []
        if feed.name == "executions":
            out += self._threshold(private.decode_result(answer.result).maxratecount)
        for other in self._feeds.values():
            if other.stand is Stand.AGAIN and other.due_ns is not None and now_ns >= other.due_ns:
                out += self._overdue(other, now_ns)
        return out + self._arm(now_ns)

    def _threshold(self, told: int) -> list[Output]:
        engine = self._engine
        if not 0 < told <= 10_000 or told == engine.threshold:
            return []
        before, engine.threshold = engine.threshold, told
        return [Notice("info", f"kraken: this account's rate counter ends at {told}, the tier's at {before}")]

    # --- the dead-man's switch ---------------------------------------------------------------------------------------

    def _arm(self, now_ns: int) -> list[Output]:
        """Once everything is subscribed, and from then on whatever becomes of that."""
        is_live = self.dead_man.is_begun or all(feed.stand is Stand.LIVE for feed in self._feeds.values())
        if not self._has_token or not is_live or self._account.halted or not self.dead_man.is_due(now_ns):
            return []
        self.dead_man.asked(now_ns)
        return [self._send(b"cancel_all_orders_after", "", b'"timeout":%d,%s' % (TIMEOUT_S, _SECRET), now_ns)]

    def disarm(self, now_ns: int) -> list[Output]:
        """By whichever way is open; nothing, where it was never armed."""
        is_idle = not self.dead_man.was_sent
        self.dead_man.disarmed()
        if is_idle or self._account.halted:
            return []
        if self.is_sound(now_ns):
            return [self._send(b"cancel_all_orders_after", "off", b'"timeout":0,' + _SECRET, now_ns)]
        return [self._rest.ask(TIMER, f"/0/private/{TIMER}", "timeout=0", now_ns)[1]]
