from tests.cli.conftest import bare, program

__all__ = ["bare", "program"]
