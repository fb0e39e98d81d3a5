"""The key and the addresses that a command talks to the provider with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsreceipt.app import App

if TYPE_CHECKING:
    from smsreceipt.aliyun.credentials import Provider
    from smsreceipt.aliyun.endpoints import Endpoints


def access(app: App) -> tuple[Endpoints, Provider]:
    """Where the services are, and who we are there; what is wrong with a file of keys is said.

    Raises UsageError for an address that cannot be, AuthError where there is no key.
    """
    from smsreceipt.aliyun import credentials
    from smsreceipt.aliyun.endpoints import DEFAULTS, Endpoints

    named = {f"SMSRECEIPT_{name.upper()}_ENDPOINT": app.endpoint(name) or "" for name in DEFAULTS}
    endpoints = Endpoints.of(named, insecure_http=app.insecure_http)
    loaded = credentials.load(app.environ, app.explicit_profile, app.home)
    for warning in loaded.warnings:
        app.warn(warning)
    return endpoints, loaded.provider
