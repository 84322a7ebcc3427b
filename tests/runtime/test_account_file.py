"""Files of Solana accounts, in every shape that the RPC and the command line write them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigError
from connectors.venues.solana.account import Account
from connectors.venues.solana.keys import CLOCK, RAYDIUM, TOKEN
from runtime.account_file import read_accounts

PLACE, OWNER = CLOCK, TOKEN
PLAIN = {"owner": OWNER, "data": [base64.b64encode(b"hello").decode(), "base64"]}
KEPT = {PLACE: Account(OWNER, b"hello")}


def read(folder: Path, content: Any) -> dict[str, Account | None]:
    path = folder / "dump.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return read_accounts(path)


@pytest.mark.parametrize(
    ("content", "accounts"),
    [
        ({PLACE: PLAIN, RAYDIUM: None}, KEPT | {RAYDIUM: None}),
        ({PLACE: {"account": PLAIN}}, KEPT),
        ({"pubkey": PLACE, "account": PLAIN}, KEPT),
        ([{"pubkey": PLACE, "account": PLAIN}], KEPT),
        ([{"pubkey": PLACE, "account": None}], {PLACE: None}),
        ([{"pubkey": PLACE, **PLAIN}], KEPT),  # once taken for "there is none", as which Orca's arrays count as empty
        ({"result": [{"pubkey": PLACE, "account": PLAIN}]}, KEPT),
        ({}, {}), ([], {}),
    ],
)  # fmt: skip
def test_every_shape(content: Any, accounts: dict[str, Account | None], tmp_path: Path) -> None:
    assert read(tmp_path, content) == accounts


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no JSON"), (b"\xff{}", "is no JSON"), (5, "is no dump"), (["x"], "is no dump"),
        ([{"account": None}], "is no dump"), ({"abc": None}, "account abc: 'abc' is no key"),
        ({"\x1b[2J": None}, "account .*2J"), ({PLACE: 5}, f"account {PLACE}: an account is 5"),
        ([{"pubkey": PLACE}], f"account {PLACE}: "),
        ({PLACE: {"owner": OWNER, "data": ["!", "base64"]}}, f"account {PLACE}: .*no base64"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_where(content: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        read(tmp_path, content)
    assert "dump.json" in error.value.place and "\x1b" not in str(error.value)
