"""The Clock sysvar: which slot and which second an atomic read is of.

Layout: https://docs.anza.xyz/runtime/sysvars#clock and solana-clock's `Clock`, 40 bytes, no discriminator.
"""

from struct import Struct
from typing import Final

import msgspec

from connectors.errors import PoolRefused
from connectors.venues.solana.account import Accounts, required
from connectors.venues.solana.keys import CLOCK, SYSVAR

_CLOCK: Final = Struct("<QqQQq")


class Clock(msgspec.Struct, frozen=True):
    """`unix_timestamp`: the cluster's own, in seconds, which programs compare with."""

    slot: int
    epoch_start: int
    epoch: int
    leader_epoch: int
    unix_timestamp: int


def clock_of(accounts: Accounts) -> Clock:
    """The clock that was read with the other accounts. Raises PoolRefused."""
    account = required(accounts, CLOCK, "chain's clock")
    if account.owner != SYSVAR or len(account.data) != _CLOCK.size:
        raise PoolRefused(f"the chain's clock is {len(account.data)} bytes of {account.owner}: a layout not known")
    clock = Clock(*_CLOCK.unpack(account.data))
    if clock.unix_timestamp < 0:
        raise PoolRefused(f"the chain's clock says {clock.unix_timestamp} s: no time after 1970")
    return clock
