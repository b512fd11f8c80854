"""The waist: `PackedNetwork`, a whole packed 8-bit network as one checked value."""
