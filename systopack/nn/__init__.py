"""Shift layer, masks that keep pruned weights at zero, and the model zoo (torch)."""
