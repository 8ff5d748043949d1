"""Limits of the INT16 contract: which a run reached, and a made case that reaches all."""
