"""What the hosted feed says, and what it is told: unified messages of ccxt.pro as JSON, every number as a text.

`runtime/hosted/` writes these from ccxt's dictionaries (https://docs.ccxt.com/#/ccxt.pro.manual), whose floats are
written in the shortest form that reads back as the same float.
"""

import msgspec

# {"op":"markets","markets":[{"symbol":"BTC/USDT","id":"BTCUSDT","tick":"0.01","lot":"1e-06","min_qty":"1e-06",
#  "min_cost":"1","is_active":true,"why":""}]}


class Market(msgspec.Struct, frozen=True):
    """One market that was asked for. Texts are "" where ccxt does not know. `why`: why it cannot be followed."""

    symbol: str
    id: str = ""
    tick: str = ""
    lot: str = ""
    min_qty: str = ""
    min_cost: str = ""
    is_active: bool = True
    why: str = ""


class Markets(msgspec.Struct, tag_field="op", tag="markets"):
    """Every market that was asked for, once."""

    markets: list[Market]


# {"op":"book","symbol":"BTC/USDT","bids":[["62806.9","0.5"]],"asks":[["62807.0","1.2"]],"ms":1755338645123}


class Book(msgspec.Struct, tag_field="op", tag="book"):
    """The whole book as ccxt has it now, best first, so many levels as were asked for. `ms` 0: not told."""

    symbol: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    ms: int = 0


# {"op":"trades","symbol":"BTC/USDT","trades":[{"id":"77","price":"62807","qty":"0.01","side":"buy",
#  "ms":1755338645120}]}


class TradeItem(msgspec.Struct, frozen=True):
    """One public trade; `side` is the taker's."""

    price: str
    qty: str
    side: str = ""
    id: str = ""
    ms: int = 0


class Trades(msgspec.Struct, tag_field="op", tag="trades"):
    """Trades since the last such message."""

    symbol: str
    trades: list[TradeItem]


# {"op":"failed","channel":"book","symbol":"FOO/BAR","error":"BadSymbol","text":"bitget does not have market symbol …"}


class Failed(msgspec.Struct, tag_field="op", tag="failed"):
    """What was asked for has ended, or never began. `error`: the class of ccxt's exception."""

    channel: str
    symbol: str = ""
    error: str = ""
    text: str = ""


# {"op":"alive"}


class Alive(msgspec.Struct, tag_field="op", tag="alive"):
    """Once a second, while every socket that ccxt has opened is open."""


Message = Markets | Book | Trades | Failed | Alive

decode = msgspec.json.Decoder(Message).decode
