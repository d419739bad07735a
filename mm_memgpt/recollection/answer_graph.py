"""An answer as a graph: what it rests on around it, and how that is connected, with every edge's weight; one SVG.

Notable: it is drawn from the answer alone, no model runs, and it needs neither a script nor a font; who points at a
node, or tabs to it, reads all of it below and sees its edges alone.
"""

from collections.abc import Sequence

from mm_memgpt.explain.around import WIDTH, around, middle
from mm_memgpt.explain.svg import LABEL, Box, picture, written
from mm_memgpt.recollection.answer_edges import evidence_box, evidence_label, said_of, spoke, tied, ties
from mm_memgpt.recollection.answer_nodes import Node, Shown, answer_node, paragraph, shown_as, source_node
from mm_memgpt.recollection.results import Answer, Source

SOURCES, LINES = 12, 30
"""Drawn at most: the first sources, and of the lines between them those by a shared entity, then the heaviest."""
BELOW = 122
"""Pixels below the graph where all of a node is shown."""
MARGIN = 5
"""Pixels around it all."""
SCALE = 1.3
"""Size of the picture where there is room; a phone shows it smaller."""
MEANING = (
    "Point at a box, or tab to it, for all of it. Straight lines: nats that the answer loses without a source, dashed "
    "where it speaks against the answer. Curves: what connects two sources, and how much of what one hears in the "
    "model's graph comes from the other."
)

STYLE = (
    f".mm-graph{{max-width:100%;height:auto}}.mm-graph text.mm-small{{font-size:{LABEL}px}}.mm-graph .mm-relation"
    "{font-style:italic}.mm-graph .mm-wave{stroke-width:3;stroke-linecap:round}.mm-graph .mm-for path{stroke:#2563b8}"
    ".mm-graph .mm-against path{stroke:#b8520f;stroke-dasharray:7 5}.mm-graph .mm-none path{stroke-dasharray:1 4}"
    ".mm-graph .mm-faint path{opacity:.5}"
    ".mm-graph :is(.mm-for,.mm-against) text{font-weight:600}.mm-node{cursor:help;outline:none}"
    ".mm-node:is(:hover,:focus)>rect{stroke-width:3}.mm-whole{visibility:hidden}"
    ".mm-node:is(:hover,:focus)>.mm-whole{visibility:visible}"
    ".mm-graph:has(.mm-node:hover) .mm-node:focus:not(:hover)>.mm-whole{visibility:hidden}"
    ".mm-graph .mm-below{font:14px/1.35 system-ui,sans-serif;color:#1d1d1f;background:#fff;height:100%;overflow:auto;"
    "overflow-wrap:anywhere;box-sizing:border-box;padding:6px 8px;border:1px solid #c3cad3;border-radius:8px}"
    "@media(prefers-color-scheme:dark){.mm-graph .mm-for path{stroke:#6ea8f2}.mm-graph .mm-against path{stroke:#f0965a}"
    ".mm-graph .mm-below{color:#f2f4f7;background:#14181f;border-color:#4a5461}}"
)


def answer_graph(answer: Answer, how: Sequence[Shown] | None = None) -> str:
    """The graph around an answer, with a dozen of its sources at most.

    Args:
        answer: the answer; one that declined stands alone.
        how: how each of its sources is told, where somebody knows better than by its modality and its seconds.
    """
    how = list(map(shown_as, answer.sources)) if how is None else how
    count = min(len(answer.sources), SOURCES)
    found = ties(answer.links)
    shown = dict([pair for pair in found.items() if max(pair[0]) < count][:LINES])
    boxes, heart = around(_pulls(answer.sources[:count]), {both: tie.pull for both, tie in shown.items()}), middle()
    nodes = [Node(place, answer.sources[place], how[place], box) for place, box in enumerate(boxes)]
    within = _extent([heart, *boxes])._replace(left=-WIDTH / 2, width=WIDTH)
    below = Box(within.left, within.bottom + LABEL + 14, within.width, BELOW)
    left_out = _left_out(len(answer.sources) - count, len(found) - len(shown))
    said = [said_of(node, shown, nodes) for node in nodes]
    body = [
        *(spoke(node, heart) for node in nodes),
        *tied(shown, nodes, [heart, *boxes, *map(evidence_box, nodes)], within),
        *map(evidence_label, nodes),
        written(0, within.bottom + LABEL + 6, left_out, "mm-small") if left_out else "",
        paragraph(below, MEANING, "mm-meaning"),
        answer_node(answer, heart, below),
        *(source_node(node, each, below) for node, each in zip(nodes, said, strict=True)),
    ]
    about = [f"{node.name}: {', '.join(each)}" for node, each in zip(nodes, said, strict=True)]
    return picture(
        _extent([within, below], MARGIN),
        "What the answer rests on",
        "; ".join(filter(None, [answer.text or "no answer", *about, left_out])),
        "".join(body),
        STYLE + _edges_alone(count),
        SCALE,
    )


def _pulls(sources: Sequence[Source]) -> list[float]:
    """How much each source is drawn to the answer: the one of the most evidence as two that share an entity are."""
    most = max((abs(source.evidence) for source in sources), default=0.0)
    return [abs(source.evidence) / max(most, 1e-9) for source in sources]


def _extent(boxes: Sequence[Box], margin: float = 0) -> Box:
    """The smallest box around others."""
    left, top = min(box.left for box in boxes) - margin, min(box.top for box in boxes) - margin
    right, bottom = max(box.right for box in boxes) + margin, max(box.bottom for box in boxes) + margin
    return Box(left, top, right - left, bottom - top)


def _left_out(sources: int, lines: int) -> str:
    """A line that says what is not drawn; "" where all is."""
    parts = [f"{sources} of the sources"] if sources else []
    parts += [f"{lines} of the lines between sources"] if lines else []
    return f"Not drawn: {' and '.join(parts)}." if parts else ""


def _edges_alone(count: int) -> str:
    """Styles by which all edges but those of the source that is pointed at, or has the focus, step back."""
    return "".join(
        f".mm-graph:has(.mm-source-{place}:is(:hover,:focus)) .mm-edge:not(.mm-of-{place}){{opacity:.12}}"
        for place in range(count)
    )
