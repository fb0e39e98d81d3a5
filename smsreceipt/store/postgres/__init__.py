"""A store in a PostgreSQL database that many machines share."""
