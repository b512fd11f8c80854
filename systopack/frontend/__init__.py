"""Any torch model in, a graph of the layers that the hardware knows out."""
