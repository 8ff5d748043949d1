"""xlic: a verification harness for hardware that runs the learned image codec bls2017."""

__version__ = "0.1.0"
