"""Captions photos, and shows how sure the model is of each word: darker is surer.

python demos/caption.py demos/photos/*.jpg
"""

import math
import sys
from pathlib import Path

import mm_memgpt

SHADES = "░▒▓█"


def shade(logprob: float) -> str:
    """A block as dark as the word is probable."""
    return SHADES[min(int(math.exp(logprob) * len(SHADES)), len(SHADES) - 1)]


def main(paths: list[str]) -> None:
    """Prints a caption a photo, each word under its shade."""
    model = mm_memgpt.load()
    for path, caption in zip(paths, model.caption(paths), strict=True):
        print(f"{path}  {caption.confidence:.0%} a token")
        print("  " + " ".join(shade(logprob) * len(word) for word, logprob in caption.words))
        print("  " + caption.text)


if __name__ == "__main__":
    photos = sorted(str(path) for path in (Path(__file__).parent / "photos").glob("*.jpg"))
    main(sys.argv[1:] or photos)
