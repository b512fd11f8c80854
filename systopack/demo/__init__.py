"""The whole way on bundled digits: train, pack, quantize, evaluate, count cycles, report."""
