"""Products as Coinbase names them, and the one book behind BTC-USD and BTC-USDC (venues.md 2.2). Pure.

A product of USDC is an alias of its USD twin: what is asked for under the alias is answered with the twin's name on
public channels, while an order keeps the product it was placed on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.exchange.numbers import fixed, short
from runtime.sim.market import SimPair

if TYPE_CHECKING:
    from runtime.sim.exchange.order import Order

FULL: Final = {"BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana", "DOGE": "Dogecoin", "USD": "US Dollar"}


def product_of(pair: SimPair) -> str:
    """A pair's product: BTC/USD → BTC-USD."""
    return f"{pair.base}-{pair.quote}"


KINDS_OF: Final = {"gtc": "limit_limit_gtc", "gtd": "limit_limit_gtd", "ioc": "sor_limit_ioc", "fok": "limit_limit_fok"}


def product_id(order: Order) -> str:
    """The product that an order was placed on; one placed by hand in the engine has its pair's."""
    return str(order.spec.extra.get("product_id") or product_of(order.pair))


def kind_of(order: Order) -> str:
    """The configuration that an order was placed with; one placed by hand has the kind that says the same."""
    spec = order.spec
    usual = "market_market_ioc" if spec.order_type == "market" else KINDS_OF[spec.tif]
    return str(spec.extra.get("configuration") or usual)


class Names:
    """Product id → our symbol, aliases too; of each canonical product its aliases."""

    def __init__(self, pairs: Iterable[SimPair]) -> None:
        self._symbols: dict[str, str] = {}
        self._products: dict[str, str] = {}
        self.alias: dict[str, str] = {}
        """USDC product → the product whose book it shares."""
        listed = list(pairs)
        for pair in listed:
            self._symbols[product_of(pair)] = pair.symbol
            self._products[pair.symbol] = product_of(pair)
        for pair in listed:
            twin = f"{pair.base}-USDC"
            if pair.quote == "USD" and twin not in self._symbols:
                self.alias[twin] = product_of(pair)
        for twin, product in self.alias.items():
            self._symbols[twin] = self._symbols[product]

    def symbol(self, product_id: object) -> str:
        """Our symbol of a product or of its alias, "" for one that is not listed."""
        return self._symbols.get(product_id, "") if isinstance(product_id, str) else ""

    def product(self, symbol: str) -> str:
        """The canonical product of our symbol."""
        return self._products[symbol]

    def products(self) -> list[str]:
        """All of them, aliases behind what they stand for."""
        return [*self._products.values(), *self.alias]


def product_row(
    names: Names, product_id: str, pair: SimPair, status: str, last: int, day_lots: int, *, halted: bool
) -> dict[str, Any]:
    """One product as REST shows it (venues.md 2.5). `last`: the price; `day_lots`: what was traded since the start."""
    base, _, quote = product_id.partition("-")
    aliases = [twin for twin, product in names.alias.items() if product == product_id]
    tick = fixed(pair.tick, pair.price_precision)
    return {
        "product_id": product_id, "price": short(last, pair.price_precision), "price_percentage_change_24h": "0",
        "volume_24h": short(day_lots, pair.qty_precision), "volume_percentage_change_24h": "0",
        "base_increment": fixed(1, pair.qty_precision), "quote_increment": tick, "price_increment": tick,
        "quote_min_size": short(pair.cost_min, pair.cost_precision), "quote_max_size": "150000000",
        "base_min_size": short(pair.qty_min, pair.qty_precision), "base_max_size": "3400000000",
        "base_name": FULL.get(base, base), "quote_name": FULL.get(quote, quote), "watched": False,
        "is_disabled": status == "delisted", "new": False, "status": "delisted" if status == "delisted" else "online",
        "cancel_only": status == "cancel_only", "limit_only": status == "limit_only",
        "post_only": status == "post_only", "trading_disabled": halted, "auction_mode": False,
        "product_type": "SPOT", "quote_currency_id": quote, "base_currency_id": base,
        "fcm_trading_session_details": None, "mid_market_price": "", "alias": names.alias.get(product_id, ""),
        "alias_to": aliases, "base_display_symbol": base, "quote_display_symbol": "USD" if quote == "USDC" else quote,
        "view_only": False, "display_name": product_id, "product_venue": "CBE",
    }  # fmt: skip
