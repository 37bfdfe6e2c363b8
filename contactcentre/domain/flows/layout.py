"""Places the boxes of a flow in layers, for `drawing`. Follows Sugiyama, Tagawa and Toda (1981): turn the
ways back, rank, order each layer to have few crossings, then set positions.

Boxes stand in even layers. Each way crosses the odd layers in between as a point of its own, and the first of
them is as wide as the way's label: so labels have room and never lie on one another.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GAP = 26.0  # between neighbours in a layer
BOX_HEIGHT, LABEL_HEIGHT, LAYER_GAP = 46.0, 16.0, 15.0
SWEEPS = 12
SETTLING = 60  # sweeps more, after which positions hardly move


@dataclass(eq=False, slots=True)
class Spot:
    """A box, or the point where a way crosses a layer. `x` is its middle."""

    rank: int
    width: float
    name: str = ""  # of a box
    x: float = 0.0
    above: "list[Spot]" = field(default_factory=list)
    below: "list[Spot]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """A way: its spots from source to target. `back` leads up."""

    source: str
    target: str
    label: str
    spots: list[Spot]
    back: bool


@dataclass(frozen=True, slots=True)
class Layout:
    boxes: Mapping[str, Spot]
    lines: list[Line]
    loops: Mapping[str, str]  # box -> label of its way to itself
    layers: list[list[Spot]]
    width: float

    def middle(self, rank: int) -> float:
        """The y of a layer's middle."""
        pair = BOX_HEIGHT + LABEL_HEIGHT + 2 * LAYER_GAP
        return rank // 2 * pair + (BOX_HEIGHT / 2 if rank % 2 == 0 else BOX_HEIGHT + LAYER_GAP + LABEL_HEIGHT / 2)

    @property
    def height(self) -> float:
        return self.middle(len(self.layers) - 1) + BOX_HEIGHT / 2


def layout(start: str, sizes: Mapping[str, float], ways: Mapping[tuple[str, str], str], label_width: float) -> Layout:
    """`sizes`: the width of each box; `ways`: (from, to) -> label; `label_width`: of one character."""
    loops = {source: label for (source, target), label in ways.items() if source == target}
    plain = {pair: label for pair, label in ways.items() if pair[0] != pair[1]}
    ranks, back = _ranks(start, sizes, plain)
    boxes = {name: Spot(2 * ranks[name], width, name) for name, width in sizes.items()}
    layers: list[list[Spot]] = [[] for _ in range(2 * max(ranks.values()) + 1)]
    for box in boxes.values():
        layers[box.rank].append(box)
    lines = []
    for (source, target), label in plain.items():
        turned = (source, target) in back
        upper, lower = (boxes[target], boxes[source]) if turned else (boxes[source], boxes[target])
        between = [Spot(rank, 4.0) for rank in range(upper.rank + 1, lower.rank)]
        between[-1 if turned else 0].width = max(4.0, len(label) * label_width + 8)
        chain = [upper, *between, lower]
        for first, second in pairwise(chain):
            first.below.append(second)
            second.above.append(first)
        for spot in between:
            layers[spot.rank].append(spot)
        lines.append(Line(source, target, label, chain[::-1] if turned else chain, turned))
    _order(layers)
    _place(layers)
    for line in lines:
        _straighten(line.spots[1:-1], layers)
    left = min(spot.x - spot.width / 2 for layer in layers for spot in layer)
    for layer in layers:
        for spot in layer:
            spot.x -= left
    width = max(spot.x + spot.width / 2 for layer in layers for spot in layer)
    return Layout(boxes, lines, loops, layers, width)


def _ranks(
    start: str, names: Iterable[str], ways: Iterable[tuple[str, str]]
) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """The layer of each name, and the ways that lead back (to a name that is still being followed from the
    start)."""
    onward: dict[str, list[str]] = {name: [] for name in names}
    for source, target in ways:
        onward[source].append(target)
    back: set[tuple[str, str]] = set()
    state: dict[str, int] = {}  # 1 = being followed, 2 = done
    finished: list[str] = []
    for root in (start, *onward):
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(onward[root]))]
        while stack:
            name, rest = stack[-1]
            target = next(rest, "")
            if not target:
                state[name] = 2
                finished.append(name)
                stack.pop()
            elif state.get(target) == 1:
                back.add((name, target))
            elif target not in state:
                state[target] = 1
                stack.append((target, iter(onward[target])))
    ranks = dict.fromkeys(onward, 0)
    for name in reversed(finished):
        for target in onward[name]:
            if (name, target) not in back:
                ranks[target] = max(ranks[target], ranks[name] + 1)
    return ranks, back


def _order(layers: list[list[Spot]]) -> None:
    """Sorts each layer by the middle of its neighbours, down and up again, and keeps the best order seen."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer, fixed in _neighbours(layers, down):
            place = {spot: index for index, spot in enumerate(fixed)}
            _sort(layer, {spot: [place[other] for other in (spot.above if down else spot.below)] for spot in layer})
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _neighbours(layers: list[list[Spot]], down: bool) -> list[tuple[list[Spot], list[Spot]]]:
    """(a layer to sort, the one that it is sorted by), on the way down or up."""
    pairs = list(pairwise(layers))
    return [(lower, upper) for upper, lower in pairs] if down else pairs[::-1]


def _sort(layer: list[Spot], near: Mapping[Spot, list[int]]) -> None:
    """By the mean place of the neighbours; a spot without any stays about where it is."""
    keys = {spot: sum(near[spot]) / len(near[spot]) if near[spot] else index for index, spot in enumerate(layer)}
    layer.sort(key=keys.__getitem__)


def _crossings(layers: list[list[Spot]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        place = {spot: index for index, spot in enumerate(lower)}
        ends = [end for spot in upper for end in sorted(place[other] for other in spot.below)]
        total += sum(first > second for index, first in enumerate(ends) for second in ends[index + 1 :])
    return total


def _place(layers: list[list[Spot]]) -> None:
    """Moves every spot towards its neighbours as far as those beside it allow."""
    for layer in layers:
        x = 0.0
        for spot in layer:
            spot.x = x + spot.width / 2
            x += spot.width + GAP
    for sweep in range(SWEEPS + SETTLING):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wished = []
            for spot in layer:
                near = spot.above + spot.below if sweep >= SWEEPS else spot.above if sweep % 2 == 0 else spot.below
                wished.append(sum(other.x for other in near) / len(near) if near else spot.x)
            apart = [(one.width + two.width) / 2 + GAP for one, two in pairwise(layer)]
            weights = [1.0 if spot.name else 4.0 for spot in layer]
            for spot, x in zip(layer, _spread(wished, weights, apart), strict=True):
                spot.x = x


def _straighten(spots: list[Spot], layers: list[list[Spot]]) -> None:
    """Puts the points of one way below one another, all of them or as many as there is room for."""
    if len(spots) < 2:
        return
    least, most = zip(*(_room(spot, layers[spot.rank]) for spot in spots), strict=True)
    x = min(max(spots[0].x, *least), *most)
    if max(least) <= x:
        for spot in spots:
            spot.x = x
    else:
        _straighten(spots[: len(spots) // 2], layers)
        _straighten(spots[len(spots) // 2 :], layers)


def _room(spot: Spot, layer: list[Spot]) -> tuple[float, float]:
    """The positions between which `spot` can move without touching its neighbours."""
    place = layer.index(spot)
    least, most = -math.inf, math.inf
    if place:
        before = layer[place - 1]
        least = before.x + (before.width + spot.width) / 2 + GAP / 2
    if place + 1 < len(layer):
        after = layer[place + 1]
        most = after.x - (after.width + spot.width) / 2 - GAP / 2
    return min(least, spot.x), max(most, spot.x)


def _spread(wished: Sequence[float], weights: Sequence[float], apart: Sequence[float]) -> list[float]:
    """The positions nearest to `wished` (weighted least squares) with neighbours at least `apart`: isotonic
    regression by pooling adjacent violators."""
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, members
    for wish, weight, offset in zip(wished, weights, offsets, strict=False):
        blocks.append((wish - offset, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, heavy, count = blocks.pop()
            before, light, members = blocks.pop()
            blocks.append(((before * light + mean * heavy) / (light + heavy), light + heavy, members + count))
    flat = [mean for mean, _, count in blocks for _ in range(count)]
    return [value + offset for value, offset in zip(flat, offsets, strict=False)]
