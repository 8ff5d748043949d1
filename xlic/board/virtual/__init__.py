"""A virtual ZCU102: QEMU runs the processors, a process on the host plays the programmable logic.

:mod:`~xlic.board.virtual.machine` is where to begin: ``VirtualBoard.start()``.
"""
