"""Credentials and endpoints of the provider, and the way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsreceipt.app import App

if TYPE_CHECKING:
    from smsreceipt.aliyun.credentials import Provider
    from smsreceipt.aliyun.endpoints import Endpoints
    from smsreceipt.aliyun.proxies import Proxies
    from smsreceipt.aliyun.reporter import ConnectionReporter


def access(app: App) -> tuple[Endpoints, Provider]:
    """The endpoints and the credentials; prints warnings about the files of credentials.

    Raises UsageError for an invalid endpoint, AuthError where there is no AccessKey.
    """
    from smsreceipt.aliyun import credentials
    from smsreceipt.aliyun.endpoints import DEFAULTS, Endpoints

    named = {f"SMSRECEIPT_{name.upper()}_ENDPOINT": app.endpoint(name) or "" for name in DEFAULTS}
    endpoints = Endpoints.of(named, insecure_http=app.insecure_http)
    loaded = credentials.load(app.environ, app.explicit_profile, app.home)
    for warning in loaded.warnings:
        app.warn(warning)
    return endpoints, loaded.provider


def proxies(app: App) -> Proxies:
    """The choice of proxies for calls to the provider."""
    from smsreceipt.aliyun.proxies import Proxies

    return Proxies(app.environ, app.config.proxy, f"{app.config.path}: proxy")


def connection_reporter(app: App) -> ConnectionReporter:
    """Prints lines to standard error while the provider cannot be reached; one for all connections of a run."""
    from smsreceipt.aliyun.reporter import ConnectionReporter

    return ConnectionReporter(app.say)
