"""Hypothesis without its clock: how long an example takes says nothing about what is right."""

from hypothesis import settings

settings.register_profile("connectors", deadline=None, database=None)
settings.load_profile("connectors")
