"""The codec in TensorFlow: training, coding, and extraction of the weights.

Nothing here imports TensorFlow when it is itself imported; see :mod:`xlic.tfmodel.backend`.
"""
