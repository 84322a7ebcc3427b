"""Kraken's book checksum. https://docs.kraken.com/api/docs/guides/spot-ws-book-v2

CRC-32 (zlib's polynomial) of the ASCII of the ten best asks, low to high, then the ten best bids, high to low; each
level is price then quantity, printed with exactly the pair's decimals, without the dot and without leading zeros.
Of a side with fewer than ten levels, what exists is used (the docs do not say; such a book that disagrees is invalid).
"""

from zlib import crc32

from connectors.book import L2Book

LEVELS = 10


def checksum(book: L2Book) -> int:
    """Unsigned CRC-32 of the book's top ten; 0 for an empty book."""
    return crc32(book.texts(LEVELS).encode())
