"""What OKX's error codes mean, and what the caller does next. https://www.okx.com/docs-v5/en/#error-code

A text here is a code and the venue's words, `51008 Order failed. Insufficient USDT balance in account`; the code alone
decides. One that is not listed decides nothing: its outcome is unknown, and a person is told. Codes of derivatives,
bots and copy trading are not listed: an answer with one of them is a surprise.
"""

from typing import Final

from connectors.events import RejectCode
from connectors.exchange.verdict import UNLISTED, Next, Verdict

_FUNDS: Final = Verdict(Next.DEFINITE, RejectCode.INSUFFICIENT_BALANCE)
_PARAMS: Final = Verdict(Next.DEFINITE, RejectCode.INVALID_PARAMS)
_FULL: Final = Verdict(Next.DEFINITE, RejectCode.RATE_LIMIT)
_CLOSED: Final = Verdict(Next.DEFINITE, RejectCode.EXCHANGE_BUSY)
_CLOCK: Final = Verdict(Next.DEFINITE, RejectCode.AUTH)
_SLOWER: Final = Verdict(Next.BACK_OFF, RejectCode.RATE_LIMIT)
_DOUBT: Final = Verdict(Next.UNKNOWN, RejectCode.EXCHANGE_BUSY)
_TWICE: Final = Verdict(Next.UNKNOWN, RejectCode.INVALID_PARAMS)
_LOGIN: Final = Verdict(Next.RENEW, RejectCode.AUTH)
_HALT: Final = Verdict(Next.HALT, RejectCode.AUTH)

GONE: Final = frozenset({"51400", "51503", "51603"})  # filled, canceled, or never there: three cases in one code
TIMES: Final = frozenset({"50036", "50102", "50112", "60004", "60006"})  # our clock is not the venue's
OF_MARKET: Final = "50011"  # too many requests of one kind at one market
OF_ACCOUNT: Final = "50061"  # too many new orders and amends of the account

_BY_VERDICT: Final = {
    _FUNDS: "51008 51127 51131 51502",
    _PARAMS: "50002 50014 50015 50016 50024 50025 50115 50122 51000 51001 51002 51003 51004 51005 51006"
    " 51010 51011 51014 51015 51020 51021 51023 51031 51033 51101 51110 51111 51116 51120 51121 51122 51123 51124 51135"
    " 51136 51137 51138 51140 51150 51185 51196 51197 51201 51202 51203 51204 51400 51401 51402 51403 51404 51405 51407"
    " 51408 51410 51413 51500 51503 51506 51507 51508 51509 51510 51511 51512 51514 51603 54004 54036 54047 54048 54071"
    " 60012 60013 60018 60019 60027 60028 60033",
    _FULL: "51025 51102 51174 51406 51501 51513",
    _CLOSED: "50005 50036 50037 50032 50033 50046 50062 51022 51027 51028 51029 51030 51087 51155 54008 54072",
    _CLOCK: "50102 50112 60004 60006",
    _SLOWER: "50011 50040 50061 51113 60014 60023",
    # 51412 of a cancel: it timed out; 64007: the gateway's own failure, wherever it happened
    _DOUBT: "50001 50004 50013 50026 51054 51149 51412 63999 64007",
    # the id is taken: by the very order of ours that this answer denies, for all we know
    _TWICE: "50042 50071 51016",
    _LOGIN: "60009 60011",
    _HALT: "50007 50008 50012 50027 50028 50029 50030 50035 50041 50051 50052 50059 50060 50067 50100 50101 50103 50104"
    " 50105 50106 50107 50110 50111 50113 50114 50119 50120 50121 51009 51024 60005 60007 60024 60032",
}  # fmt: skip
TABLE: Final = {code: verdict for verdict, codes in _BY_VERDICT.items() for code in codes.split()}


def code_of(text: str) -> str:
    """`51008 Order failed…` or `51008_1000 …` → `51008`."""
    return text.partition(" ")[0].partition("_")[0]


def classify(text: str) -> Verdict:
    """The verdict on one error text."""
    return TABLE.get(code_of(text), UNLISTED)
