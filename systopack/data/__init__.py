"""Image sets: read once, cached, split with a seed, and dealt out in augmented batches."""
