"""Rows of chunks, vectors and postings in; an immutable generation on disk out, and rows again when it is searched."""
