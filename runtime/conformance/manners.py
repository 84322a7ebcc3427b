"""M cards: how a venue is written, whatever it does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from connectors.errors import VenuegateError
from connectors.session import Unsigned, Venue
from runtime.conformance.base import Kit
from runtime.conformance.cards import card, hold
from runtime.conformance.desk import CANARY, Desk
from runtime.conformance.sources import calls, files_of, too_long, worldly
from runtime.conformance.table import block_in, block_of, documents
from runtime.inputs import Frame
from runtime.tape import TapeReader

# names under which venues ask for and give secrets; a place for one is `{secret:…}`, `{sign}` and their like
_NAMED: Final = re.compile(
    rb'"(?:api_?key|api_?secret|secret|passphrase|token|ws_token|jwt|signature|sign|listenKey)"\s*:\s*"([^"]{8,})"',
    re.IGNORECASE,
)


class MannersCards(Kit):
    """Purity, size, documentation, secrets."""

    @card("M10", "session.py", 2)
    def test_m10_touches_no_world(self, venue: Venue) -> None:
        """No file of the venue imports or calls what touches the world: no clock, socket, file, process, chance, await;
        nor what of venuegate's knows the world."""
        for path in files_of(venue):
            found = list(worldly(path))
            hold(not found, "; ".join(found))
            minted = calls(path, "Approved")
            hold(not minted, f"{path.name}:{minted} builds Approved: only risk/gate.py does")

    @card("M20", "session.py", 3)
    def test_m20_small_files(self, venue: Venue) -> None:
        """Files of at most 400 lines, functions of at most 50."""
        for path in files_of(venue):
            found = list(too_long(path))
            hold(not found, "; ".join(found))

    @card("M30", "README.md", 4)
    def test_m30_capabilities_are_documented(self, venue: Venue) -> None:
        """The table of capabilities in the documentation is the one in the code, and what is absent says why."""
        told = self._documents(venue)
        found = [block for text in told.values() if (block := block_in(text, venue.name)) is not None]
        where = (
            ", ".join([Path(name).name for name in told][:3]) + (" …" if len(told) > 3 else "") or "no documentation"
        )
        hold(
            found,
            f"no table of capabilities in {where}: `gateway venue certify {venue.name} --accept` writes it",
        )
        hold(
            all(block == block_of(venue) for block in found), f"the table of capabilities in {where} is not the code's"
        )
        idle = [what for what, why in venue.capabilities.absent.items() if not why.strip()]
        hold(not idle, f"absent without a reason: {', '.join(idle)}")

    def _documents(self, venue: Venue) -> dict[str, str]:
        if self.docs is not None:
            return {str(path): path.read_text(encoding="utf-8") for path in self.docs if path.is_file()}
        return documents(venue, files_of(venue)[0].parent)

    @card("M40", "auth.py", 5)
    def test_m40_no_secret_is_shown(self, venue: Venue) -> None:
        """No secret is in what a session keeps, says or is shown by, in errors about keys, or on a tape."""
        folder = self.folder()
        for path in sorted(folder.glob("*.tape.zst")) if folder.is_dir() else []:
            _tape_is_clean(path)
        if venue.trading is None:
            return
        _signing_is_clean(venue)
        phrases = self.phrases()
        if phrases is not None:
            desk = Desk(venue, phrases).ready()
            told = "a secret that the venue gave goes on the tape: Trading.secrets_in has to name it"
            hold(not any(CANARY.encode() in frame for frame in desk.taped), told)
            shown = b" ".join(send.data for send in desk.sent) + repr(desk.outputs).encode()
            hold(CANARY.encode() not in shown, "a secret that the venue gave stands in what the session says")
            hold(
                not _holds(desk.session, CANARY, 6, set()),
                "the session keeps a secret",
            )


def _tape_is_clean(path: Path) -> None:
    reader = TapeReader(path)
    for number, _, given in reader:
        if isinstance(given, Frame):
            found = [value for value in _NAMED.findall(given.raw) if not value.startswith(b"{")]
            hold(not found, f"{path.name}, input {number}: {found[:1]} looks like a secret")


def _signing_is_clean(venue: Venue) -> None:
    """A secret that cannot sign is refused without a word of it; one that can does not leave."""
    trading = venue.trading
    assert trading is not None  # noqa: S101 - the caller asked
    request = Unsigned(method="POST", path="/x", body=b"a=1", host="example.org", nonce=1, now_ns=10**18)
    for form in secrets():
        named: dict[str, str] = {"key": "key-1", "secret": form} | dict.fromkeys(trading.more_secrets, "pass-1")
        try:
            signed = trading.sign(request, named)
        except VenuegateError as error:
            hold(form[:12] not in f"{error} {error!r}", "an error about a secret shows a part of it")
            continue
        left = repr(signed)
        hold(form not in left, "a signed request holds the secret itself")


def secrets() -> list[str]:
    """Of each form that venues have: text, base64, a key in PEM. Made up."""
    import base64

    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    keys: list[Any] = [
        ec.derive_private_key(7**30, ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.from_private_bytes(b"7" * 32),
    ]
    pems = [
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode() for key in keys
    ]
    return ["not a secret that anybody has " * 3, base64.b64encode(b"venuegate" * 8).decode(), *pems]


def _holds(thing: object, text: str, depth: int, seen: set[int]) -> bool:
    """Whether an object, or what it holds, holds this text."""
    if isinstance(thing, str | bytes):
        return text in (thing if isinstance(thing, str) else thing.decode("latin-1"))
    if depth == 0 or id(thing) in seen:
        return False
    seen.add(id(thing))
    if isinstance(thing, dict):
        parts: list[object] = [*thing, *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        parts = list(thing)
    else:
        names = [
            *getattr(thing, "__dict__", {}),
            *(n for c in type(thing).__mro__ for n in getattr(c, "__slots__", ())),
        ]
        parts = [getattr(thing, name, None) for name in names]
    return any(_holds(part, text, depth - 1, seen) for part in parts)
