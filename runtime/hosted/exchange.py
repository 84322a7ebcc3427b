"""One exchange object of ccxt.pro: made, pointed elsewhere for tests, its numbers and errors in our words.

ccxt is in the extra `ccxt` alone and imported only when such a venue is connected. An address is `ccxt://ID`; of a
simulated one `ccxt://ID?http=http://127.0.0.1:1&ws=ws://127.0.0.1:1&ws_private=ws://…`: scheme and host of every
address that ccxt has for it are replaced, and for private sockets the whole of it where that is given.
"""

import difflib
import importlib
import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from connectors.errors import ConfigError

SCHEME: Final = "ccxt"
# ccxt asks Coinbase's older API for balances, a page of them and what orders hold left unsaid; orders are in the newer
_OPTIONS: Final[dict[str, dict[str, Any]]] = {"coinbase": {"fetchBalance": "v3PrivateGetBrokerageAccounts"}}
_FOR_GOOD: Final = ("BadSymbol", "NotSupported", "ArgumentsRequired")


def is_hosted(url: str) -> bool:
    return url.startswith(f"{SCHEME}://")


def make(url: str, secrets: Mapping[str, str] | None = None) -> Any:
    """A `ccxt.pro` exchange. Raises ConfigError where ccxt is missing, or does not know or cannot follow it."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    library = _library()
    if name not in library.exchanges:
        close = difflib.get_close_matches(name, library.exchanges, 1)
        mend = (
            f"did you mean ccxt:{close[0]}?" if close else "see docs.ccxt.com for the exchanges that ccxt.pro follows"
        )
        raise ConfigError(f"ccxt.pro {library.__version__} knows no exchange {name!r}", place="--venues", mend=mend)
    where = {key: values[0] for key, values in parse_qs(parts.query).items()}
    given = {"apiKey": "key", "secret": "secret", "password": "passphrase"}
    keys = {theirs: secrets[ours] for theirs, ours in given.items() if secrets and ours in secrets}
    exchange = getattr(library, name)({**keys, "enableRateLimit": not where})
    if not exchange.has.get("watchOrderBook"):
        mend = "choose one that ccxt.pro streams books of"
        raise ConfigError(f"ccxt.pro has no book stream of {name}", place="--venues", mend=mend)
    _spot_alone(exchange.options)
    exchange.options |= _OPTIONS.get(name, {})
    if where:
        exchange.urls["api"] = _pointed(exchange.urls["api"], where, "")
    return exchange


def _spot_alone(options: dict[str, Any]) -> None:
    """Nothing else is followed here: the lists of futures and options are long, and come from other hosts."""
    options |= {"defaultType": "spot", "fetchMargins": False}
    said = options.get("fetchMarkets")
    if not isinstance(said, dict):
        return
    types = said.get("types")
    if isinstance(types, list):
        said["types"] = ["spot"]
    elif isinstance(types, dict):
        said["types"] = {kind: kind == "spot" for kind in types}


def _library() -> Any:
    try:
        return importlib.import_module("ccxt.pro")
    except ModuleNotFoundError as error:
        mend = "pip install 'venuegate[ccxt]'"
        raise ConfigError(f"{error.name} is not installed", place="--venues ccxt:…", mend=mend) from None


def _pointed(urls: Any, where: Mapping[str, str], name: str) -> Any:
    if isinstance(urls, dict):
        return {key: _pointed(value, where, key) for key, value in urls.items()}
    is_socket = urls.startswith("ws")
    if is_socket and "private" in name.lower() and "ws_private" in where:
        return where["ws_private"]
    rest = urls.partition("://")[2].partition("/")
    return where["ws" if is_socket else "http"] + rest[1] + rest[2]


def text(number: Any) -> str:
    """A number of ccxt's as the shortest text that reads back as it; "" for none, and for what is no number."""
    if number is None or isinstance(number, bool):
        return ""
    if isinstance(number, float):
        return repr(number) if math.isfinite(number) else ""
    return str(number)


def tick(exchange: Any, number: Any) -> str:
    """A precision as the size of its step; "" where it is none (significant digits) or not known."""
    mode = exchange.precisionMode
    if number is None or mode == 3:
        return ""
    return f"1e-{int(number)}" if mode == 2 else text(number)


def market_of(exchange: Any, symbol: str) -> dict[str, Any]:
    """What the session is told of one market (connectors/venues/ccxt/wire.py)."""
    found = exchange.markets.get(symbol)
    if found is None or not found.get("spot"):
        why = f"{exchange.id} does not list {symbol}" if found is None else f"{symbol} is no spot market there"
        return {"symbol": symbol, "why": why}
    limits, precision = found.get("limits") or {}, found.get("precision") or {}
    return {
        "symbol": symbol, "id": str(found.get("id") or ""),
        "tick": tick(exchange, precision.get("price")), "lot": tick(exchange, precision.get("amount")),
        "min_qty": text((limits.get("amount") or {}).get("min")),
        "min_cost": text((limits.get("cost") or {}).get("min")), "is_active": found.get("active") is not False,
    }  # fmt: skip


def is_network(error: BaseException) -> bool:
    """Whether the link is what broke, and not what was asked for: ccxt's NetworkError but for a wrong book."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, OSError | TimeoutError) or ("NetworkError" in names and "InvalidNonce" not in names)


def is_for_good(error: BaseException) -> bool:
    """Whether asking again would be answered the same."""
    return type(error).__name__ in _FOR_GOOD
