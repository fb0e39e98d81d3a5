"""Where credentials are found, what is refused, and that no key is ever shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from smsreceipt.aliyun.credentials import Credentials, load
from smsreceipt.errors import AuthError, SmsReceiptError, UsageError

ID, SECRET, TOKEN = "LTAI5tCanaryId", "CanarySecret", "CanaryToken"
ENVIRON = {"ALIBABA_CLOUD_ACCESS_KEY_ID": ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET}

PROFILES = [
    {"name": "plain", "mode": "AK", "access_key_id": "plain-id", "access_key_secret": "plain-secret"},
    {"name": "sts", "mode": "StsToken", "access_key_id": "i", "access_key_secret": "s", "sts_token": "t"},
    {"name": "bare", "mode": "AK", "access_key_id": "", "access_key_secret": ""},
    {"name": "tokenless", "mode": "StsToken", "access_key_id": ID, "access_key_secret": SECRET},
    {"name": "role", "mode": "RamRoleArn", "access_key_id": ID, "access_key_secret": SECRET},
    {"name": "command", "mode": "External", "process_command": "cat {home}/answer.json"},
    {"name": "broken", "mode": "External", "process_command": "false CanarySecret"},
    {"name": "unknown", "mode": "CanaryMode"},
    {"name": "uri", "mode": "CredentialsURI", "credentials_uri": "http://127.0.0.1:9/CanarySecret"},
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".aliyun").mkdir()
    path = tmp_path / ".aliyun" / "config.json"
    text = json.dumps({"current": "plain", "profiles": PROFILES})
    path.write_text(text.replace("{home}", str(tmp_path)))
    path.chmod(0o600)
    answer = {"mode": "StsToken", "access_key_id": "x", "access_key_secret": "y", "sts_token": "z"}
    (tmp_path / "answer.json").write_text(json.dumps({**answer, "expiration": "2999-01-01T00:00:00Z"}))
    return tmp_path


@pytest.mark.parametrize(
    ("environ", "profile", "expected"),
    [
        (ENVIRON, None, (ID, SECRET, "")),
        ({**ENVIRON, "ALIBABA_CLOUD_SECURITY_TOKEN": TOKEN}, None, (ID, SECRET, TOKEN)),
        ({**ENVIRON, "ALIBABA_CLOUD_PROFILE": "sts"}, None, (ID, SECRET, "")),
        (ENVIRON, "plain", ("plain-id", "plain-secret", "")),
        ({}, None, ("plain-id", "plain-secret", "")),
        ({"ALIBABA_CLOUD_PROFILE": "sts"}, None, ("i", "s", "t")),
        ({"ALIBABA_CLOUD_PROFILE": "sts"}, "plain", ("plain-id", "plain-secret", "")),
        ({}, "command", ("x", "y", "z")),
    ],
)
def test_the_first_place_that_has_them_gives_them(
    home: Path, environ: dict[str, str], profile: str | None, expected: tuple[str, str, str]
) -> None:
    loaded = load(environ, profile, home)
    found = loaded.provider.get()
    assert (found.access_key_id, found.access_key_secret, found.security_token) == expected
    assert loaded.warnings == ()
    assert found.temporary is bool(expected[2])


@pytest.mark.parametrize(
    ("environ", "profile", "kind"),
    [
        ({"ALIBABA_CLOUD_ACCESS_KEY_ID": ID}, None, AuthError),
        ({"ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET}, None, AuthError),
        ({**ENVIRON, "ALIBABA_CLOUD_SECURITY_TOKEN": "CanaryToken\r\nHost: evil"}, None, AuthError),
        ({}, "nobody", UsageError),
        ({}, "bare", AuthError),
        ({}, "tokenless", AuthError),
        ({}, "broken", AuthError),
        ({}, "unknown", AuthError),
        ({}, "uri", AuthError),
    ],
)
def test_what_is_missing_is_said_without_what_is_there(
    home: Path, environ: dict[str, str], profile: str | None, kind: type[SmsReceiptError]
) -> None:
    with pytest.raises(kind) as refused:
        load(environ, profile, home).provider.get()
    for error in (refused.value, refused.value.__cause__):
        assert not any(secret in f"{error!r}{error}" for secret in (ID, SECRET, TOKEN))


def test_nothing_found_names_both_ways(tmp_path: Path) -> None:
    with pytest.raises(AuthError) as refused:
        load({}, None, tmp_path)
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in refused.value.hint
    assert "aliyun configure" in refused.value.hint
    with pytest.raises(UsageError):
        load({}, "named", tmp_path)


def test_a_mode_that_needs_the_extra_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alibabacloud_credentials", None)
    with pytest.raises(UsageError) as refused:
        load({}, "role", home)
    assert "smsreceipt[credentials]" in refused.value.hint


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_configuration_that_others_can_read_is_warned_of(home: Path, mode: int) -> None:
    (home / ".aliyun" / "config.json").chmod(mode)
    (warning,) = load({}, None, home).warnings
    assert "chmod 600" in warning
    assert load(ENVIRON, None, home).warnings == ()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"profiles": {}}', '{"profiles": [CanarySecret', '"CanarySecret"', "\udcff"]
)
def test_a_configuration_of_another_shape_is_refused_unquoted(home: Path, text: str) -> None:
    (home / ".aliyun" / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError) as refused:
        load({}, None, home)
    assert SECRET not in f"{refused.value!r}"
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("token", ["", TOKEN])
def test_a_temporary_key_without_its_token_is_refused_before_any_call(tmp_path: Path, token: str) -> None:
    environ = {**ENVIRON, "ALIBABA_CLOUD_ACCESS_KEY_ID": "STS.NUCanaryId", "ALIBABA_CLOUD_SECURITY_TOKEN": token}
    if token:
        assert load(environ, None, tmp_path).provider.get().temporary
        return
    with pytest.raises(AuthError, match="temporary") as refused:
        load(environ, None, tmp_path)
    assert "ALIBABA_CLOUD_SECURITY_TOKEN" in refused.value.hint
    assert "Canary" not in f"{refused.value} {refused.value.hint}"


def test_credentials_never_show_themselves() -> None:
    key = Credentials(ID, SECRET, TOKEN)
    for shown in (repr(key), str(key), f"{key}", f"{[key]}", repr(load(ENVIRON, None, Path("/")))):
        assert "***" in shown
        assert not any(secret in shown for secret in (ID, SECRET, TOKEN))


def test_a_temporary_key_without_its_token_stops_before_any_call(tmp_path: Path) -> None:
    environ = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "STS.NUy1", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}
    with pytest.raises(AuthError, match="without its token") as stopped:
        load(environ, None, tmp_path)
    assert "ALIBABA_CLOUD_SECURITY_TOKEN" in stopped.value.hint
    assert load({**environ, "ALIBABA_CLOUD_SECURITY_TOKEN": "t"}, None, tmp_path).provider.get().temporary
