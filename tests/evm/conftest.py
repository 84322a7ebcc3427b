"""A chain under test: anvil with the published contracts, or the embedded chain; the suites here take both."""

from collections.abc import Callable, Iterator

import pytest

from tests.evm import scenes
from tests.evm.chains import Chain, anvil_chain, embedded_chain
from tests.evm.scenes import Scene

_CHAINS: dict[str, Callable[[], Iterator[Chain]]] = {"anvil": anvil_chain, "embedded": embedded_chain}


@pytest.fixture(scope="package", params=list(_CHAINS))
def chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    """One for all of them: a test leaves the shared pools as it found them."""
    yield from _CHAINS[request.param]()


@pytest.fixture(params=list(_CHAINS))
def fresh_chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    """One for this test alone."""
    yield from _CHAINS[request.param]()


@pytest.fixture(scope="package")
def v3_pools(chain: Chain) -> list[Scene]:
    """Pools of every tier and kind, with liquidity."""
    return scenes.tier_scenes(chain) + scenes.deep_scenes(chain) + scenes.edge_scenes(chain)


@pytest.fixture(scope="package")
def v2_pools(chain: Chain) -> list[Scene]:
    return scenes.v2_scenes(chain)


@pytest.fixture(scope="package")
def anvil_only() -> Iterator[Chain]:
    """The real node alone, for contracts that the embedded chain does not know."""
    yield from anvil_chain()
