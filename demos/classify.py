"""A classifier from a table of a few made rows: which words it learned from, and how sure it is of new ones.

python demos/classify.py
"""

import csv
import random
import tempfile
from pathlib import Path

import mm_memgpt

MOODS = {"calm": ("quiet", "gentle", "still"), "wild": ("loud", "stormy", "furious")}
PLACES = ("sea", "street", "garden", "night")


def write_rows(path: Path, each: int) -> None:
    """A CSV with as many rows of each mood."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "mood"])
        for _ in range(each):
            for mood, words in MOODS.items():
                rows.writerow([f"a {random.choice(words)} {random.choice(PLACES)}", mood])


def main(each: int = 50, epochs: float = 12) -> None:
    """Trains the classifier and prints what it makes of new sentences."""
    random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        train = Path(folder) / "moods.csv"
        write_rows(train, each)
        model = mm_memgpt.finetune(
            task="classification",
            backbone="nano",
            train=train,
            text="text",
            label="mood",
            output=Path(folder) / "run",
            epochs=epochs,
            rate=3e-4,
        )
    for text in ("the furious dog", "a gentle man on a still night", "a loud song in the quiet garden"):
        said = model.predict(text)
        print(f"{said.value}  {said.confidence:.0%}  {text}")


if __name__ == "__main__":
    main()
