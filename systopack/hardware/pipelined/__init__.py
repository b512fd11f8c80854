"""The layer-pipelined accelerator: what is built for each node, and when each word passes."""
