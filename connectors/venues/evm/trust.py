"""Whether what is followed may be shown: disputes about blocks, doubts about states, and when they are over.

A dispute or a doubt ends when those who contradicted agree. If they are gone instead, it is held for a minute more: who
cannot be asked has not taken anything back, but an endpoint that is gone for good must not silence the others for ever.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from connectors.chain import ChainPlan
from connectors.onchain.asker import SECOND
from connectors.venues.evm.council import Verdict, judge
from connectors.venues.evm.endpoint import Endpoint

HELD_NS: Final = 60 * SECOND
NEW_NS: Final = 3 * SECOND


class Trust:
    """`reason` says why nothing may be shown; empty: it may."""

    def __init__(self, plan: ChainPlan, endpoints: Sequence[Endpoint]) -> None:
        self._new_until_ns = 0  # till then these states wait for the other endpoints' word
        self._plan = plan
        self._endpoints = endpoints
        self._dispute = ""
        self._disputed_ns = 0
        self._doubt = ""
        self._doubters: dict[str, int] = {}  # who said otherwise → when it was last there to take it back

    def reason(self, now_ns: int) -> str:
        if self._dispute or self._doubt:
            return self._dispute or self._doubt
        return "not compared with the other endpoints yet" if now_ns < self._new_until_ns else ""

    @property
    def is_doubted(self) -> bool:
        return bool(self._doubt)

    def judge(self, followed: Endpoint, now_ns: int) -> Verdict:
        """The endpoints' heads, as `council.judge` has it; its dispute is kept here."""
        verdict = judge(self._endpoints, followed, self._plan, now_ns)
        if verdict.dispute:
            self._dispute, self._disputed_ns = verdict.dispute, now_ns
        elif verdict.agreed or now_ns - self._disputed_ns > HELD_NS:
            self._dispute = ""
        return verdict

    def switched(self, now_ns: int, *, has_others: bool) -> None:
        """Another endpoint is followed: what was said of the last one's states says nothing of these.

        The others are asked before they are shown; who does not answer soon has not objected.
        """
        self._doubt = ""
        self._doubters.clear()
        self._new_until_ns = now_ns + NEW_NS if has_others else 0

    def compared(self, found: Mapping[str, str], followed: Endpoint, now_ns: int) -> Verdict:
        """What endpoints say of our states: link → '' or what differs. The followed one itself has no objection."""
        self._new_until_ns = 0
        for endpoint in self._endpoints:
            link = endpoint.link
            if found.get(link):
                self._doubters[link] = now_ns
            elif link in found:
                self._doubters.pop(link, None)
            elif link in self._doubters and endpoint.is_usable:
                self._doubters[link] = now_ns
            elif now_ns - self._doubters.get(link, now_ns) > HELD_NS:
                del self._doubters[link]
        against = {link: text for link, text in found.items() if text}
        agree = len(found) - len(against) + (followed.link not in found)  # whose word the states are, itself
        united = max(Counter(against.values()).values(), default=0)
        if against and agree != united:
            self._doubters.clear()
            self._doubt = ""
            agreeing = {followed.link, *(link for link, text in found.items() if not text)}
            outvoted = against if agree > united else agreeing
            return Verdict(wrong=tuple(one for one in self._endpoints if one.link in outvoted))
        if against:
            link, text = next(iter(against.items()))
            self._doubt = f"endpoints disagree: {link} says otherwise: {text}"
        elif not self._doubters:
            self._doubt = ""
        return Verdict(dispute=self._doubt)
