"""Draw the diagrams of How OSNet works: `python docs/site/draw.py` writes docs/images/*.svg.

Inlined into a page they follow its light or dark colors; opened alone, those of the system. Each is
480 units wide, so that its text is readable on a phone.
"""

from html import escape
from pathlib import Path

IMAGES = Path(__file__).parents[1] / "images"

WIDTH = 480

STYLE = """
.drawing { --ink: var(--md-default-fg-color, #263238); --teal: #00897b; --orange: #e67300;
  --blue: #3b7dd8; --purple: #8e5bd0; --grey: #78909c; max-width: 34rem; }
@media (prefers-color-scheme: dark) { .drawing { --ink: var(--md-default-fg-color, #eceff1); } }
.drawing text { fill: var(--ink); font: 14px system-ui, sans-serif; text-anchor: middle; }
.drawing .left { text-anchor: start; } .drawing .right { text-anchor: end; }
.drawing .small { font-size: 12.5px; } .drawing .large { font-size: 19px; }
.drawing .strong { font-weight: 600; }
.drawing .line { fill: none; stroke: var(--ink); stroke-width: 1.5; opacity: 0.7; }
.drawing .tip { fill: var(--ink); opacity: 0.8; }
"""

COLORS = ("blue", "teal", "orange", "purple")


def box(
    x: float, y: float, width: float, height: float, text: str = "", color: str = "grey",
    kind: str = "",
) -> str:  # fmt: skip
    """Return a box with a centered line of text."""
    shape = (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" '
        f'style="fill: var(--{color}); fill-opacity: 0.17; stroke: var(--{color})"/>'
    )
    return shape + (label(x + width / 2, y + height / 2 + 5, text, kind) if text else "")


def label(x: float, y: float, text: str, kind: str = "") -> str:
    """Return a line of text; `y` is its baseline."""
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'


def arrow(*points: tuple[float, float]) -> str:
    """Return a polyline that ends in an arrowhead."""
    (x0, y0), (x, y) = points[-2:]
    if x == x0:
        back = 7 if y > y0 else -7
        tip = f"{x},{y} {x - 4},{y - back} {x + 4},{y - back}"
    else:
        back = 7 if x > x0 else -7
        tip = f"{x},{y} {x - back},{y - 4} {x - back},{y + 4}"
    return line(*points) + f'<polygon class="tip" points="{tip}"/>'


def line(*points: tuple[float, float]) -> str:
    """Return a polyline."""
    return f'<polyline class="line" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'


def circle(x: float, y: float, text: str) -> str:
    """Return the symbol of an operation, such as a product or a sum."""
    return f'<circle class="line" cx="{x}" cy="{y}" r="11"/>' + label(x, y + 5, text)


def person(x: float, y: float, height: float, shirt: str, trousers: str, bag: bool = False) -> str:
    """Return a person seen from the front; (x, y) is the center of the top of the head."""
    unit = height / 16

    def part(left: float, top: float, width: float, tall: float, color: str) -> str:
        return (
            f'<rect x="{x + left * unit:.1f}" y="{y + top * unit:.1f}" '
            f'width="{width * unit:.1f}" height="{tall * unit:.1f}" rx="{unit * 0.6:.1f}" '
            f'style="fill: var(--{color})"/>'
        )

    shapes = [
        f'<circle cx="{x}" cy="{y + 1.5 * unit:.1f}" r="{1.5 * unit:.1f}" fill="#c58c6a"/>',
        part(-1.7, 9, 1.5, 6.6, trousers),
        part(0.2, 9, 1.5, 6.6, trousers),
        part(-3.3, 3.6, 1.2, 5.6, shirt),
        part(2.1, 3.6, 1.2, 5.6, shirt),
        part(-2, 3.3, 4, 6.4, shirt),
    ]
    if bag:
        shapes.append(part(2.2, 6.6, 2.2, 2.8, "grey"))
    return "".join(shapes)


def drawing(height: float, title: str, *parts: str) -> str:
    """Return a complete SVG document."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" '
        f'viewBox="0 0 {WIDTH} {height}">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def search() -> str:
    """Return a query, the gallery sorted by distance, and which matches are correct."""
    parts = [
        label(70, 22, "query", "strong"),
        box(28, 34, 84, 142),
        person(70, 46, 112, "orange", "blue", bag=True),
        label(70, 194, "camera 1", "small"),
        label(312, 22, "gallery, sorted by distance", "strong"),
        arrow((116, 105), (148, 105)),
    ]
    found = [
        ("orange", "blue", True, "camera 2", "correct"),
        ("orange", "blue", False, "camera 2", "wrong"),
        ("orange", "blue", True, "camera 3", "correct"),
        ("teal", "purple", False, "camera 3", "wrong"),
    ]
    for place, (shirt, trousers, bag, camera, verdict) in enumerate(found):
        left = 154 + place * 80
        parts += [
            box(left, 34, 72, 142, color="teal" if verdict == "correct" else "grey"),
            person(left + 36, 52, 98, shirt, trousers, bag),
            label(left + 36, 194, camera, "small"),
            label(left + 36, 214, f"{place + 1}: {verdict}", "small strong"),
        ]
    title = "A query, and the gallery images sorted by their distance to it"
    return drawing(226, title, *parts)


def scales() -> str:
    """Return the receptive fields of streams of one to four layers."""
    sizes = (3, 5, 7, 9)
    names = ("one layer", "two layers", "three layers", "four layers")
    parts = []
    for place, (size, name, color) in enumerate(zip(sizes, names, COLORS, strict=True)):
        middle = 60 + place * 120
        cell = 9.5
        left, top = middle - size * cell / 2, 70 - size * cell / 2
        parts += [
            f'<g opacity="0.45">{person(middle, 10, 170, "orange", "blue")}</g>',
            box(left, top, size * cell, size * cell, color=color),
            *(
                line((left + step * cell, top), (left + step * cell, top + size * cell))
                for step in range(1, size)
            ),
            *(
                line((left, top + step * cell), (left + size * cell, top + step * cell))
                for step in range(1, size)
            ),
            label(middle, 206, f"{size}×{size}", "strong"),
            label(middle, 224, name, "small"),
        ]
    return drawing(232, "Receptive fields of streams of one to four layers", *parts)


def block() -> str:
    """Return the omni-scale block with four streams."""
    columns = (78, 178, 278, 378)
    parts = [
        label(228, 18, "input"),
        arrow((228, 24), (228, 46)),
        box(123, 46, 210, 30, "1×1: a quarter of the channels", kind="small"),
        line((228, 76), (228, 92)),
        line((columns[0], 92), (columns[-1], 92)),
    ]
    for depth, (x, color) in enumerate(zip(columns, COLORS, strict=True), start=1):
        parts.append(arrow((x, 92), (x, 106)))
        for step in range(depth):
            parts.append(box(x - 40, 106 + step * 38, 80, 28, "lite 3×3", color, "small"))
            if step + 1 < depth:
                parts.append(arrow((x, 134 + step * 38), (x, 144 + step * 38)))
        parts += [
            arrow((x, 96 + depth * 38), (x, 270)),
            line((x, 302), (x, 330)),
        ]
    parts += [
        box(38, 270, 380, 32, "gate G, shared by all streams"),
        line((columns[0], 330), (columns[-1], 330)),
        arrow((228, 330), (228, 345)),
        circle(228, 356, "Σ"),
        arrow((228, 367), (228, 388)),
        box(123, 388, 210, 30, "1×1: all channels", kind="small"),
        arrow((228, 418), (228, 439)),
        circle(228, 450, "+"),
        arrow((228, 34), (455, 34), (455, 450), (239, 450)),
        label(448, 444, "shortcut", "small right"),
        arrow((228, 461), (228, 478)),
        label(228, 494, "ReLU, output"),
    ]
    title = "The omni-scale block: four streams of one to four layers, fused by a shared gate"
    return drawing(506, title, *parts)


def gate() -> str:
    """Return the unified aggregation gate for one stream."""
    steps = ("global average pooling", "dense, C / 16, ReLU", "dense, C, sigmoid")
    parts = [
        label(120, 20, "stream feature map", "strong"),
        box(45, 30, 150, 44, "height × width × C", "blue", "small"),
        line((120, 74), (120, 92)),
        arrow((120, 92), (330, 92), (330, 106)),
    ]
    for place, step in enumerate(steps):
        top = 106 + place * 50
        parts.append(box(230, top, 200, 32, step, "teal", "small"))
        if place + 1 < len(steps):
            parts.append(arrow((330, top + 32), (330, top + 50)))
    parts += [
        arrow((330, 238), (330, 281), (131, 281)),
        label(334, 272, "C weights from 0 to 1", "small left"),
        arrow((120, 92), (120, 270)),
        circle(120, 281, "×"),
        arrow((120, 292), (120, 322)),
        label(120, 340, "weighted feature map", "strong"),
        label(120, 358, "channel by channel", "small"),
        label(446, 100, "G", "large strong"),
    ]
    title = "The gate: from the feature map of a stream to a weight for each channel"
    return drawing(368, title, *parts)


def network() -> str:
    """Return the stages of the network with their shapes at width 1.0 and 256×128 pixels."""
    rows = (
        ("image", "256 × 128 × 3", "grey"),
        ("conv1: 7×7, stride 2", "128 × 64 × 64", "grey"),
        ("max-pool", "64 × 32 × 64", "grey"),
        ("conv2: two omni-scale blocks", "64 × 32 × 256", "teal"),
        ("transition2: 1×1, pooling", "32 × 16 × 256", "grey"),
        ("conv3: two omni-scale blocks", "32 × 16 × 384", "teal"),
        ("transition3: 1×1, pooling", "16 × 8 × 384", "grey"),
        ("conv4: two omni-scale blocks", "16 × 8 × 512", "teal"),
        ("conv5: 1×1", "16 × 8 × 512", "grey"),
        ("pooled: global average", "512", "grey"),
        ("embedding: dense, batch norm, ReLU", "512", "orange"),
    )
    parts = []
    for place, (name, shape, color) in enumerate(rows):
        top = 8 + place * 44
        parts += [
            box(20, top, 440, 30, color=color),
            label(34, top + 20, name, "left"),
            label(446, top + 20, shape, "correct"),
        ]
        if place + 1 < len(rows):
            parts.append(arrow((240, top + 30), (240, top + 44)))
    return drawing(8 + len(rows) * 44, "OSNet, from an image to an embedding", *parts)


DRAWINGS = {function.__name__: function for function in (search, scales, block, gate, network)}


def main() -> None:
    """Write all diagrams."""
    for name, draw in DRAWINGS.items():
        (IMAGES / f"{name}.svg").write_text(draw(), "utf-8")


if __name__ == "__main__":
    main()
