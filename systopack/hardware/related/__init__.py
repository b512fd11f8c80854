"""Other ways to run sparse layers, modelled on the same layers with one technology table."""
