from tests.cli.conftest import bare, program, pytest_generate_tests

__all__ = ["bare", "program", "pytest_generate_tests"]
