"""Writes rows of a view to files: JSON lines, CSV, .xlsx, Parquet."""
