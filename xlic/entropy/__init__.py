"""Entropy coding: symbols to bytes and back, as tensorflow-compression does it, without TensorFlow.

:mod:`~xlic.entropy.tables` holds the distributions, :mod:`~xlic.entropy.rangecoder` the coder,
:mod:`~xlic.entropy.tfci` the container, and :mod:`~xlic.entropy.codec` puts them together.
"""
