from tests.cli.conftest import bare

__all__ = ["bare"]
