"""Whether a book message follows the one before it, by OKX's own numbering.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel (Sequence ID): a snapshot has
`prevSeqId` −1; an update's `prevSeqId` is the `seqId` of the message before it. Two cases look like gaps and are none:
no change for about a minute (an empty update, `seqId` = `prevSeqId` = the last), and a reset for maintenance (`seqId`
below `prevSeqId`, which still chains). A message of before 2023 has no numbers: its checksum must vouch for it.
"""

from typing import Final

NOT_SAID: Final = -2  # what a message without the field is read as; the venue's own smallest number is −1
_BEGIN: Final = -1


class Chain:
    """`last`: the number of the last message; NOT_SAID where that had none."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = NOT_SAID

    def begin(self, previous: int, number: int) -> str:
        """A snapshot; why it cannot be one, else ""."""
        if previous not in (_BEGIN, NOT_SAID) or number < NOT_SAID or (previous == _BEGIN and number < 0):
            return f"a snapshot numbered {previous} → {number}"
        self.last = number if number >= 0 else NOT_SAID
        return ""

    def follow(self, previous: int, number: int, *, is_empty: bool, is_summed: bool) -> tuple[str, bool]:
        """An update: (why it cannot follow, whether a message was lost), ("", False) if it follows."""
        if previous == NOT_SAID == number == self.last:
            return ("", False) if is_summed else ("an update without a number and without a checksum", False)
        if previous != self.last or previous < 0 or number < 0:
            return f"seqId gap: {_shown(previous)} → {_shown(number)} after {_shown(self.last)}", True
        if number == previous and not is_empty:
            return f"changes under the number of the message before, {number}", False
        self.last = number
        return "", False


def _shown(number: int) -> str:
    return "none" if number == NOT_SAID else str(number)
