"""AccessKeys, from the environment or the configuration of the `aliyun` command line. Never from an option."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from smsreceipt.errors import AuthError, UsageError
from smsreceipt.extras import install_command
from smsreceipt.language import N_, _
from smsreceipt.permissions import denied_hint, unusable, why_denied

_HINT = N_(
    "Set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or make a profile in"
    " ~/.aliyun/config.json with `aliyun configure`."
)
_STS_HINT = N_(
    "Set ALIBABA_CLOUD_SECURITY_TOKEN to the token that was issued with it (in a profile: mode StsToken, sts_token)."
)
_PRINTABLE = re.compile(r"[!-~]*\Z")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """An AccessKey, and the token that a temporary one needs. repr and str are masked."""

    access_key_id: str
    access_key_secret: str
    security_token: str = ""

    def __post_init__(self) -> None:
        # They become headers: a line break in one of them would begin another header.
        if not all(map(_PRINTABLE.match, (self.access_key_id, self.access_key_secret, self.security_token))):
            raise AuthError(_("an AccessKey or token holds white space or a character that is not ASCII"), hint=_HINT)
        if self.access_key_id.startswith("STS.") and not self.security_token:
            raise AuthError(_("the AccessKey is a temporary one (STS) and comes without its token"), hint=_STS_HINT)

    @property
    def temporary(self) -> bool:
        """Whether the key has a token, and so expires."""
        return bool(self.security_token)

    def __repr__(self) -> str:
        return "Credentials(***)"


class Provider(Protocol):
    """A source of credentials, which may change over time."""

    def get(self) -> Credentials:
        """Credentials that are valid now. May call a service. Raises AuthError."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A provider of credentials that never change."""

    credentials: Credentials

    def get(self) -> Credentials:
        """The same credentials every time."""
        return self.credentials


@dataclass(frozen=True, slots=True)
class Loaded:
    """What load() found."""

    provider: Provider
    warnings: tuple[str, ...] = ()  #: sentences for the user


def load(environ: Mapping[str, str], profile: str | None, home: Path) -> Loaded:
    """Find credentials: an explicit *profile*, else the keys in *environ*, else the configuration's current profile.

    Profiles that hold a key themselves (modes AK and StsToken) need no extra; the others need the extra
    `credentials`. Raises AuthError when nothing is found or the key is incomplete, UsageError when the profile or the
    extra does not exist.
    """
    key_id = environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID", "")
    secret = environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")
    if not profile and (key_id or secret):
        if not (key_id and secret):
            absent = "ALIBABA_CLOUD_ACCESS_KEY_SECRET" if key_id else "ALIBABA_CLOUD_ACCESS_KEY_ID"
            raise AuthError(_("{variable} is not set, but its other half is", variable=absent), hint=_HINT)
        token = environ.get("ALIBABA_CLOUD_SECURITY_TOKEN", "")
        return Loaded(Fixed(Credentials(key_id, secret, token)))
    path = home / ".aliyun" / "config.json"
    wanted = profile or environ.get("ALIBABA_CLOUD_PROFILE", "")
    try:
        readable_by_others = stat.S_IMODE(path.stat().st_mode) & 0o077
        config = _config(path.read_bytes())
    except OSError as exc:
        if wanted:
            raise unusable(
                _("profile {profile}: {path} cannot be read", profile=wanted, path=path), exc, path, hint=_HINT
            ) from exc
        if why := why_denied(path):
            raise AuthError(
                _("{name} cannot be read: {reason}", name=path, reason=why), hint=denied_hint(path)
            ) from exc
        raise AuthError(_("no credentials were found"), hint=_HINT) from None
    warnings = (_("{path} can be read by other users: chmod 600 it", path=path),) if readable_by_others else ()
    name = wanted or str(config.get("current") or "default")
    return Loaded(_provider(_find(config, name, path), name, path), warnings)


def _config(text: bytes) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError:
        config = None  # the parser's message would quote the file
    if not isinstance(config, dict) or not isinstance(config.get("profiles", []), list):
        raise UsageError(_("~/.aliyun/config.json is not what `aliyun configure` writes"))
    return config


def _find(config: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    for candidate in config.get("profiles", []):
        if isinstance(candidate, dict) and candidate.get("name") == name:
            return candidate
    raise UsageError(
        _("{path} has no profile {name}", path=path, name=name), hint=_("`aliyun configure list` names them.")
    )


def _provider(profile: dict[str, Any], name: str, path: Path) -> Provider:
    mode = profile.get("mode") or "AK"
    if mode not in {"AK", "StsToken"}:
        return _external(profile, str(mode), name, path)
    token = profile.get("sts_token") if mode == "StsToken" else ""
    parts = (profile.get("access_key_id"), profile.get("access_key_secret"), token)
    if not all(isinstance(part, str) for part in parts) or not (parts[0] and parts[1]):
        raise AuthError(_("profile {name} holds no complete AccessKey", name=name), hint=_HINT)
    if mode == "StsToken" and not token:
        raise AuthError(_("profile {name} holds no token", name=name), hint=_HINT)
    return Fixed(Credentials(*map(str, parts)))


class _External:
    """Credentials that the provider's package obtains and renews: roles, OIDC, instances, external commands."""

    def __init__(self, fetch: Callable[[], Any], name: str) -> None:
        self._fetch = fetch
        self._name = name

    def get(self) -> Credentials:
        """Credentials that are valid now; the package caches and renews them."""
        try:
            found = self._fetch()
            parts = (found.get_access_key_id(), found.get_access_key_secret(), found.get_security_token() or "")
        except Exception as exc:  # noqa: BLE001 - the package raises bare exceptions of many kinds
            # Its message is left out and not chained: it may quote what the service or the command printed.
            raise AuthError(
                _("profile {name} gave no credentials ({error})", name=self._name, error=type(exc).__name__)
            ) from None
        if not (parts[0] and parts[1]):
            raise AuthError(_("profile {name} gave no credentials", name=self._name))
        return Credentials(*parts)

    def __repr__(self) -> str:
        return f"_External({self._name})"


def _external(profile: dict[str, Any], mode: str, name: str, path: Path) -> Provider:
    try:
        from alibabacloud_credentials import provider as providers
    except ImportError:
        raise UsageError(
            _("profile {name} has mode {mode}, which needs the extra `credentials`", name=name, mode=mode),
            hint=install_command("credentials"),
        ) from None
    try:
        if mode == "CredentialsURI":
            found = providers.URLCredentialsProvider(uri=profile.get("credentials_uri"))
        else:
            found = providers.CLIProfileCredentialsProvider(profile_name=name, profile_file=str(path))
    except Exception as exc:  # noqa: BLE001 - as above
        raise AuthError(_("profile {name} cannot be used ({error})", name=name, error=type(exc).__name__)) from None
    return _External(found.get_credentials, name)
