"""Secrets: what shows them (nothing), where they are read from, where they are put in and taken out."""

import copy
import gc
import json
import os
import pickle
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from runtime.references import check_reference, read_reference
from runtime.vault import Secret, Vault
from tests.support.rest_server import KEY, SECRET, TOKEN


def vault() -> Vault:
    return Vault({"key": KEY, "secret": SECRET, "token": TOKEN})


def test_a_secret_is_not_shown_by_anything_but_reveal() -> None:
    secret = Secret(TOKEN)
    for text in (repr(secret), str(secret), f"{secret}", f"{secret:>60}", "%s" % secret, repr([secret]), repr(vault())):  # noqa: UP031
        assert not any(TOKEN[at : at + 6] in text for at in range(len(TOKEN) - 6))
    for leak in (copy.copy, copy.deepcopy, pickle.dumps, hash, lambda one: json.dumps({"a": one})):
        with pytest.raises(TypeError) as caught:
            leak(secret)
        assert TOKEN not in str(caught.value)
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == TOKEN


def test_secrets_are_compared_as_secrets() -> None:
    assert Secret(TOKEN) == Secret(TOKEN)
    assert Secret(TOKEN) != Secret(KEY)
    assert Secret(TOKEN) != TOKEN


def test_places_are_filled_and_what_is_missing_fills_nothing() -> None:
    held = vault()
    assert held.fill(b'{"token":"{secret:token}"}') == b'{"token":"%s"}' % TOKEN.encode()
    assert held.fill(b"nothing to fill") == b"nothing to fill"
    assert held.fill(b"{secret:token}{secret:other}") is None
    assert held.fill(b"{secret:secret}") is None  # it signs, and is sent to nobody
    held.close()
    assert held.fill(b"{secret:token}") is None


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from([KEY, SECRET, TOKEN]), st.integers(0, 3))
def test_what_is_known_is_hidden_wherever_it_stands(before: bytes, after: bytes, value: str, form: int) -> None:
    """As it is, as JSON may write it, as URLs write it."""
    forms = (value, value.replace("/", "\\/"), quote(value, safe=""), quote(value))
    hidden = vault().hide(before + forms[form].encode() + after)
    assert value.encode() not in hidden
    assert forms[form].encode() not in hidden
    assert b"{secret:" in hidden
    assert hidden.startswith(before) and hidden.endswith(after)


def test_a_former_token_is_hidden_still() -> None:
    held = vault()
    held.put("token", "another-token-0123")
    assert held.hide(b"old %s new another-token-0123" % TOKEN.encode()) == b"old {secret:former} new {secret:token}"
    assert held.fill(b"{secret:token}") == b"another-token-0123"


@pytest.mark.parametrize("value", ["", "short", 'quo"ted-0123456', "back\\slash-0123", "two words 0123", "bra{ce}-0123",
                                   "line\nfeed-0123", "naïve-0123456", "x" * 5000])  # fmt: skip
def test_what_could_not_stand_for_itself_is_not_taken(value: str) -> None:
    """A token with a quote would change the message that it is put into."""
    held = vault()
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is what is looked at
        held.put("token", value)
    assert not value or value not in str(caught.value)
    assert held.fill(b"{secret:token}") == TOKEN.encode()
    assert not value or value.encode() not in held.hide(b"answer " + value.encode())


@pytest.mark.parametrize("text", ["", "env:KRAKEN_KEY", "file:keys/kraken", "file:~/k", "cred:kraken.key"])
def test_references(text: str) -> None:
    assert check_reference(text) == text


@pytest.mark.parametrize("text", [KEY, SECRET, f"env:{SECRET}", "env:" + "A" * 56, "env:", "file:", "cred:",
                                  "cred:../x",
                                  "cred:a/b", "vault:x", "env:A B", "file:a\nb"])  # fmt: skip
def test_what_is_no_reference_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="never the key itself") as caught:
        check_reference(text)
    assert text.partition(":")[2] in ("", "x") or text.partition(":")[2] not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [("vault:nope", "vault: is none of these"), ("env:no-name", "what stands behind env: is no name of a variable"),
     ("file:", "what stands behind file: is no path"), ("cred:a/b", "is no name of a credential"),
     (KEY, f"there are {len(KEY)} characters, and none of these words"), ("A" * 9 + ":x", "there are 11 characters")],
)  # fmt: skip
def test_what_was_written_instead_of_a_reference_is_told(text: str, found: str) -> None:
    with pytest.raises(ValueError, match="never the key itself") as caught:
        check_reference(text)
    assert str(caught.value).endswith(found) or f"; {found}" in str(caught.value)


def read(text: str, base: Path, **environment: str) -> str:
    return read_reference(text, base, environment, "gateway.toml: venues.kraken.key")


def test_a_key_in_the_environment(tmp_path: Path) -> None:
    assert read("env:K", tmp_path, K=KEY) == KEY
    for environment in ({}, {"K": ""}):
        with pytest.raises(ConfigError, match=r"venues\.kraken\.key: env:K is not set"):
            read("env:K", tmp_path, **environment)


def secret_file(folder: Path, mode: int = 0o600, text: str = f"{KEY}\n") -> Path:
    path = folder / "kraken.key"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_in_a_file_that_is_ours_alone(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path, mode)
    assert read("file:kraken.key", tmp_path) == read(f"file:{path}", Path("/")) == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610, 0o666, 0o777])
def test_a_key_that_others_can_get_at_is_refused(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path, mode)
    with pytest.raises(ConfigError) as caught:
        read("file:kraken.key", tmp_path)
    assert caught.value.problem == f"{path} has mode {mode:04o}: others can get at it"
    assert caught.value.place == "gateway.toml: venues.kraken.key"
    assert caught.value.mend == f"chmod 600 {path}"
    assert KEY not in str(caught.value)


def test_links_folders_pipes_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    secret_file(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "kraken.key")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "pipe", "nothing", "."):
        with pytest.raises(ConfigError) as caught:
            read(f"file:{name}", tmp_path)
        assert caught.value.mend
        assert caught.value.place == "gateway.toml: venues.kraken.key"
    with pytest.raises(ConfigError, match="name the file itself"):
        read("file:link", tmp_path)


@pytest.mark.parametrize("text", ["", "\n", "ключ"])
def test_a_file_without_a_key(tmp_path: Path, text: str) -> None:
    secret_file(tmp_path, text=text)
    with pytest.raises(ConfigError):
        read("file:kraken.key", tmp_path)


def test_a_key_that_systemd_hands_over(tmp_path: Path) -> None:
    secret_file(tmp_path, 0o440)  # an ACL shows as the group's
    assert read("cred:kraken.key", Path("/"), CREDENTIALS_DIRECTORY=str(tmp_path)) == KEY
    with pytest.raises(ConfigError, match="LoadCredential=kraken"):
        read("cred:kraken.key", Path("/"))
    secret_file(tmp_path, 0o444)
    with pytest.raises(ConfigError, match="mode 0444"):
        read("cred:kraken.key", Path("/"), CREDENTIALS_DIRECTORY=str(tmp_path))


def test_no_object_that_can_be_found_shows_a_secret() -> None:
    held = Vault({"token": "graph-" + TOKEN[::-1]})
    held.hide(b"x")
    shown = [repr(one) for one in gc.get_objects() if type(one) is Vault or type(one) is Secret or one is held.__dict__]
    assert any("Vault(token)" in text for text in shown)
    assert not any(TOKEN[::-1] in text for text in shown)
