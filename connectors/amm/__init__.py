"""Exact pool maths: what a pool takes and pays, to the last unit, and the depth ladder that makes a book of it."""
