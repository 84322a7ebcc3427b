"""One life of the gateway that is killed: the real one, from its journal to its sockets, with a busy guest.

It tells its parent when orders may pass (`ready`), and when the account was found equal (`equal`), each with the time
since its start in ns. `point`: where it kills itself, as a kill -9 from outside would if it came at that moment.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection

from connectors.exchange import look, outbound, requests
from connectors.orders import Action, OrderType
from connectors.session import PRIVATE, REST, Venue
from connectors.venues import kraken
from connectors.venues.kraken import limits as kraken_limits
from connectors.venues.kraken import orders, trading
from oms import pacer
from risk.limits import UNSET, Limits
from runtime import venue_account
from runtime.abi import ActionKind
from runtime.inputs import ActionRecord, Frame, Input, VenueOutput
from runtime.journal.keeper import JournalPlan, Keeper
from runtime.journal.schema import Durability
from runtime.keylock import KeyLock, unique_tag
from runtime.live import Live
from runtime.net import VenueLink
from runtime.person import Surroundings
from runtime.port import VenueSpec
from runtime.screen import Screen
from runtime.session import Session
from runtime.spec import AlgoSpec, EngineSpec
from runtime.vault import KEY, SIGNS, Vault
from tests.support.puppet import Puppet, cancel, order
from tests.support.trading_kill_wrong import WRONG

MS: Final = 10**6
DEADLINE_NS: Final = 300 * MS  # Kraken's shortest is 500 ms; the simulator takes less
VISIBLE_NS: Final = 180 * MS  # more than its lists lag
SYMBOLS: Final = ("BTC/USD", "ETH/USD")
UNITS_1E8: Final = (20_000, 500_000)  # about 10 USD of each
POINTS: Final = (
    "asked", "durable", "queued", "written", "changed", "told", "folded", "refolded", "snapshot", "between", "picture",
    "compared",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """One life. `nth`: at which occasion of `point`. `wrong`: what is planted, a name in `trading_kill_wrong.WRONG`."""

    folder: Path
    urls: dict[str, str]
    number: int
    durability: Durability = "process"
    point: str = ""
    nth: int = 1
    wrong: str = ""
    is_quiet: bool = False
    least_told: int = 0  # ends by itself when so many orders have left, whose numbers are then on stdout

    @property
    def journal(self) -> Path:
        return self.folder / "at" / "journal.db"


# --- what is traded ---------------------------------------------------------------------------------------------------


def hurry() -> Venue:
    """The venue with a short deadline; what waits for seconds waits for tenths, and no rate counter is ever full."""
    replaced: tuple[tuple[Any, str, int], ...] = (
        (orders, "DEADLINE_NS", DEADLINE_NS), (trading, "DEADLINE_NS", DEADLINE_NS), (outbound, "GRACE_NS", 200 * MS),
        (requests, "GRACE_NS", 200 * MS), (trading, "TICK_NS", 50 * MS), (look, "RETRY_FIRST_NS", 100 * MS),
        (pacer, "_SECOND_NS", 40 * MS), (venue_account, "SECOND_NS", 100 * MS), (venue_account, "MARGIN_NS", 1000 * MS),
    )  # fmt: skip
    for module, name, value in replaced:
        assert isinstance(getattr(module, name), int), name
        setattr(module, name, value)
    pacer.STEPS_S = (3,) * len(pacer.STEPS_S)  # type: ignore[misc,assignment]
    for name, tier in kraken_limits.TIERS.items():
        kraken_limits.TIERS[name] = msgspec.structs.replace(tier, threshold=10**6, rest_max=10**6)
    known = kraken.VENUE.trading
    assert known is not None
    short = msgspec.structs.replace(known, deadline_ns=DEADLINE_NS, visible_ns=VISIBLE_NS)
    return msgspec.structs.replace(kraken.VENUE, trading=short)


class Busy(Puppet):
    """At most books: a limit near the touch, IOC through it, a market order, an amend or a cancel of what is open."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("on_book", name="busy")
        self.sha256 = "0" * 60 + "b059"
        self.session: Session
        self._dice = random.Random(f"busy {plan.folder.name} {plan.number}")
        self._next = plan.number * 100_000
        self.on("on_book", lambda _: [] if plan.is_quiet else self._one())

    def _one(self) -> list[Action]:
        self.heard.clear()
        dice, engine = self._dice, self.session.engine
        open_ids = [live.order_id for live in engine.gate.account.live.values() if not live.is_over]
        chance = dice.random()
        if open_ids and (chance < 0.15 or len(open_ids) > 24):
            return [cancel(dice.choice(open_ids))]
        if not engine.ports["kraken"].link.is_reconciled:
            return []
        symbol = dice.randrange(len(SYMBOLS))
        instrument, mid_sum = engine.instruments[symbol], engine.desk.marks[symbol]
        if instrument is None or not mid_sum:
            return []
        side, qty, tick = dice.choice((1, -1)), UNITS_1E8[symbol] * dice.randint(1, 4), instrument.tick_size_1e9
        kind = dice.choice((OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT, OrderType.IOC, OrderType.MARKET))
        away = {OrderType.LIMIT: -side * dice.randint(0, 8), OrderType.IOC: side * 20}.get(kind, 0)
        px = mid_sum // 2 * (10_000 + away) // 10_000 // tick * tick
        if open_ids and chance < 0.3:
            return [order(dice.choice(open_ids), side, qty, px, kind=ActionKind.AMEND, order_type=OrderType.LIMIT)]
        self._next += 1
        return [order(self._next, side, qty, 0 if kind is OrderType.MARKET else px, order_type=kind, symbol_idx=symbol)]


def spec_of(venue: Venue, guest: Busy) -> EngineSpec:
    """What a person starts in each life alike."""
    limits = Limits(
        max_position_1e8=10**12, max_order_notional_1e9=10**13, max_order_rate=10**4, price_collar_bps=5_000,
        max_daily_loss_1e9=10**15, max_book_age_ns=60 * 10**9, max_cancel_rate=UNSET,
    )  # fmt: skip
    return EngineSpec(
        venues=(VenueSpec(venue=venue, depth=10),), symbols=SYMBOLS, limits=limits,
        algos=(AlgoSpec("busy", guest, SYMBOLS),), tag=unique_tag(), is_paper=False,
    )  # fmt: skip


# --- where it ends ----------------------------------------------------------------------------------------------------


def _has(given: Input, link: str, *texts: bytes) -> bool:
    return isinstance(given, Frame) and given.link == link and all(text in given.raw for text in texts)


def before_the_turn(given: Input) -> str:
    """The point that this input is, while nobody here knows of it."""
    if _has(given, PRIVATE, b'"exec_type":"trade"'):
        return "told"
    if _has(given, REST, b'"open":{'):
        return "between"
    return "picture" if _has(given, REST, b'"hold_trade"') else ""


def after_the_turn(given: Input, session: Session) -> str:
    """The same, when the turn is over and its record on its way."""
    if _has(given, PRIVATE, b'"exec_type":"trade"', b'"type":"update"'):
        return "folded"
    if _has(given, PRIVATE, b'"channel":"executions"', b'"type":"snapshot"'):
        return "snapshot"
    if _has(given, REST, b'"hold_trade"'):
        return "compared"
    trace = session.engine.trace
    if any(type(one) is ActionRecord and one.approval and one.action[4] == ActionKind.NEW for one in trace):
        return "asked"
    return "refolded" if any(type(one) is not ActionRecord for one in trace) else ""


def of_bytes(data: bytes) -> str:
    """What leaves: a new order, or what changes one."""
    if b'"add_order"' in data:
        return "new"
    return "changed" if b'"amend_order"' in data or b'"cancel_order"' in data else ""


class Mortal(Live):
    """`Live` that ends at its point. Everything else is as it ships."""

    def __init__(self, plan: Plan, told: Callable[[bytes], None], spec: EngineSpec, **given: Any) -> None:
        self.plan, self._told, self._seen, self._left = plan, told, 0, 0
        self._begun_ns = time.monotonic_ns()
        self._news = ["ready", "equal"]
        super().__init__(spec, **given)
        leave, write = self._exit._leave, VenueLink._write

        def durable(output: VenueOutput) -> None:
            if of_bytes(getattr(output.output, "data", b"")) == "new":
                self.at("durable")
            leave(output)

        async def written(link: VenueLink, connection: ClientConnection, data: bytes) -> None:
            what = of_bytes(data)
            if what == "new" and plan.least_told:
                self._leaves(data)
            await write(link, connection, data)
            if what:
                self.at("written" if what == "new" else what)

        outbox: Any = self._exit._outbox
        outbox._send = durable
        door: Any = VenueLink
        door._write = written

    def at(self, point: str) -> None:
        """Where the process may be when it is killed."""
        if point and point == self.plan.point:
            self._seen += 1
            if self._seen == self.plan.nth:
                os.kill(os.getpid(), signal.SIGKILL)

    def _leaves(self, data: bytes) -> None:
        """For tests of power cuts: the number of an order whose first byte is about to leave."""
        name: str = msgspec.json.decode(data)["params"]["cl_ord_id"]
        self._told(b"%d\n" % int(name.rpartition("-")[2]))
        self._left += 1
        if self._left == self.plan.least_told:
            os._exit(0)

    def _send(self, venue: str, link: str, data: bytes) -> None:
        super()._send(venue, link, data)
        if of_bytes(data) == "new":
            self.at("queued")

    def _turn(self, given: Input) -> None:
        self.at(before_the_turn(given))
        super()._turn(given)
        self.at(after_the_turn(given, self.session))
        if self._news and self._is(self._news[0]) and not self.plan.least_told:
            self._told(f"{self._news.pop(0)} {time.monotonic_ns() - self._begun_ns}\n".encode())

    def _is(self, news: str) -> bool:
        engine = self.session.engine
        if news == "ready":
            return engine.ports["kraken"].link.is_reconciled
        account = engine.accounts["kraken"]
        calm_ns: int = pacer.CALM_S * pacer._SECOND_NS
        return account._pacer.next_ns - account.compared_ns >= calm_ns and account.pictures > 1


async def _live(plan: Plan, told: Callable[[bytes], None]) -> str:
    venue, guest, urls = hurry(), Busy(plan), plan.urls
    links = {"kraken": {"public": urls["ws"], PRIVATE: urls["ws_auth"], REST: urls["rest"]}}
    keys = plan.folder / "keys"
    keys.mkdir(exist_ok=True)
    with (plan.folder / f"{plan.number:05d}.log").open("w") as log:
        screen = Screen(log)
        vault = Vault({KEY: urls["key"], SIGNS: urls["secret"]}, KeyLock.take(urls["key"], keys))
        around = Surroundings()
        with Keeper(JournalPlan(plan.journal, plan.durability, "ana"), screen.tell, around) as keeper:
            spec = keeper.continued(spec_of(venue, guest))
            live = Mortal(plan, told, spec, urls=links, screen=screen, keeper=keeper, vaults={"kraken": vault})
            guest.session = live.session
            WRONG[plan.wrong](live, keeper.journal)
            await live.run(None)
            return live.outcome


def live_there(plan: Plan, told: Connection) -> None:
    """What a process of its own runs, until it is killed."""
    os.environ["XDG_STATE_HOME"] = str(plan.folder)
    with contextlib.suppress(BrokenPipeError):
        outcome = asyncio.run(_live(plan, lambda data: (os.write(told.fileno(), data), None)[1]))
        os.write(told.fileno(), f"ended {outcome}\n".encode())


def main() -> None:
    """`python -m … FOLDER URLS DURABILITY COUNT`: for power cuts; numbers of orders that leave go to stdout."""
    folder, urls, durability, count = sys.argv[1:]
    found: Durability = "power" if durability == "power" else "process"
    plan = Plan(Path(folder), json.loads(urls), 1, found, least_told=int(count))
    os.environ["XDG_STATE_HOME"] = folder
    asyncio.run(_live(plan, lambda data: (os.write(1, data), None)[1]))


if __name__ == "__main__":
    main()
