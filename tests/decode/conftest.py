import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="rewrite tests/payloads/**/*.receipts.json from what decode() says now",
    )
