"""Where each word looked, as HTML: an overlay a content word, the word under it, in a row that wraps.

Notable: the pictures are part of the page (data URIs), so nothing is kept on the machine and nothing more is fetched.
"""

import io
from base64 import b64encode
from html import escape

from PIL.Image import Image

from mm_memgpt.explain.evidence import Evidence
from mm_memgpt.explain.overlay import overlays

MEANING = (
    "Bright is where the photo must not be hidden: without it, the word becomes less probable than elsewhere. "
    "Each word has a scale of its own."
)


def where(photo: Image, evidence: Evidence) -> str:
    """The overlays of a photo's content words, and what they mean."""
    figures = "".join(figure(picture, word) for picture, word in overlays(photo, evidence))
    if not figures:
        return '<p class="mm-hint">The model wrote no word.</p>'
    return f'<div class="mm-where" role="status">{figures}</div><p class="mm-confidence">{MEANING}</p>'


def figure(picture: Image, word: str) -> str:
    """A picture with the word under it."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=85)
    word, data = escape(word), b64encode(file.getvalue()).decode()
    return (
        f'<figure><img src="data:image/webp;base64,{data}" width="{picture.width}" height="{picture.height}" '
        f'alt="where “{word}” was seen"><figcaption>{word}</figcaption></figure>'
    )
