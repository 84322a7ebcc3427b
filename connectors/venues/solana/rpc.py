"""What a Solana node tells beyond JSON-RPC itself: slots, accounts at a slot, fees; and answers of HTTP. No state.

https://solana.com/docs/rpc

    {"jsonrpc":"2.0","method":"slotNotification","params":{"result":{"parent":75,"root":44,"slot":76},"subscription":0}}
    {"jsonrpc":"2.0","method":"accountNotification","params":{"subscription":23784,"result":{"context":{"slot":76},
     "value":{"data":["…","base64"],"owner":"CAMMC…","lamports":1,"executable":false,"rentEpoch":635,"space":80}}}}
    {"jsonrpc":"2.0","id":9,"result":{"context":{"apiVersion":"2.0.15","slot":76},"value":[{…}, null]}}
    {"jsonrpc":"2.0","id":9,"result":[{"slot":76,"prioritizationFee":1000}]}
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from connectors.errors import WireError
from connectors.onchain.jsonrpc import Message, message_of

KEYS_MAX: Final = 100  # accounts of one getMultipleAccounts
FEE_KEYS_MAX: Final = 128  # of one getRecentPrioritizationFees
MIN_CONTEXT_SLOT: Final = -32016  # the node has not come to that slot yet
UNHEALTHY: Final = -32005  # the node is behind the cluster; providers use it for a rate limit as well
RATE_LIMITED: Final = frozenset({UNHEALTHY, -32097, -32429, 429})
HTTP_OK: Final = 200
HTTP_LIMITS: Final = frozenset({429, 503})
ENCODING: Final = "base64+zstd"
_HEAD: Final = re.compile(rb"([0-9]{1,19}) ([0-9]{1,3})\n")
_TEXT_MAX: Final = 200
_ID_MAX: Final = 20

SlotNumber = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Context(msgspec.Struct):
    slot: SlotNumber


class _Told(msgspec.Struct):
    context: _Context
    value: msgspec.Raw


class _Many(msgspec.Struct):
    context: _Context
    value: list[msgspec.Raw]


class _Slot(msgspec.Struct):
    slot: SlotNumber


class _Fee(msgspec.Struct, rename="camel"):
    slot: SlotNumber
    prioritization_fee: Annotated[int, msgspec.Meta(ge=0)]


_decode_told = msgspec.json.Decoder(_Told).decode
_decode_many = msgspec.json.Decoder(_Many).decode
_decode_slot = msgspec.json.Decoder(_Slot).decode
_decode_number = msgspec.json.Decoder(SlotNumber).decode
_decode_fees = msgspec.json.Decoder(list[_Fee]).decode
_UNREADABLE: Final = msgspec.MsgspecError, UnicodeDecodeError, RecursionError


class HttpAnswer(msgspec.Struct, frozen=True):
    """One HTTP call's end. `problem`: why it is no answer of the node's, and `is_limit`: because of too many; else ''
    and `message`, whose id is the call's."""

    number: int
    message: Message | None = None
    problem: str = ""
    is_limit: bool = False


def http_answer_of(frame: bytes) -> HttpAnswer:
    """A frame of the link of HTTP calls. Raises WireError for one that cannot be of that link."""
    head = _HEAD.match(frame)
    if head is None:
        raise WireError(f"{frame[:40]!r} is no answer to a call")
    number, status, body = int(head[1]), int(head[2]), frame[head.end() :]
    if not status:
        return HttpAnswer(number, problem=f"no answer: {_words(body)}")
    if status != HTTP_OK and not _is_refusal(number, body):
        return HttpAnswer(number, problem=f"HTTP status {status}: {_words(body)}", is_limit=status in HTTP_LIMITS)
    try:
        message = message_of(body)
    except WireError as error:
        return HttpAnswer(number, problem=str(error))
    if message.id != number:
        other = _words(str(message.id).encode(errors="replace")[:_ID_MAX])
        return HttpAnswer(number, problem=f"the answer is to request {other}, not {number}")
    return HttpAnswer(number, message)


def _words(body: bytes) -> str:
    """The beginning of what a node or a gateway wrote, without what a terminal would act upon."""
    words = body[:_TEXT_MAX].decode(errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in words)


def _is_refusal(number: int, body: bytes) -> bool:
    """Whether it is the node's own word, whatever status a gateway gives it."""
    try:
        message = message_of(body)
    except WireError:
        return False
    return message.error is not None and message.id == number


def slot_told(raw: msgspec.Raw) -> int:
    """The slot of a slotNotification. Raises WireError."""
    try:
        return _decode_slot(raw).slot
    except _UNREADABLE as error:
        raise WireError(f"a slot that cannot be read: {error}") from error


def slot_of(raw: msgspec.Raw) -> int:
    """getSlot's answer. Raises WireError."""
    try:
        return _decode_number(raw)
    except _UNREADABLE as error:
        raise WireError(f"{bytes(raw)[:80]!r} is no slot") from error


def account_told(raw: msgspec.Raw) -> tuple[int, msgspec.Raw]:
    """(slot, account as it was written) of an accountNotification. Raises WireError."""
    try:
        found = _decode_told(raw)
    except _UNREADABLE as error:
        raise WireError(f"an account that cannot be read: {error}") from error
    return found.context.slot, found.value


def accounts_told(raw: msgspec.Raw, count: int) -> tuple[int, list[msgspec.Raw]]:
    """(slot, accounts as they were written) of getMultipleAccounts for so many keys. Raises WireError."""
    try:
        found = _decode_many(raw)
    except _UNREADABLE as error:
        raise WireError(f"accounts that cannot be read: {error}") from error
    if len(found.value) != count:
        raise WireError(f"{len(found.value)} accounts were told, {count} were asked for")
    return found.context.slot, found.value


def value_of(raw: msgspec.Raw) -> Any:
    """An account's JSON, for `account_of`. Raises WireError."""
    try:
        return msgspec.json.decode(raw)
    except _UNREADABLE as error:
        raise WireError(f"an account that cannot be read: {error}") from error


def fees_of(raw: msgspec.Raw) -> list[int]:
    """getRecentPrioritizationFees: micro-lamports a compute unit, one for each slot. Raises WireError."""
    try:
        return [fee.prioritization_fee for fee in _decode_fees(raw)]
    except _UNREADABLE as error:
        raise WireError(f"fees that cannot be read: {error}") from error


def reading(keys: Sequence[str], commitment: str, min_slot: int) -> list[Any]:
    """Parameters of getMultipleAccounts. `min_slot` 0: from whichever slot."""
    options: dict[str, Any] = {"commitment": commitment, "encoding": ENCODING}
    if min_slot:
        options["minContextSlot"] = min_slot
    return [list(keys), options]


def subscribing(key: str, commitment: str) -> list[Any]:
    """Parameters of accountSubscribe."""
    return [key, {"commitment": commitment, "encoding": ENCODING}]


def is_unhealthy(message: Message) -> bool:
    """Whether an error of code −32005 says what Solana means by it: the node itself is behind."""
    error = message.error
    words = error.message.lower() if error is not None else ""
    return error is not None and error.code == UNHEALTHY and ("behind" in words or "unhealthy" in words)
