"""A picture of a flow: SVG text. Layers from top to bottom; ways that lead back up are dashed."""

from collections.abc import Iterable, Mapping
from html import escape

from contactcentre.domain.flows.graph import arrows, summary, with_places
from contactcentre.domain.flows.layout import BOX_HEIGHT, LABEL_HEIGHT, Layout, Line, Spot, layout
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.site import Site

MARGIN = 24.0
NAME_WIDTH, TEXT_WIDTH = 7.6, 6.2  # of a character
LOOP = 26.0  # how far a way from a node to itself reaches out
START = 34.0  # height above the first layer, for the mark of the start

_COLOURS = {
    "#e8f0fe": ("answer", "play", "say", "record"),
    "#fff3d6": ("menu", "collect"),
    "#f1e7fb": ("hours", "condition"),
    "#dff5e6": ("queue", "voicemail", "callback", "transfer"),
    "#fde4e1": ("hangup",),
}
_FILLS = "\n".join(
    f"{', '.join(f'.kind-{kind}' for kind in kinds)} {{ fill: {colour} }}" for colour, kinds in _COLOURS.items()
)
_STYLE = f"""
text {{ font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #1f2933; text-anchor: middle }}
.name {{ font-weight: 600; font-size: 13px }} .about {{ font-size: 11px; fill: #52606d }}
.label {{ font-size: 11px; fill: #334e68 }}
.box {{ stroke: #7b8794; stroke-width: 1; fill: #eef1f4 }} .way {{ fill: none; stroke: #627d98; stroke-width: 1.4 }}
.back {{ stroke: #b44d12; stroke-dasharray: 5 3 }} .paper {{ fill: #fff }}
.head {{ fill: #627d98 }} .head-back {{ fill: #b44d12 }} .start {{ fill: #1f2933 }}
{_FILLS}
"""


def svg(
    flow: Flow, site: Site | None = None, traffic: Mapping[tuple[str, str], int] | None = None, *, styled: bool = True
) -> str:
    """The flow as an SVG document, with a site also the ways that its queues have themselves. Everything in it is
    escaped. `traffic`: (from, to) -> calls that went this way, which stand with the way's label. Not `styled`: for a
    page, whose style sheet has colours for the classes here."""
    flow = with_places(flow, site)
    ways = {pair: ", ".join(labels) for pair, labels in arrows(flow, site).items()}
    for pair, calls in (traffic or {}).items():
        if pair in ways:
            ways[pair] = f"{ways[pair]} · {calls}" if ways[pair] else str(calls)
    about = {name: _about(node.type, summary(node)) for name, node in flow.nodes.items()}
    boxes = {name: _box_width(name, about[name]) for name in flow.nodes}
    loops = {source: label for (source, target), label in ways.items() if source == target}
    # A way to itself is drawn at both sides' expense, so that the box stays in the middle of its spot.
    rooms = {
        name: width + 2 * (LOOP + len(loops[name]) * TEXT_WIDTH if name in loops else 0)
        for name, width in boxes.items()
    }
    made = layout(flow.start, rooms, ways, TEXT_WIDTH)
    width, height = made.width + 2 * MARGIN, made.height + START + 2 * MARGIN
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-MARGIN:.0f} {-MARGIN - START:.0f} {width:.0f} {height:.0f}" role="img">',
        f"<title>{escape(flow.name)}</title>" + (f"<style>{_STYLE}</style>" if styled else ""),
        _head("arrow", "head") + _head("arrow-back", "head-back"),
        f'<rect class="paper" x="{-MARGIN:.0f}" y="{-MARGIN - START:.0f}" width="100%" height="100%"/>',
    ]
    ports = _ports(made, boxes)
    start = made.boxes[flow.start]
    top = made.middle(start.rank) - BOX_HEIGHT / 2
    body.append(f'<circle cx="{start.x:.1f}" cy="{top - START + 4:.1f}" r="5" class="start"/>')
    body.append(_path([(start.x, top - START + 9), (start.x, top)], back=False))
    body += [_way(made, line, ports) for line in made.lines]
    body += [_loop(made, name, boxes[name], label) for name, label in made.loops.items()]
    body += [_box(made, name, boxes[name], flow.nodes[name].type, about[name]) for name in flow.nodes]
    body += [_label(made, line) for line in made.lines if line.label]
    return "\n".join([*body, "</svg>\n"])


def _about(kind: str, words: str) -> str:
    return f"{kind}: {words}" if words else kind


def _box_width(name: str, about: str) -> float:
    return max(84.0, len(name) * NAME_WIDTH + 24, len(about) * TEXT_WIDTH + 24)


Point = tuple[float, float]


def _ports(made: Layout, widths: dict[str, float]) -> dict[tuple[Spot, Spot], float]:
    """Where on a box's edge each way leaves or enters, in the order of where it comes from or goes to."""
    ports: dict[tuple[Spot, Spot], float] = {}
    for name, box in made.boxes.items():
        for side in (box.above, box.below):
            room = widths[name] * 0.7
            step = min(22.0, room / max(1, len(side) - 1))
            for place, other in enumerate(sorted(side, key=lambda spot: spot.x)):
                ports[box, other] = box.x + (place - (len(side) - 1) / 2) * step
    return ports


def _way(made: Layout, line: Line, ports: dict[tuple[Spot, Spot], float]) -> str:
    spots = line.spots
    reach = BOX_HEIGHT / 2 * (-1 if line.back else 1)
    points = [(ports[spots[0], spots[1]], made.middle(spots[0].rank) + reach)]
    for spot in spots[1:-1]:
        middle, half = made.middle(spot.rank), (LABEL_HEIGHT if spot.rank % 2 else BOX_HEIGHT) / 2
        half = -half if line.back else half
        points += [(spot.x, middle - half), (spot.x, middle + half)]
    points.append((ports[spots[-1], spots[-2]], made.middle(spots[-1].rank) - reach))
    return _path(points, line.back)


def _path(points: Iterable[Point], back: bool) -> str:
    """A smooth line whose tangents are vertical at every point."""
    (x, y), *rest = points
    parts = [f"M{x:.1f} {y:.1f}"]
    for next_x, next_y in rest:
        half = (y + next_y) / 2
        straight = abs(next_x - x) < 0.5
        parts.append(
            f"L{next_x:.1f} {next_y:.1f}"
            if straight
            else f"C{x:.1f} {half:.1f} {next_x:.1f} {half:.1f} {next_x:.1f} {next_y:.1f}"
        )
        x, y = next_x, next_y
    kind, head = ("way back", "arrow-back") if back else ("way", "arrow")
    return f'<path class="{kind}" d="{" ".join(parts)}" marker-end="url(#{head})"/>'


def _loop(made: Layout, name: str, width: float, label: str) -> str:
    box = made.boxes[name]
    x, y = box.x + width / 2, made.middle(box.rank)
    path = f"M{x:.1f} {y - 9:.1f} C{x + LOOP:.1f} {y - 20:.1f} {x + LOOP:.1f} {y + 20:.1f} {x:.1f} {y + 9:.1f}"
    line = f'<path class="way back" d="{path}" marker-end="url(#arrow-back)"/>'
    text_x = x + LOOP * 0.8 + len(label) * TEXT_WIDTH / 2 + 2
    return line + f'<text class="label" x="{text_x:.1f}" y="{y + 4:.1f}">{escape(label)}</text>'


def _box(made: Layout, name: str, width: float, kind: str, about: str) -> str:
    box = made.boxes[name]
    x, y = box.x - width / 2, made.middle(box.rank) - BOX_HEIGHT / 2
    round_by = BOX_HEIGHT / 2 if kind == "hangup" else 6
    return (
        f'<rect class="box kind-{escape(kind)}" data-node="{escape(name)}" x="{x:.1f}" y="{y:.1f}" '
        f'width="{width:.1f}" height="{BOX_HEIGHT:.0f}" rx="{round_by:g}"/>'
        f'<text class="name" x="{box.x:.1f}" y="{y + 19:.1f}">{escape(name)}</text>'
        f'<text class="about" x="{box.x:.1f}" y="{y + 35:.1f}">{escape(about)}</text>'
    )


def _label(made: Layout, line: Line) -> str:
    spot = line.spots[1]
    y = made.middle(spot.rank)
    width = len(line.label) * TEXT_WIDTH + 6
    return (
        f'<rect class="paper" x="{spot.x - width / 2:.1f}" y="{y - LABEL_HEIGHT / 2:.1f}" width="{width:.1f}" '
        f'height="{LABEL_HEIGHT:.0f}" rx="3"/>'
        f'<text class="label" x="{spot.x:.1f}" y="{y + 4:.1f}">{escape(line.label)}</text>'
    )


def _head(name: str, kind: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 0.6 L8 4 L0 7.4 z" class="{kind}"/></marker>'
    )
