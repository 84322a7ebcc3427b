"""What Coinbase's words of refusal mean, and what the caller does next.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/create-order, …/cancel-order,
…/edit-order: `NewOrderFailureReason`, `PreviewFailureReason`, `CancelOrderFailureReason`, `EditOrderFailureReason`, and
the ids of errors of HTTP. A text is searched for the first word that is listed; the words of a preview are those of an
order with `PREVIEW_` before them. A text without one decides nothing: its outcome is unknown, and a person is told.

Reasons beginning with UNKNOWN are the fields' defaults and say nothing: of an order that was not created and has no
other reason nobody knows why, nor whether that is the last word. UNKNOWN_CANCEL_ORDER is one that does: there is no
such order to cancel, any more or yet.
"""

import re
from collections.abc import Iterable
from typing import Final

from connectors.events import RejectCode
from connectors.exchange.verdict import UNLISTED, Next, Verdict

_FUNDS: Final = Verdict(Next.DEFINITE, RejectCode.INSUFFICIENT_BALANCE)
_PARAMS: Final = Verdict(Next.DEFINITE, RejectCode.INVALID_PARAMS)
_CLOSED: Final = Verdict(Next.DEFINITE, RejectCode.EXCHANGE_BUSY)
_REFUSED: Final = Verdict(Next.DEFINITE, RejectCode.UNKNOWN)
_SLOWER: Final = Verdict(Next.BACK_OFF, RejectCode.RATE_LIMIT)
_DOUBT: Final = Verdict(Next.UNKNOWN, RejectCode.EXCHANGE_BUSY)
_TOKEN: Final = Verdict(Next.RENEW, RejectCode.AUTH)
_HALT: Final = Verdict(Next.HALT, RejectCode.AUTH)

TABLE: Final[dict[str, Verdict]] = {
    # a new order
    **dict.fromkeys(("INSUFFICIENT_FUND", "INSUFFICIENT_FUNDS", "INVALID_LEDGER_BALANCE",
                     "INSUFFICIENT_LEDGER_BALANCE"), _FUNDS),
    **dict.fromkeys(("UNSUPPORTED_ORDER_CONFIGURATION", "INVALID_SIDE", "INVALID_PRODUCT_ID", "INVALID_SIZE_PRECISION",
                     "INVALID_PRICE_PRECISION", "INVALID_LIMIT_PRICE_POST_ONLY", "INVALID_LIMIT_PRICE_POSTONLY",
                     "INVALID_LIMIT_PRICE", "INVALID_NO_LIQUIDITY", "INVALID_REQUEST", "INVALID_ORDER_CONFIG",
                     "INELIGIBLE_PAIR", "INVALID_BASE_SIZE_TOO_LARGE", "INVALID_BASE_SIZE_TOO_SMALL",
                     "INVALID_QUOTE_SIZE_PRECISION", "INVALID_QUOTE_SIZE_TOO_LARGE", "INVALID_QUOTE_SIZE_TOO_SMALL",
                     "INVALID_PRICE_TOO_LARGE", "BREACHED_PRICE_LIMIT", "LIMIT_PRICE_TOO_FAR_FROM_MARKET",
                     "FOK_ONLY_ALLOWED_ON_LIMIT_ORDERS", "POST_ONLY_NOT_ALLOWED_WITH_FOK"), _PARAMS),
    **dict.fromkeys(("ORDER_ENTRY_DISABLED", "UNTRADABLE_PRODUCT", "FOK_DISABLED", "MISSING_PRODUCT_PRICE_BOOK",
                     "MISSING_MARKET_TRADE_DATA", "MISSING_COMMISSION_RATE", "GEOFENCING_RESTRICTION"), _CLOSED),
    "COMMANDER_REJECTED_NEW_ORDER": _REFUSED,
    "UNKNOWN_FAILURE_REASON": _DOUBT,
    # a cancel
    **dict.fromkeys(("UNKNOWN_CANCEL_ORDER", "INVALID_CANCEL_REQUEST", "DUPLICATE_CANCEL_REQUEST",
                     "INVALID_CANCEL_PRODUCT_ID", "NOT_ALLOWED_TO_CANCEL", "ORDER_IS_FULLY_FILLED",
                     "ORDER_IS_BEING_REPLACED"), _PARAMS),
    "COMMANDER_REJECTED_CANCEL_ORDER": _REFUSED,
    "UNKNOWN_CANCEL_FAILURE_REASON": _DOUBT,
    # an edit
    **dict.fromkeys(("CANNOT_EDIT_TO_BELOW_FILLED_SIZE", "ORDER_NOT_FOUND", "CALLER_ID_MISMATCH",
                     "ONLY_LIMIT_ORDER_EDITS_SUPPORTED", "INVALID_EDITED_SIZE", "INVALID_EDITED_PRICE",
                     "INVALID_ORIGINAL_SIZE", "INVALID_ORIGINAL_PRICE", "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST",
                     "ONLY_OPEN_ORDERS_CAN_BE_EDITED", "SIZE_IN_QUOTE_EDITS_NOT_ALLOWED",
                     "ORDER_IS_ALREADY_BEING_REPLACED", "PORTFOLIO_NOT_ALLOWED_FOR_EDITS", "STRATEGY_NOT_SUPPORTED",
                     "EXCEEDED_MAX_ALLOWED_EDIT_REQUEST_COUNT"), _PARAMS),
    "COMMANDER_REJECTED_EDIT_ORDER": _REFUSED,
    "UNKNOWN_EDIT_ORDER_FAILURE_REASON": _DOUBT,
    # HTTP
    **dict.fromkeys(("INVALID_ARGUMENT", "NOT_FOUND", "not_found", "invalid_request", "validation_error",
                     "param_required"), _PARAMS),
    **dict.fromkeys(("PERMISSION_DENIED", "invalid_scope"), _HALT),
    **dict.fromkeys(("Unauthorized", "unauthorized", "UNAUTHENTICATED", "authentication_error", "expired_token",
                     "invalid_token"), _TOKEN),
    **dict.fromkeys(("rate_limit_exceeded", "resource_exhausted", "RESOURCE_EXHAUSTED"), _SLOWER),
    **dict.fromkeys(("INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "internal_server_error"), _DOUBT),
}  # fmt: skip
_WORD: Final = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)*")
_PREVIEW: Final = "PREVIEW_"


def classify(text: str) -> Verdict:
    """The verdict on one text."""
    for word in _WORD.findall(text):
        found = TABLE.get(word.removeprefix(_PREVIEW))
        if found is not None:
            return found
    return UNLISTED


def reason(*fields: str, words: str = "") -> str:
    """Of an answer's reasons those that say something, and its words; one that says nothing where none does."""
    told = [
        field for field in fields if field and (not field.startswith("UNKNOWN_") or field == "UNKNOWN_CANCEL_ORDER")
    ]
    if not told:
        told = [field for field in fields if field][:1]
    return ": ".join(_unique((*told[:1], words, *told[1:])))


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))
