"""What an endpoint's notifications say of each account, in the order of slots, and what that is to what is shown.

A notification is of one account at one slot's end. A node tells them in the order of slots, may tell the same again,
may tell of a fork and then the old state once more, and may be later than another node behind the same address, which
answered a read (agave issues 6303, 9910, 18204). For one account, against the last notification of it:

| its slot | its data | |
|---|---|---|
| the same, or lower | the same | OLD: said before |
| the same | other | CONTRADICTS: one of the two is not of that slot |
| lower | other | BACK: a rollback, or another node behind the same address |
| higher | | against the read that is shown, as below |

| against the read | its data | |
|---|---|---|
| its slot is higher | | NEWS: read again, from that slot on |
| the same slot | the same | OLD |
| the same slot | other | CONTRADICTS |
| its slot is lower | the same | OLD |
| its slot is lower, and the stream had been at the read's slot before | other | BACK |
| its slot is lower, and the stream had not | other | LATE: it may have changed again since; read again |
"""

from enum import Enum, auto

import msgspec

from connectors.venues.solana.account import Account
from connectors.venues.solana.keys import SYSTEM


class Word(Enum):
    """What a notification is."""

    NEWS = auto()
    OLD = auto()
    LATE = auto()
    BACK = auto()
    CONTRADICTS = auto()


class At(msgspec.Struct, frozen=True):
    """An account at a slot, by a notification or a read."""

    slot: int
    account: Account | None

    def says(self, account: Account | None) -> bool:
        """Whether it says just this of the account."""
        return existing(self.account) == existing(account)


def existing(account: Account | None) -> Account | None:
    """None for one that is not there: a read says null of it, and a notification that the system program has it and it
    is empty (agave writes so on closing)."""
    return None if account is None or (account.owner == SYSTEM and not account.data) else account


class Words:
    """One endpoint's, since it is followed."""

    def __init__(self) -> None:
        self._told: dict[str, At] = {}
        self._newest = 0  # slot that the stream has come to

    def clear(self) -> None:
        self._told.clear()
        self._newest = 0

    def heard(self, key: str, said: At) -> tuple[Word, int]:
        """Takes a notification: what it is to the ones before, and the slot the stream had come to until now.

        NEWS of it is then to be weighed with `against`, for each pool that has the account.
        """
        before, newest = self._told.get(key), self._newest
        if before is not None and said.slot <= before.slot:
            if said.says(before.account):
                return Word.OLD, newest
            self._told[key], self._newest = said, said.slot
            return (Word.CONTRADICTS if said.slot == before.slot else Word.BACK), newest
        self._told[key], self._newest = said, max(newest, said.slot)
        return Word.NEWS, newest

    def agrees(self, key: str, read: At) -> bool:
        """Whether a read says what the notification of the same slot said, if there was one."""
        told = self._told.get(key)
        return told is None or told.slot != read.slot or told.says(read.account)

    def back(self, slot: int) -> None:
        """The node went back to this slot: what it told of later ones is of a fork that is gone."""
        self._newest = min(self._newest, slot)
        for key in [key for key, told in self._told.items() if told.slot > slot]:
            del self._told[key]

    def forget(self, key: str) -> None:
        """No more is told of this account."""
        self._told.pop(key, None)


def against(said: At, read: At, newest: int) -> Word:
    """What a notification is to the read that is shown; `newest`: the slot the stream had come to before it."""
    if said.slot > read.slot:
        return Word.NEWS
    if said.says(read.account):
        return Word.OLD
    if said.slot == read.slot:
        return Word.CONTRADICTS
    return Word.BACK if newest >= read.slot else Word.LATE
