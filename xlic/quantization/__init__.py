"""From float weights to the integers of the INT16 contract: calibrate, quantize, report."""
