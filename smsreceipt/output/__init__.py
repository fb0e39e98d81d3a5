"""What the program shows: columns of each object, and the readers of them: JSON, CSV, terminal."""
