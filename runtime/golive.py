"""Before orders go to a venue for real: what must be said first, the keys, the addresses, the warning.

`docs/live.md` is this file for people. Whatever lacks, nothing is started; whatever is read of a key, nothing is shown.
"""

import difflib
import os
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from connectors import registry
from connectors.errors import ConfigError
from connectors.session import AUDIT, CALLS, PRIVATE, PUBLIC, REST, TRADE, Trading, Unsigned, Venue
from risk.limit_changes import changes
from risk.limits import LimitTree, unset
from runtime.chain_plan import endpoints_of
from runtime.config import Config, paper_limits
from runtime.config_venue import VenueSection
from runtime.deploy import Guests
from runtime.dialling import LOOPBACK
from runtime.keylock import TAG_EPOCH_S, KeyLock, tag_of, unique_tag
from runtime.net import shown
from runtime.references import read_reference
from runtime.vault import KEY, SIGNS, Vault

Tell = Callable[[str, str], None]

# signed to see that the secret can sign; sent to nobody
_TRIAL: Final = Unsigned(method="POST", path="/0/private/Trial", body=b"", host="localhost", nonce=1, now_ns=10**18)


def section_of(settings: Config, venue: Venue) -> VenueSection | None:
    """None for a chain's, which has none of these settings."""
    section = settings.venue(venue.name)
    return section if isinstance(section, VenueSection) else None


def wired(venues: Sequence[Venue], *, is_on: bool) -> tuple[str, ...]:
    """Those whose orders leave over the wire, if any do: chains' are filled on paper."""
    return tuple(venue.name for venue in venues if is_on and venue.trading is not None)


def secrets_of(trading: Trading, section: VenueSection) -> tuple[str, ...]:
    """The secrets that a venue needs, by name; and a passphrase where one is given."""
    more = trading.more_secrets
    return (KEY, SIGNS, *more, *(("passphrase",) if section.passphrase and "passphrase" not in more else ()))


def check_sections(settings: Config) -> None:
    """Raises ConfigError for a `[venues.NAME]` of no venue that there is: nobody would read it."""
    for name in settings.venues.__pydantic_extra__ or ():
        if ":" in name:
            mend = f"write [venues.{name.replace(':', '_')}]"
        elif not registry.is_offered(name):
            close = difflib.get_close_matches(name, registry.names(), 1)
            mend = f"{f'did you mean {close[0]}? ' if close else ''}choose from: {', '.join(registry.names())}"
        else:
            continue
        raise ConfigError(f"venues.{name}: no venue is called so", place=settings.origin(f"venues.{name}"), mend=mend)


def check_options(settings: Config, venue: Venue) -> None:
    """A venue's own settings, on paper as well. Raises ConfigError for one that it does not know, or a wrong text."""
    section = section_of(settings, venue)
    for name, is_there in (("ticker", venue.capabilities.ticker), ("audit_s", venue.capabilities.audit)):
        if section is not None and name in section.model_fields_set and getattr(section, name) and not is_there:
            where = f"venues.{venue.name}.{name}"
            raise ConfigError(f"{where}: {venue.name} has none", place=settings.origin(where), mend="leave it out")
    known = venue.trading.options if venue.trading is not None else {}
    for name, text in section.options.items() if section is not None else ():
        where = f"venues.{venue.name}.options.{name}"
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            choice = f"its options are {', '.join(known)}" if known else "leave it out: it has none"
            mend = f"did you mean {close[0]}? {choice}" if close else choice
            problem = f"{where}: is no option of {venue.name}"
            raise ConfigError(problem, place=settings.origin(where), mend=mend)
        if text not in known[name]:
            mend = f"write one of {', '.join(known[name])}"
            raise ConfigError(f"{where} = {text!r} is not known", place=settings.origin(where), mend=mend)


def check_sim(*, is_live: bool) -> None:
    """Raises ConfigError for `--sim` with `--live`."""
    if is_live:
        raise ConfigError("goes not with --sim", place="--live", mend="leave out the one that is not meant")


def check_live(
    settings: Config, venues: Sequence[Venue], limits: LimitTree | None, *, has_journal: bool, has_algo: bool
) -> None:
    """`--live`: raises ConfigError, naming everything that lacks. `limits`: None where nobody said any."""
    lacks, mends = [], []
    for venue in venues:
        where, section = f"venues.{venue.name}", section_of(settings, venue)
        if section is None or venue.capabilities.onchain:
            problem = f"{venue.name}'s orders are filled on paper, as those of every chain are"
            mend = f"leave {venue.name} out, or run it in a session of its own, without --live"
            raise ConfigError(problem, place="--live", mend=mend)
        if venue.trading is None:
            mend = f"leave {venue.name} out"
            raise ConfigError(f"{venue.name} cannot be traded at for real", place="--live", mend=mend)
        _check_addresses(settings, where, section, venue)
        lacks += [f"{where}.{name}" for name in secrets_of(venue.trading, section) if not getattr(section, name)]
        if not section.live:
            lacks.append(f"{where}.live = true")
    if lacks:
        mends.append("write it under [venues.NAME]")
    if not has_algo:
        lacks.append("an algo (the demo market maker is for paper and --sim)")
        mends.append("write [[algos]] or add --algo PATH")
    if not has_journal:
        lacks.append("a journal")
        mends.append("add --journal PATH")
    if limits is None or not changes(paper_limits(), limits):
        lacks.append("limits of its own (the shipped ones are for paper)")
        mends.append("write [limits]")
    elif missing := unset(limits.account):
        lacks.append(f"limits.{', limits.'.join(missing)}: no amount of money has a default")
        mends.append("set each for the account")
    if lacks:
        raise ConfigError(f"lacks {'; '.join(lacks)}", place="--live", mend=f"{'; '.join(mends)}: docs/live.md")


def _check_addresses(settings: Config, where: str, section: VenueSection, venue: Venue) -> None:
    """Books of one place and orders at another are nobody's wish. Raises ConfigError."""
    has_trade = venue.trading is not None and bool(venue.trading.trade_url)
    wanted = ["url", *(["calls_url"] if venue.calls_url else []), "private_url", *(["trade_url"] if has_trade else []),
              "rest_url"]  # fmt: skip
    said = {f"{where}.{name}": getattr(section, name) for name in wanted}
    names = [name for name, address in said.items() if address]
    if not names:
        return
    place, mend = settings.origin(names[0]), f"set {', '.join(said)}, all for one place, or none of them"
    if others := [name for name in said if name not in names]:
        problem = f"{', '.join(names)} set and {', '.join(others)} not: books would come from elsewhere than orders go"
        raise ConfigError(problem, place=place, mend=mend)
    if len({urlsplit(address).hostname in LOOPBACK for address in said.values()}) > 1:
        hosts = ", ".join(f"{name} is {urlsplit(address).hostname}" for name, address in said.items())
        raise ConfigError(f"{hosts}: this machine and another", place=place, mend=mend)


def vaults_of(
    settings: Config, venues: Sequence[Venue], environment: MutableMapping[str, str] | None = None
) -> dict[str, Vault]:
    """The keys of `venues`, each held by this process alone from now on; `close` each.

    What was read from a variable is taken out of the environment: whoever prints that, or is started by us, has no use
    for it. Raises ConfigError, which holds nothing that was read.
    """
    environment = os.environ if environment is None else environment
    vaults: dict[str, Vault] = {}
    read = set()
    try:
        for venue in venues:
            section = section_of(settings, venue)
            if section is None or venue.trading is None:
                continue
            said = [str(getattr(section, name)) for name in secrets_of(venue.trading, section)]
            read |= {text.removeprefix("env:") for text in said if text.startswith("env:")}
            vaults[venue.name] = _vault(settings, venue.name, venue.trading, section, environment)
    except BaseException:
        for vault in vaults.values():
            vault.close()
        raise
    for name in read:
        environment.pop(name, None)
    return vaults


def _vault(
    settings: Config, name: str, trading: Trading, section: VenueSection, environment: Mapping[str, str]
) -> Vault:
    values = {}
    for setting in secrets_of(trading, section):
        text, where = str(getattr(section, setting)), f"venues.{name}.{setting}"
        place = f"{settings.origin(where)}: {where}"
        if not text:
            raise ConfigError("is missing", place=place, mend="write env:NAME, file:PATH or cred:NAME")
        values[setting] = read_reference(text, settings.base(where), environment, place)
        try:
            Vault({setting: values[setting]})
        except ValueError as error:
            raise ConfigError(f"{text}: {error}", place=place, mend="copy it whole, and nothing else") from None
    if values[KEY] == values[SIGNS]:
        raise ConfigError("key and secret are the same", place=place, mend="the secret is what was shown once")
    try:
        trading.sign(_TRIAL, values)
    except Exception as error:  # noqa: BLE001 - a plugin's; whatever it says may hold what it was given
        problem = f"{section.secret} is no secret that can sign ({type(error).__name__})"
        raise ConfigError(problem, place=place, mend="copy the private key whole, and nothing else") from None
    return Vault(values, KeyLock.take(values[KEY]))


def urls_of(settings: Config, venues: Sequence[Venue], over_the_wire: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Where each link of each venue connects. Raises ConfigError for a chain without endpoints."""
    urls = {}
    for venue in venues:
        section = section_of(settings, venue)
        if section is None or venue.capabilities.onchain:
            urls[venue.name] = endpoints_of(venue.name, settings)
            continue
        public = section.url or venue.public_url
        here = urls[venue.name] = {PUBLIC: public}
        if venue.calls_url:
            here[CALLS] = section.calls_url or venue.calls_url
        if audit_ns(settings, venue):
            here[AUDIT] = public
        if venue.trading is not None and venue.name in over_the_wire:
            here[PRIVATE] = section.private_url or venue.trading.private_url
            here[REST] = section.rest_url or venue.trading.rest_url
            if venue.trading.trade_url:
                here[TRADE] = section.trade_url or venue.trading.trade_url
    return urls


def audit_ns(settings: Config, venue: Venue) -> int:
    """How often its books are compared with fresh ones; 0 for a venue that does not know the link for it."""
    section = section_of(settings, venue)
    return section.audit_ns if section is not None and venue.capabilities.audit else 0


def tag_for(*, is_live: bool, tell: Tell) -> str:
    """What every client order id of the session begins with. Raises ConfigError where live cannot be sure of it."""
    try:
        return unique_tag()
    except ConfigError as error:
        if is_live:
            raise
        tell(f"ids of paper orders may come again in a later session: {error}", "warning")
        return tag_of(int(time.time()) - TAG_EPOCH_S)


def warn(
    settings: Config, venues: Sequence[Venue], urls: Mapping[str, Mapping[str, str]], limits: Path | None, tell: Tell,
    *, is_live: bool, is_sim: bool = False,
) -> None:  # fmt: skip
    """What a person must know before the first order leaves. Of the key, nothing."""
    for venue in venues:
        section = section_of(settings, venue)
        if not is_live and section is not None and section.live:
            instead = "orders go to the simulated venue alone" if is_sim else "every order is filled on paper"
            tell(f"{venue.name} has live = true, but without --live {instead}", "info")
        if not is_live or section is None:
            continue
        where = f"{shown(urls[venue.name][PRIVATE])}, {shown(urls[venue.name][REST])}"
        if section.options.get("validate") == "true":
            tell(f"LIVE, validate: {venue.name} checks new orders and places none: {where}", "warning")
        else:
            tell(f"LIVE: orders go to {venue.name} for real: {where}", "warning")
        wide = [name for name, has in (("dead-man's switch", venue.capabilities.dead_man),
                                       ("cancel-all", venue.capabilities.cancel_all)) if has]  # fmt: skip
        if wide:
            verbs = ("are", "they cancel") if len(wide) > 1 else ("is", "it cancels")
            tell(
                f"LIVE: {venue.name}'s {' and '.join(wide)} {verbs[0]} account-wide: {verbs[1]} every open order of"
                " the account, whoever placed it; give this gateway an account (or subaccount) of its own", "warning",
            )  # fmt: skip
        if not venue.capabilities.dead_man:
            tell(
                f"LIVE: {venue.name} has no dead-man's switch: orders stay open if this process or its network dies",
                "warning",
            )
    if is_live:
        tell(f"LIVE: limits from {limits or settings.origin('limits')}", "warning")


def name_algos(guests: Guests, limits: LimitTree, tell: Tell) -> None:
    """Who will trade: each algo with its module, and where what it alone is held to was read."""
    for spec in guests.specs:
        label = f"algo:{spec.name}."
        own = next((place for key, place in limits.origins.items() if key.startswith(label)), "")
        held = f"limits of its own from {own}" if own else "no limits of its own, but the account's"
        if spec.guest.sha256 not in limits.promoted and any(scope.kind == "canary" for scope in limits.scopes):
            held += ", and a canary's"
        path = guests.paths[spec.name]
        tell(f"LIVE: algo {spec.name} is {path}, SHA-256 {spec.guest.sha256}; {held}", "warning")
