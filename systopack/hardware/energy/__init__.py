"""Energy of the accelerators: events counted by the cycle models, times measured coefficients."""
