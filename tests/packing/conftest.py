"""Hypothesis without a deadline: the first call of a compiled loop compiles it."""

from hypothesis import settings

settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")
