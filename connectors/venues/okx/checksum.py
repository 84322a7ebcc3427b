"""OKX's book checksum of before 2025.
https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel

CRC-32 (zlib's polynomial) as a signed 32-bit number, of the best 25 bids and asks in turn, `bidPx:bidSz:askPx:askSz:…`;
what one side lacks is skipped. The venue takes the texts as it printed them. It prints numbers in their shortest form
(`30244`, `0.08`; never `30244.0`: none of the levels of the recording of 2022 ends in a zero behind the dot), so the
integers that we keep, printed without trailing zeros, are those texts. Should it ever print others, the sums differ and
the book is lost: never the other way round.

The field is fixed to 0 today, which means that there is none. Where it is not 0, it counts.
"""

from typing import Final
from zlib import crc32

from connectors.book import L2Book
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, trimmed_text

LEVELS: Final = 25
_SIGN: Final = 1 << 31


def signed(text: str) -> int:
    """CRC-32 of `text`, read as a signed number."""
    return (crc32(text.encode()) ^ _SIGN) - _SIGN


def checksum(book: L2Book) -> int:
    """Of the book's best 25 levels a side; 0 for an empty book."""
    bids, asks = book.bids[:LEVELS], book.asks[:LEVELS]
    parts = []
    for rank in range(max(len(bids), len(asks))):
        for side in (bids, asks):
            if rank < len(side):
                px_1e9, sz_1e8 = side[rank]
                parts.append(f"{trimmed_text(px_1e9, PRICE_DECIMALS)}:{trimmed_text(sz_1e8, SIZE_DECIMALS)}")
    return signed(":".join(parts))
