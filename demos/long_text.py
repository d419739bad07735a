"""A long text with a few facts in it: the memory reads it sentence by sentence, is asked, and says where it is written.

Three facts stand among hundreds of sentences that nobody asks for; the bank's slots do not grow with the text.

python demos/long_text.py
"""

import tempfile
from pathlib import Path
from random import Random

import mm_memgpt
from mm_memgpt.datasets.pairs_among_filler import make_text


def main(sentences: int = 300, facts: int = 3) -> None:
    """Makes the text, reads it, asks for each fact, and prints the sentence that answers and its place."""
    made = make_text(Random(2026), sentences, facts)
    model = mm_memgpt.load("nano")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "long.txt"
        file.write_text("\n".join(made.sentences), encoding="utf-8")
        with model.memory(Path(folder) / "long.memory") as memory:
            memory.add(str(file))
            info = memory.info()
            print(f"{info['items']} sentences of {file.name} in {info['slots']} slots")
            for pair in made.pairs:
                answer = memory.ask(pair.question)
                print(f"{pair.question} {answer.text}")
                found = answer.sources[0]
                print(f"  {Path(found.path).name}, sentence {made.sentences.index(found.text)}: {found.text}")


if __name__ == "__main__":
    main()
