"""Synthesis: area, clock, power and FPGA resources of the Verilog, measured with open tools."""
