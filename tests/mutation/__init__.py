"""Mutation testing of risk/: mutmut's operators, our selection of tests, a score (`python -m tests.mutation`)."""
