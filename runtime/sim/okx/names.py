"""Instruments as OKX names them: by instId, and by a whole number of their own, the instIdCode (venues.md 4.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from runtime.sim.exchange.numbers import fixed, short
from runtime.sim.market import SimPair, seeded

STATES: Final = {"online": "live", "maintenance": "suspend", "cancel_only": "suspend"}


class Names:
    """Both names → our symbol, and back. The codes belong to the names, whatever else is listed."""

    def __init__(self, pairs: Iterable[SimPair]) -> None:
        self.ids: dict[str, str] = {}
        self.codes: dict[str, int] = {}
        self._by_id: dict[str, str] = {}
        self._by_code: dict[int, str] = {}
        for pair in pairs:
            inst_id = f"{pair.base}-{pair.quote}"
            code = seeded(f"okx/{inst_id}").randrange(10_000, 900_000)
            while code in self._by_code:
                code += 1
            self.ids[pair.symbol], self.codes[pair.symbol] = inst_id, code
            self._by_id[inst_id], self._by_code[code] = pair.symbol, pair.symbol

    def symbol(self, inst_id: object) -> str:
        """Our symbol of an instId, "" for one that is not listed."""
        return self._by_id.get(inst_id, "") if isinstance(inst_id, str) else ""

    def meant(self, item: dict[str, Any]) -> str:
        """Our symbol of what names an instrument by its code, its id or both; "" where it names none or two."""
        found = set()
        if "instIdCode" in item:
            code = item["instIdCode"]
            found.add(self._by_code.get(code, "") if type(code) is int else "")
        if "instId" in item:
            found.add(self.symbol(item["instId"]))
        return found.pop() if len(found) == 1 else ""


def instrument_row(names: Names, pair: SimPair, status: str) -> dict[str, Any]:
    """One instrument as /public/instruments and the instruments channel show it."""
    most = 10**10 * 10**pair.qty_precision
    return {
        "alias": "", "baseCcy": pair.base, "category": "1", "ctMult": "", "ctType": "", "ctVal": "", "ctValCcy": "",
        "expTime": "", "instFamily": "", "instId": names.ids[pair.symbol], "instIdCode": names.codes[pair.symbol],
        "instType": "SPOT", "lever": "", "listTime": "1548133413000", "lotSz": fixed(1, pair.qty_precision),
        "maxIcebergSz": short(most, pair.qty_precision), "maxLmtAmt": "20000000",
        "maxLmtSz": short(most, pair.qty_precision), "maxMktAmt": "1000000", "maxMktSz": "1000000",
        "maxStopSz": "1000000", "maxTriggerSz": short(most, pair.qty_precision),
        "maxTwapSz": short(most, pair.qty_precision), "minSz": short(pair.qty_min, pair.qty_precision), "optType": "",
        "quoteCcy": pair.quote, "ruleType": "normal", "settleCcy": "", "state": STATES.get(status, "live"), "stk": "",
        "tickSz": fixed(pair.tick, pair.price_precision), "tradeQuoteCcyList": [pair.quote], "uly": "",
    }  # fmt: skip
