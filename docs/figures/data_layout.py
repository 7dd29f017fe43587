"""Draws docs/figures/data_layout.svg: rows of a table, the array they become, an edge in the matrix."""

from pathlib import Path

ROWS = [
    ("task", "time", "entity", "x", "y"),
    ("a", "0.0", "fox", "0.31", "1.20"),
    ("a", "0.0", "hen", "0.90", "0.44"),
    ("a", "0.1", "fox", "0.35", "1.17"),
    ("a", "0.1", "hen", "0.88", "0.47"),
    ("b", "0.0", "fox", "2.02", "0.10"),
]
NAMES = ("fox", "hen", "dog")
INK, MUTED, BLUE, PALE = "#1b1f25", "#6b7280", "#0072b2", "#dbeafe"


def text(x: float, y: float, words: str, size: int = 14, colour: str = INK, anchor: str = "middle") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def box(x: float, y: float, width: float, height: float, fill: str = "none", line: str = MUTED) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}" stroke="{line}"/>'


def table() -> list[str]:
    parts = [text(130, 30, "tracks.csv", 15)]
    for i, row in enumerate(ROWS):
        for j, cell in enumerate(row):
            marked = PALE if (i, j) in ((3, 3), (3, 4)) else "none"
            parts += [box(5 + 50 * j, 45 + 26 * i, 50, 26, marked), text(30 + 50 * j, 63 + 26 * i, cell, 13)]
    return [*parts, text(130, 222, "one row per task, time and entity", 12, MUTED)]


def array() -> list[str]:
    parts = [text(445, 30, "x [task, frame, entity, feature]", 15)]
    for depth in (2, 1, 0):
        x, y = 370 + 14 * depth, 60 + 34 - 14 * depth
        parts.append(box(x, y, 132, 78, "#fdfdfc"))
        for row in range(3 if depth == 0 else 0):
            for column in range(2):
                marked = PALE if row == 1 else "none"
                parts.append(box(x + 66 * column, y + 26 * row, 66, 26, marked))
    values = (("0.31", "1.20"), ("0.35", "1.17"), ("...", "..."))
    parts += [text(403 + 66 * j, 112 + 26 * i, v, 13) for i, row in enumerate(values) for j, v in enumerate(row)]
    parts += [text(362, 112 + 26 * i, f"frame {i}", 12, MUTED, "end") for i in range(3)]
    parts += [
        text(403, 190, "x", 12, MUTED),
        text(469, 190, "y", 12, MUTED),
        text(540, 80, "entities", 12, MUTED, "start"),
    ]
    return [*parts, text(445, 222, "x[0, 1, 0] = (0.35, 1.17): task a, frame 1, fox", 12, MUTED)]


def matrix() -> list[str]:
    parts = [
        text(760, 30, "edges [source, target]", 15),
        text(775, 62, "target", 12, MUTED),
        text(653, 133, "source", 12, MUTED),
    ]
    for i, name in enumerate(NAMES):
        parts += [text(735 + 40 * i, 80, name, 13), text(705, 105 + 30 * i, name, 13, INK, "end")]
        for j in range(3):
            edge = (i, j) == (0, 1)
            parts.append(box(715 + 40 * j, 86 + 30 * i, 40, 30, PALE if edge else "#eeeeee" if i == j else "none"))
            parts.append(text(735 + 40 * j, 106 + 30 * i, "1" if edge else "0", 13, BLUE if edge else MUTED))
    return [*parts, text(760, 222, "edges[0, 0, 1] = 1: the fox acts on the hen by type 1", 12, MUTED)]


def arrow(x: float) -> str:
    return f'<path d="M{x} 130 h30 m-8 -6 l8 6 l-8 6" fill="none" stroke="{INK}" stroke-width="1.6"/>'


def main() -> None:
    parts = [*table(), arrow(272), *array(), arrow(583), *matrix()]
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 930 240" font-family="sans-serif">'
    path = Path(__file__).with_suffix(".svg")
    path.write_text("\n".join([head, '<rect width="930" height="240" fill="#fdfdfc"/>', *parts, "</svg>", ""]))


if __name__ == "__main__":
    main()
