"""Verification: integer reference = RTL word for word, cycle model = RTL cycle for cycle."""
