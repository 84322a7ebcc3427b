"""Which door a link of a venue is: a WebSocket, signed requests, questions over HTTP, or an exchange that ccxt hosts.

All of them have one face: `send`, `reconnect`, `flush`, `run`. The doors to market data hold no secret.
"""

from collections.abc import Mapping

from connectors.session import AUDIT, KEYED, PRIVATE, REST
from runtime.calls import SCHEMES, CallDoor
from runtime.dialling import Dialling
from runtime.hosted.calls import HostedCalls
from runtime.hosted.exchange import is_hosted
from runtime.hosted.feed import HostedFeed
from runtime.net import Feed, Tell, VenueLink
from runtime.port import VenueSpec
from runtime.rest import RestDoor
from runtime.vault import Vault

Door = VenueLink | RestDoor | CallDoor | HostedFeed | HostedCalls


def doors_of(
    spec: VenueSpec, urls: Mapping[str, str], vault: Vault | None, feed: Feed, tell: Tell, *, is_wired: bool
) -> dict[str, Door]:
    """The doors of one venue by link, those alone that its session uses. A chain's endpoints are hosts of their own.

    `is_wired`: orders go there. Raises ConfigError for an exchange that ccxt cannot host.
    """
    name = spec.venue.name
    dialling = None if spec.venue.capabilities.onchain else Dialling()
    made: dict[str, Door] = {}
    for link, url in urls.items():
        if ((link in KEYED or link == REST) and not is_wired) or (link == AUDIT and not spec.audit_ns):
            continue
        secrets = vault if link in KEYED else None
        if link == REST:
            made[link] = _requests(spec, url, vault, made.get(PRIVATE), feed, tell)
        elif is_hosted(url):
            made[link] = HostedFeed(name, link, url, feed, tell, dials=dialling, vault=secrets)
        elif url.startswith(SCHEMES):
            made[link] = CallDoor(name, link, url, feed, tell)
        else:
            trading = spec.venue.trading
            seal = trading.seal if trading is not None and secrets is not None else None
            made[link] = VenueLink(
                name, link, url, feed, tell, vault=secrets, seal=seal, dials=dialling, is_wired=is_wired
            )
    return made


def _requests(
    spec: VenueSpec, url: str, vault: Vault | None, account: Door | None, feed: Feed, tell: Tell
) -> RestDoor | HostedCalls:
    name, trading = spec.venue.name, spec.venue.trading
    if trading is None or vault is None:
        msg = f"{name} has a REST link and no key"
        raise ValueError(msg)
    if isinstance(account, HostedFeed):
        return HostedCalls(name, REST, account, vault, feed, tell)
    return RestDoor(name, trading, url, vault, feed, tell)
