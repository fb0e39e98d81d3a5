"""The PostgreSQL store keeps the contract."""

from __future__ import annotations

import pytest

from smsreceipt.store import Store
from tests.store.contract import StoreContract
from tests.store.engines import ENGINES

pytestmark = pytest.mark.needs("postgres")


class TestPostgres(StoreContract):
    def store(self) -> Store:
        return ENGINES["postgres"].empty()
