"""Other accelerators' arithmetic: a package each, which nothing outside of it knows by name."""
