"""Float model to 8-bit integers: scales, the fake-quantized model, lowering to the waist."""
