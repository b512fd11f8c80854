"""Results on their way to other tools: state dict, ONNX, QONNX."""
