"""Bugs planted in the depth ladder's source: each must break its promise where the checks look."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.amm import ladder
from connectors.amm.ladder import Depth, Pair
from connectors.errors import VenuegateError
from tests.support.ladders import Product, check_levels, check_pool, planted

PLANTED = {
    "prices rounded for the taker": ("gain = paid * scale // (size * unit)\n        while",
                                     "gain = -(-paid * scale // (size * unit))\n        while"),
    "joined levels rounded for the taker": ("            gain = paid * scale // (size * unit)",
                                            "            gain = -(-paid * scale // (size * unit))"),
    "asks rounded as bids are": ("return [(-gain, size) for gain", "return [(-gain - 1, size) for gain"),
    "money of the whole, size of the slice": ("size_at - size_before, money_at - money_before",
                                              "size_at - size_before, money_at"),
    "sizes of the whole": ("size_at - size_before, money_at - money_before", "size_at, money_at - money_before"),
    "equals not joined": ("while done and gain >= done[-1][0]", "while done and gain > done[-1][0]"),
    "nothing joined": ("while done and gain >= done[-1][0]", "while done and False"),
    "joined once only": ("while done and gain >= done[-1][0]", "if done and gain >= done[-1][0]"),
    "joined money forgotten": ("            paid += more_paid\n", ""),
    "joined size forgotten": ("            size += more_size\n", ""),
    "base decimals for the quote's": ("slices(depth.sizes, depth.costs, pair.quote_decimals, -1)",
                                      "slices(depth.sizes, depth.costs, pair.base_decimals, -1)"),
    "more than 17 decimals ignored": ("unit = 10 ** max(decimals - _VALUE_DECIMALS, 0)", "unit = 1"),
    "costs asked the wrong way round": ("curve.costs(pair.quote, pair.base, amounts)",
                                        "curve.costs(pair.base, pair.quote, amounts)"),
    "units of the wrong token": ("shift = pair.base_decimals - SIZE_DECIMALS",
                                 "shift = pair.quote_decimals - SIZE_DECIMALS"),
    "mid with its decimals the wrong way round": ("pair.base_decimals - pair.quote_decimals",
                                                  "pair.quote_decimals - pair.base_decimals"),
    "sizes not whole in the token": ("// step * step", ""),
    "a crossed ladder published": ("bids[0][0] >= asks[0][0]", "bids[0][0] > asks[0][0] + 10**9"),
    "bids of nothing published": ("if gain > 0]", "]"),
    "the whole side left out": ("gain >= -I64_MAX]", "gain >= -10**15]"),
}  # fmt: skip
FIXED = [
    (Depth((10**8, 2 * 10**8, 3 * 10**8), (300, 601, 903), (299, 597, 894)), Pair(0, 1, 8, 2)),
    (Depth((10**8, 2 * 10**8, 3 * 10**8), (301, 602, 906), (300, 600, 894)), Pair(0, 1, 8, 2)),
    (Depth((10**8, 2 * 10**8, 3 * 10**8, 10**9), (300, 602, 900, 10**30), (299, 590, 897, 897)), Pair(0, 1, 8, 2)),
    (Depth((7, 21, 33), (5 * 10**17 + 1, 16 * 10**17, 26 * 10**17), (4 * 10**17, 10**18, 15 * 10**17)),
     Pair(0, 1, 18, 24)),
    (Depth((10**8,), (300,), (300,)), Pair(0, 1, 8, 2)),
    (Depth((10**8, 2 * 10**8), (10**10, 10**11), (10**9, 10**9 + 1)), Pair(0, 1, 8, 2)),
]  # fmt: skip


def everything(of: Any) -> None:
    for depth, pair in FIXED:
        check_levels(of, depth, pair)
    for base_decimals in (0, 2, 6, 8, 18, 24):
        for quote_decimals in (2, 6, 18, 24):
            for base in (0, 1):
                pair = Pair(base, 1 - base, base_decimals, quote_decimals)
                reserves = [0, 0]
                reserves[base], reserves[1 - base] = 10 ** (base_decimals + 6), 17 * 10 ** (quote_decimals + 6)
                check_pool(of, Product((reserves[0], reserves[1]), 3000), pair)


def test_without_a_bug_they_keep_it() -> None:
    everything(ladder)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_seen(name: str) -> None:
    wrong = planted(ladder, *PLANTED[name])
    with pytest.raises((AssertionError, VenuegateError)):
        everything(wrong)
