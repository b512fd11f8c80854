"""The smallest network that loses at most so much, found by sensitivity, probes and full runs."""
