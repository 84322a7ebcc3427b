"""Signed overrides: what a token must be before it becomes a grant, and everything it may be instead."""

import json
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from connectors.errors import ConfigError
from runtime import overrides
from runtime.cli import app

NOW_NS = 1_785_000_000 * 10**9
KEY, OTHER = Ed25519PrivateKey.from_private_bytes(b"1" * 32), Ed25519PrivateKey.from_private_bytes(b"2" * 32)
KEYS = {"ana": KEY.public_key().public_bytes_raw().hex(), "ben": OTHER.public_key().public_bytes_raw().hex()}


def made(**changes: Any) -> overrides.Granted:
    said: dict[str, Any] = {
        "algo": "mm", "market": "kraken:BTC/USD", "side": "buy", "qty": "1.5", "price": "100.25", "expires_s": 60,
        "now_ns": NOW_NS,
    }  # fmt: skip
    return overrides.granted(**(said | changes))


def test_a_signed_override_becomes_the_grant_that_was_typed_with_its_signers_name() -> None:
    grant = overrides.verified(overrides.sign(OTHER, made()), KEYS, NOW_NS)
    assert (grant.algo, grant.market, grant.side, grant.qty_1e8, grant.px_1e9) == (
        "mm", "kraken:BTC/USD", 1, 150_000_000, 100_250_000_000,
    )  # fmt: skip
    assert (grant.who, grant.expires_ns) == ("ben", NOW_NS + 60 * 10**9)
    assert grant.id != overrides.verified(overrides.sign(OTHER, made()), KEYS, NOW_NS).id
    market = overrides.verified(overrides.sign(KEY, made(price="market", side="sell")), KEYS, NOW_NS)
    assert (market.px_1e9, market.side, market.who) == (0, -1, "ana")


def payload(**changes: Any) -> str:
    """Properly signed, whatever it says."""
    said = msgspec.structs.asdict(made()) | changes
    raw = json.dumps(said).encode()
    return ".".join((overrides.PREFIX, overrides._text(raw), overrides._text(KEY.sign(raw))))


TOKEN = overrides.sign(KEY, made())
HEAD, BODY, SIGNATURE = TOKEN.split(".")


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("", "this is no override token"),
        ("hello", "this is no override token"),
        (f"vgo2.{BODY}.{SIGNATURE}", "this is no override token"),
        (f"{HEAD}.{BODY}", "this is no override token"),
        (TOKEN + "x" * 5000, "this is no override token"),
        (f"{HEAD}.{BODY}!.{SIGNATURE}", "is damaged"),
        (f"{HEAD}.{BODY}.{SIGNATURE[:-2]}", "signed by no known key"),
        (f"{HEAD}.{BODY}.", "signed by no known key"),
        (f"{HEAD}.{SIGNATURE}.{SIGNATURE}", "signed by no known key"),
        (overrides.sign(Ed25519PrivateKey.from_private_bytes(b"3" * 32), made()), "signed by no known key (ana, ben)"),
        (overrides.sign(KEY, made(now_ns=NOW_NS - 61 * 10**9)), "expired 1 s ago"),
        (overrides.sign(KEY, made(now_ns=NOW_NS - 60 * 10**9)), "expired 0 s ago"),
        (payload(expires_ns=NOW_NS + 10**15), "more than a day"),
        (payload(side=2), "is for no order"),
        (payload(qty_1e8=0), "is for no order"),
        (payload(px_1e9=-1), "is for no order"),
        (payload(id=""), "has no proper id"),
        (payload(id="\x1b[2J"), "has no proper id"),
        (payload(surprise=1), "cannot be read"),
        (payload(qty_1e8="1"), "cannot be read"),
        (payload(qty_1e8=float("nan")), "cannot be read"),
    ],
)
def test_each_way_a_token_can_be_wrong_is_one_clear_error(token: str, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        overrides.verified(token, KEYS, NOW_NS)
    assert text in error.value.problem
    assert error.value.mend


@given(st.integers(0, len(TOKEN) - 1), st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_a_token_with_any_byte_changed_is_believed_by_nobody(place: int, by: int) -> None:
    raw = bytearray(TOKEN.encode())
    raw[place] = (raw[place] + by) % 256
    with pytest.raises(ConfigError):
        overrides.verified(raw.decode("latin-1"), KEYS, NOW_NS)


def test_without_keys_nothing_is_believed() -> None:
    with pytest.raises(ConfigError, match="knows no override key"):
        overrides.verified(TOKEN, {}, NOW_NS)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"side": "long"}, "--side"), ({"qty": "0"}, "--qty"), ({"qty": "-1"}, "--qty"), ({"qty": "nan"}, "--qty"),
        ({"qty": "1e-9"}, "--qty"), ({"qty": "99999999999999"}, "--qty"), ({"price": "0"}, "--price"),
        ({"price": "x"}, "--price"), ({"price": "1e30"}, "--price"), ({"expires_s": 0}, "--expires-s"),
        ({"expires_s": 86_401}, "--expires-s"), ({"algo": ""}, "--algo"), ({"algo": "a\nb"}, "--algo"),
        ({"market": "m" * 129}, "--market"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_order_is_not_signed(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError) as error:
        made(**changes)
    assert error.value.place == place


# --- keys on disk -----------------------------------------------------------------------------------------------------


def test_a_key_is_made_for_its_owner_alone_and_signs_what_the_gateway_believes(tmp_path: Path) -> None:
    key = tmp_path / "ana.pem"
    told = CliRunner().invoke(app, ["override", "keygen", str(key), "--json"])
    assert told.exit_code == 0, told.output
    assert key.stat().st_mode & 0o777 == 0o600
    words = ["--key", str(key), "--algo", "mm", "--market", "kraken:BTC/USD", "--side", "buy", "--qty", "2"]
    signed = CliRunner().invoke(app, ["override", "sign", *words, "--price", "10"])
    assert signed.exit_code == 0, signed.output
    grant = overrides.verified(signed.output, {"ana": json.loads(told.output)["public"]}, time.time_ns())
    assert (grant.who, grant.qty_1e8, grant.px_1e9) == ("ana", 2 * 10**8, 10 * 10**9)
    assert CliRunner().invoke(app, ["override", "keygen", str(key)]).exit_code == 4  # never overwritten


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    key = tmp_path / "ana.pem"
    overrides.keygen(key)
    key.chmod(mode)
    with pytest.raises(ConfigError, match=r"may be read by others \(mode 0"):
        overrides.read_key(key)


def test_what_is_no_key_is_one_clear_error(tmp_path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for raw, text in ((b"", "is no private key"), (b"\xff" * 99, "is no private key"), (pem, "is no ed25519 key")):
        file = tmp_path / "key"
        file.write_bytes(raw)
        os.chmod(file, 0o600)
        with pytest.raises(ConfigError, match=text):
            overrides.read_key(file)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        overrides.read_key(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot be written"):
        overrides.keygen(tmp_path / "no" / "folder")
