"""From an `EngineSpec` to its parts: venues, markets, instances, and who is to be told about which market.

Markets are numbered venue by venue: one per symbol in the session's order, then one per pool.
"""

from collections import deque
from collections.abc import Mapping

from connectors.book import L2Book
from connectors.instrument import Instrument
from connectors.pool import PoolId
from oms.position import Position
from risk.bounds import Deployment
from risk.limits import tree_of
from risk.market import Market
from runtime.abi import Region
from runtime.features import Features
from runtime.inputs import Trace
from runtime.instance import AlgoInstance, Mail
from runtime.nbbo import Nbbo, Source
from runtime.pooltables import PoolTables
from runtime.port import Port
from runtime.regions import ChainFees, ConfigRegion, MeshTable, mesh_id, write_mesh
from runtime.spec import AlgoSpec, EngineSpec
from runtime.view import SymbolView

Follower = tuple[AlgoInstance, SymbolView]


class Assembly:
    """`followers[m]`: whose on_book market m is. `holders[m]`: who may hold a position there. `watchers[m]`: whose
    on_nbbo it may call. `poolers[m]`: in whose tables it is a pool, and its slot.
    """

    def __init__(self, spec: EngineSpec, trace: Trace) -> None:
        self.spec = spec
        self.limits = tree_of(spec.limits).account
        self.trace = trace
        self.ports: dict[str, Port] = {}
        self.markets: list[Market] = []
        self.names: list[str] = []
        self.mail: deque[Mail] = deque()
        self.fees = ChainFees()
        for venue in spec.venues:
            port = self.ports[venue.venue.name] = Port(venue, spec.symbols, len(self.markets))
            self.markets += port.markets(spec.symbols)
            self.names += [f"{port.name}:{symbol}" for symbol in spec.symbols]
            self.names += [f"{port.name}:{pool.name}" for pool in venue.pools]
        self.books: list[L2Book] = [market.book for market in self.markets]
        self.instruments: list[Instrument | None] = [market.instrument for market in self.markets]
        self.book_times = [""] * len(self.markets)
        for port in self.ports.values():
            port.start(
                spec.symbols, self.books, self.book_times, self.instruments, spec.fees, self.price_1e9,
                is_paper=spec.is_paper,
            )  # fmt: skip
        self.features: list[Features | None] = [None] * len(self.markets)
        self.followers: list[list[Follower]] = [[] for _ in self.markets]
        self.holders: list[list[Follower]] = [[] for _ in self.markets]
        self.watchers: list[list[Follower]] = [[] for _ in self.markets]
        self.poolers: list[list[tuple[AlgoInstance, PoolTables, int]]] = [[] for _ in self.markets]
        self.meshes = _meshes(spec)
        self.algos = [self._instance(index, algo) for index, algo in enumerate(spec.algos)]

    def price_1e9(self, symbol: str) -> int:
        """The mid of the first valid book of this symbol at a venue that is no chain; 0 while there is none."""
        if symbol not in self.spec.symbols:
            return 0
        place = self.spec.symbols.index(symbol)
        books = [self.books[port.first + place] for port in self.ports.values() if port.spec.chain is None]
        touches = [book.touch() for book in books if book.valid]
        return next(((bid + ask) // 2 for bid, ask in touches if bid and ask), 0)

    def _instance(self, index: int, algo: AlgoSpec) -> AlgoInstance:
        ports = [self.ports[name] for name in algo.venues] or list(self.ports.values())
        own, others = ports[0], ports[1:]
        at = [self.spec.symbols.index(symbol) for symbol in algo.symbols]
        elsewhere = {(port.venue_id, k): port.first + place for port in others for k, place in enumerate(at)}
        pools: dict[tuple[int, int], int] = {}
        for k, symbol in enumerate(algo.symbols):
            found = [market for port in ports for market, pool in port.pools.items() if pool.symbol == symbol]
            pools |= {(k, slot): market for slot, market in enumerate(found)}
        own_markets = tuple(own.first + place for place in at)
        deployment = Deployment(own.venue_id, own_markets, elsewhere, pools, name=algo.name, sha256=algo.guest.sha256)
        symbol_of = {market: k for k, market in enumerate(deployment.instruments)}
        symbol_of |= {market: k for (_, k), market in elsewhere.items()}
        symbol_of |= {market: k for (k, _), market in pools.items()}
        views = [self._view(algo, k, deployment, ports, symbol_of) for k in range(len(at))]
        config = ConfigRegion()
        if algo.params:
            config.set(algo.params, 0)
        mesh = self.meshes[index]
        if mesh is not None:
            for view in views:
                write_mesh(view.state.buffer, mesh)
        made = AlgoInstance(
            index, algo.name, algo.guest, deployment, views, symbol_of, self.trace, self.mail,
            config=config, mesh=mesh, fees=self.fees,
        )  # fmt: skip
        self._enlist(made)
        return made

    def _view(
        self, algo: AlgoSpec, k: int, deployment: Deployment, ports: list[Port], symbol_of: Mapping[int, int]
    ) -> SymbolView:
        own = deployment.instruments[k]
        view = SymbolView(k, own, self.limits)
        if Region.FEATURES in algo.guest.regions:
            features = self.features[own] = self.features[own] or Features()
            view.features = features.buffer
        place = own - ports[0].first
        venues = [(port, port.first + place) for port in ports]
        slots = {market: slot for (symbol, slot), market in deployment.pools.items() if symbol == k}
        if "on_nbbo" in algo.guest.callbacks and len(venues) + len(slots) > 1:
            sources = [Source(port.venue_id, self.books[market], port.link) for port, market in venues]
            view.nbbo = Nbbo(k, sources, algo.guest.generation, self.limits.max_book_age_ns)
        if slots:
            view.slots = slots
            pools = [(self._pool(market), self.books[market]) for market in slots]
            view.pools = PoolTables(algo.guest.generation, pools, symbol_id=k)
        if sum(symbol == k for symbol in symbol_of.values()) > 1:
            view.position = Position()
        return view

    def _pool(self, market: int) -> PoolId:
        return next(port.pools[market] for port in self.ports.values() if market in port.pools)

    def _enlist(self, algo: AlgoInstance) -> None:
        for market, k in algo.symbol_of.items():
            view = algo.views[k]
            self.holders[market].append((algo, view))
            if market == view.own and "on_book" in algo.guest.callbacks:
                self.followers[market].append((algo, view))
            if view.nbbo is not None:
                self.watchers[market].append((algo, view))
            if view.pools is not None and market in view.slots:
                self.poolers[market].append((algo, view.pools, view.slots[market]))


def _meshes(spec: EngineSpec) -> list[MeshTable | None]:
    """Every labelled instance is the peer of every other."""
    ids = {algo.label: mesh_id(algo.label) for algo in spec.algos if algo.label}
    return [
        MeshTable(algo.label, ids[algo.label], [peer for peer in ids.items() if peer[0] != algo.label])
        if algo.label
        else None
        for algo in spec.algos
    ]
