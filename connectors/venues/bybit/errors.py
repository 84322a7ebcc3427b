"""What Bybit's codes mean, and what the caller does next. https://bybit-exchange.github.io/docs/v5/error

Texts here are `<retCode>: <retMsg>`, or the status of HTTP where no JSON came. A code that is not listed decides
nothing: its outcome is unknown, and a person is told.
"""

import re
from typing import Final

from connectors.events import RejectCode
from connectors.exchange.verdict import UNLISTED, Next, Verdict

CLOCK: Final = 10002  # our time is not the venue's
RESTARTING: Final = 10019  # this trade socket takes nothing more: another connection
IN_PROGRESS: Final = 170212  # a cancel of this order is under way
SHUT_OUT: Final = frozenset({403, 10018})  # this address, for a while
_CODE: Final = re.compile(r"([0-9]{3,8}):")

_FUNDS: Final = Verdict(Next.DEFINITE, RejectCode.INSUFFICIENT_BALANCE)
_PARAMS: Final = Verdict(Next.DEFINITE, RejectCode.INVALID_PARAMS)
_FULL: Final = Verdict(Next.DEFINITE, RejectCode.RATE_LIMIT)
_CLOSED: Final = Verdict(Next.DEFINITE, RejectCode.EXCHANGE_BUSY)
_SLOWER: Final = Verdict(Next.BACK_OFF, RejectCode.RATE_LIMIT)
_BUSY: Final = Verdict(Next.BACK_OFF, RejectCode.EXCHANGE_BUSY)
_DOUBT: Final = Verdict(Next.UNKNOWN, RejectCode.EXCHANGE_BUSY)
_USED: Final = Verdict(Next.UNKNOWN, RejectCode.INVALID_PARAMS)
_HALT: Final = Verdict(Next.HALT, RejectCode.AUTH)

# what is refused for an order that is no more: it was filled or cancelled meanwhile, or never began
RACES: Final = frozenset({170139, 170142, 170143, 170190, 170213, 110001, 110008, 110010})
TABLE: Final = {
    **dict.fromkeys(RACES, _PARAMS),
    # parameters, prices, sizes, ids
    **dict.fromkeys(
        (10001, 10017, 10029, 10404, 110003, 170105, 170115, 170116, 170117, 170121, 170124,
         170130, 170132, 170133, 170134, 170135, 170136, 170137, 170140, 170145, 170148, 170192, 170193,
         170194, 170197, 170198, 170202, 170218, 170221, 170228, 170229, 170312, 170313),
        _PARAMS,
    ),
    **dict.fromkeys((110004, 110007, 110012, 170033, 170131), _FUNDS),
    **dict.fromkeys((110020, 170810), _FULL),  # so many orders may be open
    # the market is closed to this
    **dict.fromkeys(
        (110066, 110079, 170031, 170144, 170151, 170157, 170159, 170191, 170210, 170212, 170217, 170227), _CLOSED
    ),
    CLOCK: Verdict(Next.DEFINITE, RejectCode.NETWORK),
    **dict.fromkeys((403, 10006, 10018, 10403, 20003, 170005, 170222), _SLOWER),
    **dict.fromkeys((429, 10429), _BUSY),
    # an id that was used: by whom, and whether that order lives, only the account's record says
    **dict.fromkeys((20006, 110030, 110072, 170141), _USED),
    # nobody knows: time-outs, internal errors, restarts, and words that are neither yes nor no
    **dict.fromkeys(
        (10000, 10014, 10016, RESTARTING, 170001, 170007, 170032, 170035, 170146, 170147, 170149, 170150, 170195,
         170196, 170234, 170310, 170311),
        _DOUBT,
    ),
    # key, signature, permission, address, a ban, an account of another kind
    **dict.fromkeys((10003, 10004, 10005, 10007, 10008, 10009, 10010, 10024, 10027, 10028, 170201), _HALT),
}  # fmt: skip
# on the trade socket 10003 says that the account has too many sessions: of the key REST has said what it is
SOCKET: Final = {**TABLE, 10003: _SLOWER}


def code_of(text: str) -> int:
    """0: no code stands there."""
    found = _CODE.match(text)
    return int(found[1]) if found is not None else 0


def classify(text: str) -> Verdict:
    """The verdict on one error of REST."""
    return TABLE.get(code_of(text), UNLISTED)


def classify_on_socket(text: str) -> Verdict:
    """The verdict on one error of the trade socket."""
    return SOCKET.get(code_of(text), UNLISTED)
