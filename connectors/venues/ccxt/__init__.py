"""Any exchange that ccxt.pro can follow, as a venue: `ccxt:bitget`. https://docs.ccxt.com

The library owns its sockets and its keys' signatures, so it runs at the edge (`runtime/hosted/`), and what it says
comes here as frames, taped and replayed like any other venue's. It hands over floats and tells of no lost message: such
a venue has no checksum and no sequence, and says so (`Capabilities`).
"""

from collections.abc import Mapping
from typing import Final

from connectors.errors import ConfigError
from connectors.orders import OrderType
from connectors.session import Capabilities, Signed, Trading, Unsigned, Venue
from connectors.venues.ccxt.asked import asked
from connectors.venues.ccxt.orders import CcxtOrders
from connectors.venues.ccxt.session import DEPTHS, CcxtMarket
from connectors.venues.ccxt.trading import DEADLINE_NS, CcxtTrading

SCHEME: Final = "ccxt://"
# the guest's numbers for exchanges (crate `sequence-algo-sdk`); every other is `unknown`
VENUE_IDS: Final = {
    "kraken": 1, "coinbase": 2, "binance": 3, "bitget": 4, "cryptocom": 5, "bitmart": 6, "okx": 8, "bybit": 9,
}  # fmt: skip
UNKNOWN_ID: Final = 10
ABSENT: Final = {
    "checksum": "ccxt hands over books whose checksums it checked itself, or did not",
    "sequence": "ccxt does not tell of lost messages; an exchange's own error of that kind begins the book anew",
    "exact text": "ccxt reads numbers as floats; they are taken where they fall on the market's grid, and refused else",
}


def _unsigned(request: Unsigned, secrets: Mapping[str, str]) -> Signed:
    """ccxt signs by itself; nothing that it is given here goes anywhere."""
    del secrets
    return Signed(request.path, {}, request.body)


def family(name: str) -> Venue:
    """The venue of one exchange by ccxt's id of it. Raises ConfigError for what cannot be such an id.

    Whether ccxt knows it is found out where ccxt is: at the edge.
    """
    if not name.isalnum() or not name.islower() or not name.isascii():
        mend = "write ccxt's own id of the exchange: ccxt:bitget"
        raise ConfigError(f"no exchange can be called {name!r}", place="--venues", mend=mend)
    where = f"{SCHEME}{name}"
    return Venue(
        name=f"ccxt_{name}", venue_id=VENUE_IDS.get(name, UNKNOWN_ID), public_url=where,
        capabilities=Capabilities(
            depths=DEPTHS, checksum=False, order_types=tuple(OrderType), is_float=True, absent=ABSENT,
        ),
        market=lambda plan: CcxtMarket(plan, f"ccxt_{name}"), orders=CcxtOrders, asked=asked,
        trading=Trading(
            session=lambda plan: CcxtTrading(plan, f"ccxt_{name}"), private_url=where, rest_url=where, sign=_unsigned,
            deadline_ns=DEADLINE_NS, visible_ns=90 * 10**9, id_max=18,
        ),
        usual=("BTC/USDT", "ETH/USDT"),
    )  # fmt: skip
