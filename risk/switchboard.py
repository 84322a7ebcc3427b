"""States, latches and overrides of a gate: what a person's hand and the gate's own alarms set, and a person takes back.

Only `arm` makes anything more permissive. `happened` is what was done besides saying yes or no, told once; `version`
rises whenever something changed that must survive a restart.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from risk.bounds import Deployment, ScopeBook
from risk.denial import DenyReason
from risk.exposure import Account
from risk.happenings import Happening, OverrideUsed, Switched
from risk.limits import Limits, LimitTree
from risk.market import Market
from risk.override import Grant
from risk.states import ALL, States, TradingState

GATEWAY: Final = "gateway"  # who does what nobody asked for


class Switchboard:
    """Of one account. `repeat_latched`: algo → limit, observed, scope.

    `grants`: overrides that wait for their order.
    """

    account: Account
    book: ScopeBook
    tree: LimitTree
    now_ns: int

    def __init__(self, markets: list[Market], deployments: Sequence[Deployment]) -> None:
        self.markets = markets
        self.deployments = deployments
        _name(markets, deployments)
        self.states = States()
        self.happened: list[Happening] = []
        self.version = 0
        self.grants: list[Grant] = []
        self.grants_used: set[str] = set()
        self.repeat_latched: dict[int, tuple[int, int, str]] = {}

    @property
    def limits(self) -> Limits:
        """The account's own."""
        return self.tree.account

    @property
    def state(self) -> TradingState:
        """Of all."""
        return self.states.get(ALL)

    @property
    def latched(self) -> set[str]:
        """Quote currencies in which the account's own loss or drawdown is latched."""
        return {one.quote for one in self.book.ledgers.values() if one.latches and one.scope == "account"}

    def knows(self, scope: str) -> bool:
        """Whether there is such a scope here; one that is not ACTIVE since before counts, whatever it is called."""
        kind, _, name = scope.partition(":")
        markets = self.markets
        names = {
            "venue": [market.venue for market in markets], "algo": [one.name for one in self.deployments],
            "instrument": [*(market.name for market in markets), *(market.symbol for market in markets)],
        }  # fmt: skip
        return scope == ALL or (bool(name) and name in names.get(kind, [])) or self.states.cause(scope) is not None

    def tighten(self, scope: str, state: TradingState, what: str, who: str, now_ns: int) -> bool:
        """Makes a scope stricter until a person re-arms it; False when it was as strict already."""
        before = self.states.get(scope)
        if not self.states.tighten(scope, state, what, who, now_ns):
            return False
        self.version += 1
        self.happened.append(Switched(scope, before, state, what, who))
        return True

    def arm(self, scope: str, who: str, now_ns: int) -> None:
        """A person re-arms a scope, with `all` everything: states, latches, drifts.

        What was latched starts its day anew.
        """
        del now_ns
        before = self.states.causes
        for one in self.states.arm(scope):
            self.happened.append(Switched(one, before[one].state, TradingState.ACTIVE, "armed", who))
        for ledger in self.book.ledgers.values():
            if ledger.latches and scope in (ALL, ledger.scope):
                ledger.latches.clear()
                ledger.new_day()
        for algo in [a for a in self.repeat_latched if scope in (ALL, f"algo:{self.deployments[a].name}")]:
            del self.repeat_latched[algo]
        for market in self.markets:
            if scope in (ALL, f"venue:{market.venue}", f"instrument:{market.symbol}", f"instrument:{market.name}"):
                market.drifted = False
        self.version += 1

    def silent(self, now_ns: int) -> list[str]:
        """Venues with open orders whose links have been silent for longer than allowed, halted by this."""
        found = []
        for venue, link in {
            m.venue: m.link for m in (self.markets[one.instrument] for one in self.account.live.values())
        }.items():
            scope = f"venue:{venue}"
            most_ns = min(self.book.value(scope, "max_feed_loss_ns"), self.limits.max_feed_loss_ns)
            age_ns = now_ns - (link.last_ns if link.last_ns >= 0 else link.down_ns)
            if age_ns > most_ns and self.tighten(scope, TradingState.HALTED, "feed loss", GATEWAY, now_ns):
                found.append(venue)
        return found

    def take(self) -> list[Happening]:
        """What happened since the last time this was asked."""
        happened, self.happened = self.happened, []
        return happened

    # --- what guests are shown -------------------------------------------------------------------------------------

    def shown(self, algo: int, index: int) -> Limits:
        """What RiskSnapshot shows an algo of a market: of each limit there the tightest that it is held to."""
        lies_in = [*self.book.of_market(self.markets[index]), f"algo:{self.deployments[algo].name}"]
        tightest = {
            key: min(self.book.value(scope, key) for scope in lies_in)
            for key in ("max_position_1e8", "max_daily_loss_1e9", "max_order_notional_1e9", "max_order_rate")
        }
        return msgspec.structs.replace(self.limits, **tightest)

    def is_reducing(self, algo: int, index: int) -> bool:
        """Whether a new order of this algo at this market must reduce, or cannot pass at all."""
        bounds, name = self.book.bounds(algo, index), f"algo:{self.deployments[algo].name}"
        state, _ = self.states.strictest((*bounds.state_scopes, name))
        both = self.account.exposures[index], self.account.owns[algo][index]
        is_latched = any(ledger.latches for exposure in both for ledger in exposure.ledgers)
        return state is not TradingState.ACTIVE or is_latched or algo in self.repeat_latched

    # --- overrides -------------------------------------------------------------------------------------------------

    def grant(self, grant: Grant) -> bool:
        """A signed override, checked at the door; False when it was given before."""
        self.grants = [one for one in self.grants if one.expires_ns > self.now_ns]
        if grant.id in self.grants_used or any(one.id == grant.id for one in self.grants):
            return False
        self.grants.append(grant)
        return True

    def used(self, grant: Grant, client_order_id: str, skipped: Sequence[DenyReason]) -> None:
        """It let one order through, and no other ever."""
        self.grants.remove(grant)
        self.grants_used.add(grant.id)
        self.happened.append(OverrideUsed(grant.id, client_order_id, tuple(skipped), grant.who))


def _name(markets: Sequence[Market], deployments: Sequence[Deployment]) -> None:
    """Everything has a name of its own: memory and scopes go by them."""
    seen: set[str] = set()
    for number, market in enumerate(markets):
        market.name = market.name if market.name and market.name not in seen else f"market{number}"
        seen.add(market.name)
    for number, deployment in enumerate(deployments):
        deployment.name = deployment.name or f"algo{number}"
