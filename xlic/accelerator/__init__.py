"""The accelerator: what its program looks like, how it is compiled, driven and predicted."""
