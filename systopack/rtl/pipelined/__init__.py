"""The layer-pipelined accelerator as Verilog: one unit for each node, wired together."""
