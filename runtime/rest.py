"""The REST door: signed requests, one at a time or a few, each answered by exactly one Frame, whatever becomes of it.

The form of both is in `connectors.session.Send`. A request is never sent twice: what was not answered in time is told
as status 0, in words, and the session finds out what became of it. The library is httpx2.

A cancel waits for no question: whatever is being asked when one comes is given up, and its connection with it. Yet
questions must get through, for without a token the private link never comes back: after three cancels, or when one was
given up, the next question has its turn, which no cancel shortens to less than two seconds.

Where several may be under way (`Trading.rest_at_once`), orders are among them: none is given up for a cancel, and one
connection carries nothing but cancels. What waited in the queue past `Trading.deadline_ns` is not sent any more: an
order would meet another market than it was approved for.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import httpx2

from connectors.session import REST, Trading, Unsigned
from runtime.fetching import ANSWER_S, FAILURES, client_of, fetched, never_left, tls_for, why_not
from runtime.inputs import Frame
from runtime.net import Feed, Tell
from runtime.vault import Vault

WAITING_MAX: Final = 256
CANCEL_S: Final = 5.0  # of a cancel: the next one waits for it
TURN_S: Final = 2.0  # of a question whose turn it is, though cancels wait
CANCELS_IN_A_ROW: Final = 3  # before a question that waits has its turn
GIVEN_UP: Final = b"no answer: given up for a cancel"
# <id> [<method>] <path> [<ms that the venue's clock is ahead>]
_HEAD: Final = re.compile(r"(\S+) (?:(GET|POST|DELETE) )?(/[\x21-\x7e]{0,400})(?: ([+-][0-9]{1,9}))?")
_MS: Final = 10**6


class RestDoor:
    """One venue's REST link, with the face of a `VenueLink`. `base_url`: `https://HOST`, without a path."""

    link: Final = REST

    def __init__(
        self,
        venue: str,
        trading: Trading,
        base_url: str,
        vault: Vault,
        feed: Feed,
        tell: Tell,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.venue = venue
        self._trading = trading
        self._base_url = base_url.rstrip("/")
        self._vault = vault
        self._host = urlsplit(base_url).netloc
        self._feed = feed
        self._tell = tell
        self._clock_ns = clock_ns
        self._lane = _Lane(gives_up=trading.rest_at_once == 1)

    def send(self, data: bytes) -> bool:
        """Queues a request; False for one that is not taken, which is answered nevertheless, after this turn."""
        request = _Request(data)
        problem, lane = request.problem, self._lane
        if not problem and len(lane.waiting) + len(lane.cancels) >= WAITING_MAX:
            problem = f"{WAITING_MAX} requests are waiting already"
        if problem:
            self._tell(f"{self.venue}: {request.path or 'a request'} was not sent: {problem}", "error")
            asyncio.get_running_loop().call_soon(self._answer, request, 0, never_left(problem))
            return False
        request.put_ns = self._clock_ns()
        lane.put(request)
        return True

    def reconnect(self, reason: str) -> None:
        """There is nothing to drop: each request has its own time, and a connection that died is not used again."""

    async def flush(self, within_s: float) -> bool:
        """Waits until everything taken is answered; False when that took too long."""
        try:
            async with asyncio.timeout(within_s):
                await self._lane.idle.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Until cancelled."""
        at_once = self._trading.rest_at_once
        client = client_of(self._base_url, tls_for(self._base_url), at_once)
        async with client, asyncio.TaskGroup() as group:
            for worker in range(at_once):
                group.create_task(self._work(client, self._lane, only_cancels=worker > 0 and worker == at_once - 1))

    async def _work(self, client: httpx2.AsyncClient, lane: "_Lane", *, only_cancels: bool) -> None:
        while True:
            request = await lane.get(only_cancels=only_cancels)
            status, body = await self._ask(client, request)
            lane.answered(request, is_given_up=body == GIVEN_UP)  # before the turn that its answer leads to
            self._answer(request, status, body)
            lane.done()

    async def _ask(self, client: httpx2.AsyncClient, request: "_Request") -> tuple[int, bytes]:
        """Status and body as they came; 0 and words where nothing came. No exception of the library's gets out of
        here: each holds the request, and the request holds the key."""
        if self._is_stale(request):
            return 0, never_left(f"it waited for more than {self._trading.deadline_ns / 1e9:g} s")
        try:
            method, url, headers, content = self._prepare(request)
        except (OSError, ValueError) as error:
            problem = str(error)
            self._tell(f"{self.venue}: {request.path} was not sent: {problem}", "error")
            return 0, never_left(problem)
        within_s = CANCEL_S if request.is_cancel else ANSWER_S
        request.limit = limit = asyncio.timeout(within_s)
        request.sent_s = asyncio.get_running_loop().time()
        try:
            async with limit:
                return await fetched(client, method, url, headers, content)
        except TimeoutError:
            return 0, GIVEN_UP if request.is_given_up else b"no answer: none within %d s" % within_s
        except FAILURES as error:
            return 0, why_not(error, self._base_url)

    def _is_stale(self, request: "_Request") -> bool:
        """A cancel is never too late."""
        waited_ns = self._clock_ns() - request.put_ns
        return self._trading.rest_at_once > 1 and not request.is_cancel and waited_ns > self._trading.deadline_ns

    def _prepare(self, request: "_Request") -> tuple[str, str, dict[str, str], bytes | None]:
        """Method, address, headers and body. Raises ValueError and OSError, whose words hold no secret, for a request
        that cannot be made."""
        secrets = self._vault.signing()
        if secrets is None:
            raise ValueError("no key is known")
        filled = self._vault.fill(request.body)
        if filled is None:
            raise ValueError("it needs a secret that is not known")
        try:
            nonce = self._vault.nonce()
        except OSError as error:
            raise OSError(f"no nonce ({error.strerror or error})") from None
        unsigned = Unsigned(
            method=request.method, path=request.path, body=filled, host=self._host, nonce=nonce,
            now_ns=self._clock_ns() + request.skew_ns,
        )  # fmt: skip
        try:
            signed = self._trading.sign(unsigned, secrets)
        except Exception as error:  # noqa: BLE001 - whatever it says may hold what it was given
            raise ValueError(f"cannot be signed ({type(error).__name__})") from None
        headers = signed.headers
        if signed.body is not None:
            form = "application/json" if signed.body[:1] in (b"{", b"[") else "application/x-www-form-urlencoded"
            headers = {"Content-Type": form, **headers}
        return request.method, self._base_url + signed.path, headers, signed.body

    def _answer(self, request: "_Request", status: int, body: bytes) -> None:
        """Nothing of a secret is left in it when it is fed."""
        if status:
            try:
                for name, value in self._trading.secrets_in(request.path, body).items():
                    self._vault.put(name, value)
            except Exception as error:  # noqa: BLE001 - bytes from outside; what it says may hold them
                problem = f"its secret cannot be used ({type(error).__name__})"
                self._tell(f"{self.venue}: the answer to {request.path} was dropped: {problem}", "error")
                status, body = 0, f"no answer: {problem}".encode()
        self._feed(Frame(self.venue, REST, b"%s %d\n%s" % (request.id, status, self._vault.hide(body))))


class _Request:
    """One Send, taken apart. `problem`: why it cannot be sent, or "". `has_turn`: no cancel overtakes it at once."""

    __slots__ = (
        "body", "has_turn", "id", "is_cancel", "is_given_up", "limit", "method", "path", "problem", "put_ns", "sent_s",
        "skew_ns",
    )  # fmt: skip

    def __init__(self, data: bytes) -> None:
        head, has_body, self.body = data.partition(b"\n")
        self.id = head.partition(b" ")[0]
        match = _HEAD.fullmatch(head.decode("ascii", "replace")) if has_body else None
        self.problem = "" if match is not None else "it is not an id, a path and a body"
        self.method = (match[2] or "POST") if match is not None else ""
        self.path = match[3] if match is not None else ""
        self.skew_ns = int(match[4] or 0) * _MS if match is not None else 0
        self.is_cancel = self.method == "DELETE" or "cancel" in self.path.lower()
        self.is_given_up = self.has_turn = False
        self.limit: asyncio.Timeout | None = None  # of its exchange, once that began
        self.put_ns = 0
        self.sent_s = 0.0

    def give_up(self) -> None:
        """Nobody waits for its answer any more, or not for longer than its turn; one that is here already counts."""
        if self.limit is not None and not self.is_given_up and not self.limit.expired():
            self.is_given_up = True
            self.limit.reschedule(self.sent_s + TURN_S if self.has_turn else 0)


class _Lane:
    """What waits: cancels go before all others, but for a question's turn.

    `gives_up`: requests go one after the other, and a cancel does not wait for a question. `asked`: those under way;
    where nonces are used, theirs are lower than that of whatever overtakes them. `idle`: nothing waits and nothing is
    asked.
    """

    def __init__(self, *, gives_up: bool) -> None:
        self.cancels: deque[_Request] = deque()
        self.waiting: deque[_Request] = deque()
        self.asked: list[_Request] = []
        self._gives_up = gives_up
        self._row = 0  # cancels since a question was answered
        self._has_given_up = False
        self.idle = asyncio.Event()
        self.idle.set()
        self._filled = asyncio.Event()

    def put(self, request: _Request) -> None:
        (self.cancels if request.is_cancel else self.waiting).append(request)
        self.idle.clear()
        self._filled.set()
        for asked in self.asked if request.is_cancel and self._gives_up else ():
            if not asked.is_cancel:
                asked.give_up()

    async def get(self, *, only_cancels: bool = False) -> _Request:
        while not self.cancels and (only_cancels or not self.waiting):
            self._filled.clear()
            await self._filled.wait()
        request = self._next(only_cancels=only_cancels)
        self.asked.append(request)
        return request

    def _next(self, *, only_cancels: bool) -> _Request:
        is_due = self._row >= CANCELS_IN_A_ROW and not only_cancels
        if self.cancels and not (is_due and self.waiting):
            self._row += 1
            return self.cancels.popleft()
        request = self.waiting.popleft()
        request.has_turn = is_due or self._has_given_up
        return request

    def answered(self, request: _Request, *, is_given_up: bool) -> None:
        self.asked.remove(request)
        if not request.is_cancel:
            self._row, self._has_given_up = 0, is_given_up

    def done(self) -> None:
        if not self.cancels and not self.waiting and not self.asked:
            self.idle.set()
