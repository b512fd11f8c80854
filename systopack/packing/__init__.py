"""Filter matrix in, packed filter matrix out: numpy and numba, no torch."""
