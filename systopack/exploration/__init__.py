"""Design-space exploration: packings and arrays of one network, and the Pareto fronts of them."""
