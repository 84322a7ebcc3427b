"""Coinbase's answers over HTTP: which of them say yes, which say no, and which say nothing.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/create-order and the pages beside it. An
order that was refused is answered with 200 and `success` false; one that was created has `success` true, whatever
reasons stand beside it. Anything but a clear yes or no is silence: 5xx, a gateway's page, half a body, an answer about
another order.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.exchange.requests import Request, Requests
from connectors.exchange.rest import Reply, unreadable
from connectors.session import Output
from connectors.venues.coinbase import private
from connectors.venues.coinbase.errors import classify, reason

_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
_WORDS_MAX: Final = 160
# Statuses that mean one thing, whatever the body is: it is "Unauthorized" in plain text, or a gateway's page.
_PLAIN: Final = {401: "Unauthorized", 429: "rate_limit_exceeded"}


def read(status: int, body: bytes) -> Reply:
    """Any answer but status 0."""
    if 200 <= status < 300:
        return Reply("", msgspec.Raw(body)) if body.lstrip()[:1] == b"{" else unreadable(status, body)
    if status in _PLAIN:
        words = " ".join(body[:_WORDS_MAX].decode(errors="replace").split())
        return Reply(f"{_PLAIN[status]}: {words}" if words not in ("", _PLAIN[status]) else _PLAIN[status])
    if not 400 <= status < 500:
        return unreadable(status, body)
    try:
        error = private.decode_error(body)
    except _UNREADABLE:
        return unreadable(status, body)
    told = [error.error, error.message or error.error_details]
    for item in error.errors:
        told += [item.id, item.message]
    words = ": ".join(dict.fromkeys(word for word in told if word))
    return Reply(words) if words else unreadable(status, body)


class Answers:
    """What they mean for requests in flight."""

    def __init__(self, account: Account, requests: Requests) -> None:
        self._account = account
        self._requests = requests
        self._kinds: dict[str, Callable[[Request, msgspec.Raw, int], list[Output]]] = {
            "new": self._new,
            "amend": self._edit,
            "cancel": self._cancel,
        }

    def answered(self, request: Request, reply: Reply, now_ns: int) -> list[Output]:
        if reply.is_silent:
            return self._requests.doubt(request, reply.error)
        if reply.error:
            return self._refused(request, reply.error, now_ns)
        try:
            return self._kinds[request.kind](request, reply.result, now_ns)
        except _UNREADABLE as error:
            return self._requests.doubt(request, f"an answer that cannot be read: {error}")

    def _refused(self, request: Request, text: str, now_ns: int) -> list[Output]:
        """Of a request that the channel or a look has answered with yes already, somebody is wrong."""
        if self._requests.is_open(request):
            return self._requests.refused(request, text, classify(text), now_ns)
        if all(known.is_done for known in request.orders):
            return []
        self._account.look_why = f"a {request.kind} was told as made, and then refused: {text}"
        return [Notice("error", f"{self._account.venue}: {self._account.look_why}")]

    def _new(self, request: Request, result: msgspec.Raw, now_ns: int) -> list[Output]:
        answer = private.decode_new(result)
        if not answer.success:
            error = answer.error_response or private.NotCreated()
            text = reason(
                error.error, error.new_order_failure_reason, error.preview_failure_reason, answer.failure_reason,
                words=error.message or error.error_details,
            )  # fmt: skip
            text = text or "UNKNOWN_FAILURE_REASON"
            return self._refused(request, text, now_ns)
        created = answer.success_response or private.Created()
        name = request.orders[0].name if request.orders else created.client_order_id
        if created.client_order_id not in ("", name):
            return self._requests.doubt(request, f"an answer about order {created.client_order_id:.40}")
        venue_id = created.order_id or answer.order_id
        if not venue_id:
            return self._requests.doubt(request, "an order was created, and its answer has no id")
        return self._requests.taken(request, now_ns, venue_id) if request.orders else []

    def _edit(self, request: Request, result: msgspec.Raw, now_ns: int) -> list[Output]:
        """Success says that the edit was placed: that it was made, the user channel tells."""
        answer = private.decode_edit(result)
        if answer.success:
            return self._requests.accepted(request, now_ns)
        errors = answer.errors[:1] or [private.EditError()]
        text = reason(errors[0].edit_failure_reason, errors[0].preview_failure_reason)
        return self._refused(request, text or "UNKNOWN_EDIT_ORDER_FAILURE_REASON", now_ns)

    def _cancel(self, request: Request, result: msgspec.Raw, now_ns: int) -> list[Output]:
        results = private.decode_cancel(result).results
        if not request.orders:
            return []  # it ended meanwhile
        venue_id = request.orders[0].venue_id
        found = [one for one in results if one.order_id == venue_id]
        if not found:
            return self._requests.doubt(request, f"an answer that says nothing of order {venue_id}")
        if found[0].success:
            return self._requests.accepted(request, now_ns)
        return self._refused(request, reason(found[0].failure_reason) or "UNKNOWN_CANCEL_FAILURE_REASON", now_ns)
