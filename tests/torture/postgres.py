"""Everything that is done to the PostgreSQL store. Each of these can be named on the command line by itself too."""

from __future__ import annotations

from tests.torture import (
    postgres_crowd,
    postgres_faults,
    postgres_fleet,
    postgres_kills,
    postgres_pooler,
    postgres_secrets,
)


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    parts = (postgres_kills, postgres_crowd, postgres_faults, postgres_secrets, postgres_pooler, postgres_fleet)
    results = [part.main(full) for part in parts]
    return all(results)
