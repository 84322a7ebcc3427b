"""What a check looks at: one action, its market, and what bounds it."""

from connectors.book import L2Book
from connectors.instrument import Instrument
from risk.bounds import Bounds
from risk.exposure import Account, Exposure
from risk.market import Market
from risk.states import TradingState


class Case:
    """One action under judgement. `more_1e8`: quantity it adds to what is already counted as open.

    `exposure` is the account's at the market, `own` the algo's. `raise_1e8` and `own_raise_1e8`: by how much the worst
    case of either grows, at least 0. `markets` are all, `index` is this one. `stale_mark_ns`: of other markets.
    `repeat_latch`: (limit, observed, scope) of an algo that is latched.
    """

    __slots__ = (
        "account", "ages", "algo_state", "ask_1e9", "bid_1e9", "book", "bounds", "equal_count", "exposure", "index",
        "instrument", "is_amend", "is_away", "is_latched", "is_paper", "link_ns", "market", "markets", "max_equals",
        "mid_span", "more_1e8", "now_ns", "open_count", "order_count", "order_type", "own", "own_raise_1e8",
        "own_reduces", "px_1e9", "qty_1e8", "raise_1e8", "reach_1e9", "reduces", "repeat_latch", "short_1e17", "side",
        "stale_mark_ns", "state", "state_scope",
    )  # fmt: skip

    account: Account
    markets: list[Market]
    index: int
    market: Market
    instrument: Instrument
    book: L2Book
    bounds: Bounds
    exposure: Exposure
    own: Exposure
    state: TradingState  # the strictest of the market's scopes, and which of them
    state_scope: str
    algo_state: TradingState
    now_ns: int
    link_ns: int  # when its link last spoke, −1 while down
    ages: list[int]  # of every market, how old its link's last frame may be
    stale_mark_ns: int
    side: int
    px_1e9: int
    qty_1e8: int
    order_type: int
    more_1e8: int
    raise_1e8: int
    own_raise_1e8: int
    bid_1e9: int  # best of the book; 0 where that side is empty or the book invalid
    ask_1e9: int
    reach_1e9: int  # the worst price it may trade at: its own, or for a market order the depth it needs
    reduces: bool
    own_reduces: bool
    is_amend: bool
    is_latched: bool  # a ledger that it is part of
    is_away: bool  # at another venue than the instance's own
    is_paper: bool
    open_count: int
    equal_count: int  # equal orders lately
    max_equals: int
    repeat_latch: tuple[int, int, str] | None
    mid_span: tuple[int, int] | None  # lowest and highest bid + ask lately, where a limit asks for it
    order_count: int  # orders of this module so far
    short_1e17: int  # by how much the free balance falls short
