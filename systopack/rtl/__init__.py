"""Hardware as plain parametric Verilog, one file a block, and what goes into its memories."""
