"""Output: the columns of each object, and the formats that show them: JSON, CSV, tables on a terminal."""
