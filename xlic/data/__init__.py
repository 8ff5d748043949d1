"""Shipped files; :mod:`xlic.shipped` finds them."""
