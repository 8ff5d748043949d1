"""The limits of the INT16 contract: which a run's operands reached, and a made case that has all."""
