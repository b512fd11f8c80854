"""The rules by which an exported program becomes a `LayerGraph`, one subject a file."""
