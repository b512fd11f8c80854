"""Compiled search over groupings: insertion, reassignment, annealing, exact cover."""
