"""Signed one-shot overrides: a key, a grant signed with it as a token, and what a gateway asks before it believes one.

A token is `vgo1.` and two base64url parts: the grant as JSON, and the ed25519 signature of exactly those bytes. Who
signed it is not in it: that is the name under which the gateway knows the key (`[kill.override_keys]`).
"""

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connectors.errors import ConfigError, NumberError
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS, scaled
from risk.checks_order import QTY_MAX_1E8
from risk.override import Grant

PREFIX: Final = "vgo1"
TOKEN_MAX: Final = 4096
LIFE_MAX_S: Final = 24 * 3600
NAME_MAX: Final = 128
_SIDES: Final = {"buy": 1, "sell": -1}


class Granted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed: a grant without its signer."""

    id: str
    algo: str
    market: str
    side: int
    qty_1e8: int
    px_1e9: int
    expires_ns: int


def keygen(path: Path) -> str:
    """Makes a private key that only its owner may read; returns the public one in hex. Raises ConfigError."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError("exists already", place=str(path), mend="keys are never overwritten: name another") from None
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=str(path), mend="name another") from None
    with os.fdopen(number, "wb") as file:
        file.write(pem)
    return key.public_key().public_bytes_raw().hex()


def read_key(path: Path) -> Ed25519PrivateKey:
    """Raises ConfigError for a key that others may read, or that is none."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(16_384)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", place=str(path), mend="make one: gateway override keygen"
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        problem = f"may be read by others (mode {stat.S_IMODE(mode):04o}): whoever read it can sign"
        raise ConfigError(problem, place=str(path), mend="make a new one; gateway override keygen writes 0600")
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        problem = f"is no private key in PEM without a password: {error}"
        raise ConfigError(problem, place=str(path), mend="make one: gateway override keygen") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("is no ed25519 key", place=str(path), mend="make one: gateway override keygen")
    return key


def granted(
    *, algo: str, market: str, side: str, qty: str, price: str, expires_s: int, now_ns: int
) -> Granted:  # fmt: skip
    """What a person typed, as integers; price `market` is a market order's. Raises ConfigError."""
    for option, name in (("--algo", algo), ("--market", market)):
        if not 0 < len(name) <= NAME_MAX or not name.isprintable():
            raise ConfigError(f"is {name!r:.80}", place=option, mend="write the name as gateway status shows it")
    if side not in _SIDES:
        raise ConfigError(f"is {side!r:.80}", place="--side", mend="buy or sell")
    if not 0 < expires_s <= LIFE_MAX_S:
        raise ConfigError(f"is {expires_s}", place="--expires-s", mend=f"1 … {LIFE_MAX_S} seconds")
    qty_1e8 = _amount("--qty", qty, SIZE_DECIMALS, QTY_MAX_1E8)
    px_1e9 = 0 if price == "market" else _amount("--price", price, PRICE_DECIMALS, I64_MAX)
    expires_ns = now_ns + expires_s * 10**9
    return Granted(secrets.token_hex(16), algo, market, _SIDES[side], qty_1e8, px_1e9, expires_ns)


def _amount(option: str, text: str, decimals: int, most: int) -> int:
    try:
        units = scaled(text, decimals)
    except NumberError as error:
        raise ConfigError(str(error), place=option, mend=f"a decimal number with at most {decimals} decimals") from None
    if not 0 < units <= most:
        raise ConfigError(f"is {text:.80}", place=option, mend="more than 0, and not beyond what an order may be")
    return units


def sign(key: Ed25519PrivateKey, grant: Granted) -> str:
    """The token."""
    payload = msgspec.json.encode(grant)
    return ".".join((PREFIX, _text(payload), _text(key.sign(payload))))


def verified(token: str, keys: Mapping[str, str], now_ns: int) -> Grant:
    """The grant in a token, with its signer's name. Raises ConfigError with what is wrong with it."""
    mend = "give the whole line that gateway override sign printed"
    if not keys:
        raise ConfigError("this gateway knows no override key", mend="set [kill.override_keys] name = public key")
    prefix, _, rest = token.strip()[: TOKEN_MAX + 1].partition(".")
    first, dot, second = rest.partition(".")
    if prefix != PREFIX or not dot or len(token) > TOKEN_MAX:
        raise ConfigError("this is no override token", mend=mend)
    payload, signature = _bytes(first), _bytes(second)
    if payload is None or signature is None:
        raise ConfigError("the override token is damaged", mend=mend)
    who = next((name for name, key in sorted(keys.items()) if _is_signed(name, key, signature, payload)), None)
    if who is None:
        known = ", ".join(sorted(keys))
        raise ConfigError(f"the override is signed by no known key ({known}), or was changed since", mend=mend)
    try:
        made = msgspec.json.decode(payload, type=Granted)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ConfigError(f"the override cannot be read: {error}", mend="sign it with this version's gateway") from None
    if made.expires_ns <= now_ns:
        late_s = (now_ns - made.expires_ns) // 10**9
        raise ConfigError(f"the override expired {late_s} s ago", mend="sign a new one, or look at both clocks")
    if made.expires_ns > now_ns + LIFE_MAX_S * 10**9:
        raise ConfigError("the override would hold for more than a day", mend=f"--expires-s 1 … {LIFE_MAX_S}")
    if problem := _problem(made):
        raise ConfigError(f"the override {problem}", mend="sign a new one")
    return Grant(who=who, **{name: getattr(made, name) for name in made.__struct_fields__})


def _problem(made: Granted) -> str:
    if not made.id or len(made.id) > NAME_MAX or not made.id.isprintable():
        return "has no proper id"
    if made.side not in (1, -1) or not 0 < made.qty_1e8 <= QTY_MAX_1E8 or not 0 <= made.px_1e9 <= I64_MAX:
        return "is for no order: side, quantity or price"
    return ""


def _is_signed(name: str, key: str, signature: bytes, payload: bytes) -> bool:
    try:
        _public(name, key).verify(signature, payload)
    except InvalidSignature:
        return False
    return True


def _public(name: str, key: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    except (ValueError, TypeError):
        place, mend = f"kill.override_keys.{name}", "64 hex digits, as gateway override keygen printed them"
        raise ConfigError("is no ed25519 public key", place=place, mend=mend) from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if _text(raw) == text else None


def shown(grant: Granted) -> dict[str, Any]:
    """For a person who is about to hand the token on."""
    return msgspec.structs.asdict(grant)
