"""The rungs of the ladder: implementations of the codec behind one interface."""
