"""The recordings of the number-privacy service: links to them, and the object store that has their files."""
