"""Where a layer's operands lie: windows, output phases, their taps, passes of the picture layer.

A *position* is a point of the grid that the array computes at once: an output pixel of a down
layer, an input pixel of an up layer. An up layer yields stride × stride outputs per position, one
per *phase*; output n of phase p at position q is ``n = stride · q + p − lead``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xlic.accelerator.isa import WINDOW_OFFSETS
from xlic.architecture import ConvLayer
from xlic.errors import InputError


class Place(NamedTuple):
    """Where a tap's operand lies, seen from a position.

    Attributes:
        pair: row phase · stride + column phase of the window.
        dy: steps of the stride down from the window's first row; likewise ``dx`` to the right.
    """

    pair: int
    dy: int
    dx: int


@dataclass(frozen=True)
class Phase:
    """One of the outputs that belong to a position.

    Attributes:
        y: row among them; likewise ``x``.
        taps: kernel row and column by place of the operand; empty where a stride larger than the
            kernel leaves outputs that see no input.
    """

    y: int
    x: int
    taps: Mapping[Place, tuple[int, int]]


@dataclass(frozen=True)
class Geometry:
    """A layer's shape as the accelerator sees it; both axes are alike.

    Attributes:
        stride: of the window: samples of the input from one position to the next.
        upsampling: outputs per position and axis.
        origin: first sample of the window of position 0.
        reach: samples of the input that one position sees.
        lead: see the module.
        phases: the outputs of a position, in raster order.
    """

    stride: int
    upsampling: int
    origin: int
    reach: int
    lead: int
    phases: tuple[Phase, ...]

    def window(self, positions: int) -> int:
        """Samples that so many neighbouring positions see together."""
        return (positions - 1) * self.stride + self.reach

    def grid(self, outputs: int) -> int:
        """Positions that yield the first so many outputs of an axis."""
        return -(-(outputs + self.lead) // self.upsampling)

    def slots(self, poy: int) -> int:
        """Slots of the row banks that the window of ``poy`` rows of positions takes."""
        return (self.window(poy) - 1) // self.stride // poy + 1


def geometry_of(layer: ConvLayer) -> Geometry:
    """The geometry of a layer.

    Raises:
        InputError: an even kernel, whose centre is not agreed upon, or one that spans more steps
            of the stride than taps can address.
    """
    if layer.kernel < 1 or layer.stride < 1 or layer.kernel % 2 == 0:
        raise InputError(
            f"{layer.name}: a {layer.kernel}×{layer.kernel} kernel at stride {layer.stride} has no "
            "centre to align with; kernels must be odd, strides positive"
        )
    if -(-layer.kernel // layer.stride) > WINDOW_OFFSETS:
        raise InputError(
            f"{layer.name}: a {layer.kernel}×{layer.kernel} kernel at stride {layer.stride} spans "
            f"{-(-layer.kernel // layer.stride)} strides, the accelerator takes at most "
            f"{WINDOW_OFFSETS}; use a kernel of {WINDOW_OFFSETS * layer.stride} or less"
        )
    return _down(layer) if layer.direction == "down" else _up(layer)


@dataclass(frozen=True)
class VirtualOutput:
    """One channel of one phase, computed by a lane of its own.

    Attributes:
        phase: which phase.
        channel: which channel of the layer.
    """

    phase: Phase
    channel: int

    @property
    def places(self) -> frozenset[Place]:
        """Where its operands lie."""
        return frozenset(self.phase.taps)


def group_outputs(outputs: Sequence[VirtualOutput], lanes: int) -> list[list[VirtualOutput]]:
    """Spread virtual outputs over passes of at most ``lanes``, such that these have few taps.

    A pass takes a cycle per tap and input channel, and has every tap that any of its outputs has.
    First, outputs with the same taps fill passes of their own. What is left is taken by falling
    number of taps, a pass each time filled up with what adds the fewest taps to it. For the picture
    layer of bls2017 no spreading has fewer (tests compare with an exact solver).

    Returns:
        The passes, by rising number of taps.
    """
    kinds: dict[frozenset[Place], list[VirtualOutput]] = {}
    for output in outputs:
        kinds.setdefault(output.places, []).append(output)
    groups: list[list[VirtualOutput]] = []
    for members in kinds.values():
        while len(members) >= lanes:
            groups.append(_take(members, lanes))
    while left := [kind for kind, members in kinds.items() if members]:
        taps = max(left, key=lambda kind: (len(kind), sorted(kind)))
        group = _take(kinds[taps], lanes)
        while len(group) < lanes and (left := [kind for kind in left if kinds[kind]]):
            nearest = _nearest(left, taps)
            taps |= nearest
            group += _take(kinds[nearest], lanes - len(group))
        groups.append(group)
    return sorted(groups, key=lambda group: len(places_of(group)))


def places_of(group: Sequence[VirtualOutput]) -> tuple[Place, ...]:
    """All places that the outputs of a pass need, in ascending order."""
    return tuple(sorted(frozenset().union(*(output.places for output in group))))


def _down(layer: ConvLayer) -> Geometry:
    k, s = layer.kernel, layer.stride
    taps = {
        Place((row % s) * s + column % s, row // s, column // s): (row, column)
        for row in range(k)
        for column in range(k)
    }
    return Geometry(s, 1, -(k // 2), k, 0, (Phase(0, 0, taps),))


def _up(layer: ConvLayer) -> Geometry:
    s = layer.stride
    # The kernel spans at most three strides, so one of the leads needs no more than three offsets.
    for lead in range(s):
        axis = [_up_taps(layer, phase - lead) for phase in range(s)]
        offsets = [offset for taps in axis for _, offset in taps]
        origin, reach = min(offsets), max(offsets) - min(offsets) + 1
        if reach <= WINDOW_OFFSETS:
            break
    phases = tuple(
        Phase(
            y,
            x,
            {
                Place(0, below - origin, right - origin): (row, column)
                for row, below in axis[y]
                for column, right in axis[x]
            },
        )
        for y in range(s)
        for x in range(s)
    )
    return Geometry(1, s, origin, reach, lead, phases)


def _up_taps(layer: ConvLayer, residue: int) -> list[tuple[int, int]]:
    """Kernel index and input offset of every tap of outputs ``n = stride · q + residue``.

    Index j of a kernel stored ready to correlate meets the zero-stuffed input at n + j − K//2,
    which is input sample q + offset where that is stride · (q + offset).
    """
    s, half = layer.stride, layer.kernel // 2
    return [
        (j, (residue + j - half) // s) for j in range(layer.kernel) if (residue + j - half) % s == 0
    ]


def _take(members: list[VirtualOutput], count: int) -> list[VirtualOutput]:
    taken = members[:count]
    del members[:count]
    return taken


def _nearest(kinds: Sequence[frozenset[Place]], taps: frozenset[Place]) -> frozenset[Place]:
    """The kind that adds the fewest places to ``taps``, of these the largest."""
    return min(kinds, key=lambda kind: (len(kind - taps), -len(kind), sorted(kind)))
