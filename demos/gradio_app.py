"""The demo with a page of your own: a second tab shows what a wider search changes in a caption.

python demos/gradio_app.py
"""

import gradio
from PIL.Image import Image

import mm_memgpt
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve.demo import PAGES, build, serving
from mm_memgpt.serve.options import Options, packaged_photos

WIDTHS = (1, 2, 4, 8)


def captions(model: Pipeline, photo: Image | None) -> list[list[str]]:
    """A row for each width of the search: the width, the caption and its confidence."""
    if photo is None:
        return []
    written = [(beams, model.caption(photo, beams)) for beams in WIDTHS]
    return [[str(beams), caption.text, f"{caption.confidence:.0%}"] for beams, caption in written]


def search(model: Pipeline, options: Options) -> None:
    """A page is a function that lays itself out with Gradio's components."""
    photo = gradio.Image(type="pil", label="Photo", height=380)
    table = gradio.Dataframe(headers=["beams", "caption", "confidence"], label="Captions")
    photo.change(lambda given: captions(model, given), photo, table)


def app(model: Pipeline) -> gradio.Blocks:
    """The package's pages and this file's, each a tab."""
    return build(model, Options(examples=packaged_photos()), {**PAGES, "Search": search})


def main() -> None:
    """Serves the app at a free port until Ctrl-C."""
    blocks = app(mm_memgpt.load())
    with serving(blocks, port=0) as address:
        print(address, flush=True)
        blocks.block_thread()


if __name__ == "__main__":
    main()
