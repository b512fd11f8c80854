"""FPGAs: ECP5 from Verilog to bitstream, resource counts and a Vivado script for AMD's devices."""
