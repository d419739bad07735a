"""The command line: how each command is called. What it does is in `mm_memgpt.commands` and below.

Notable: nothing heavy is imported until a command runs, so help and usage errors come at once; results alone go to
standard output, and a bad input is one line on standard error, never a traceback.
"""

import os
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence

from mm_memgpt.commands.errors import PROGRAM, status_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments` (those of the process where None) and returns the exit status."""
    try:
        try:
            chosen = parser().parse_args(arguments)
            status = chosen.run(chosen)
        except SystemExit as exit:  # argparse has said what it had to say
            status = exit.code
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        return status_of(error)
    return status


def parser() -> ArgumentParser:
    """The commands and their options."""
    root = ArgumentParser(prog=PROGRAM, description="Sees and reads into one bounded memory, and writes from it.")
    root.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_caption(commands)
    _add_demo(commands)
    _add_evaluate(commands)
    _add_gallery(commands)
    _add_tokenizer(commands)
    _add_train(commands)
    return root


class Version(Action):
    """Prints the version; it is looked up only when asked for."""

    def __call__(self, parser: ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
        parser.exit()


def _add_caption(commands: Action) -> None:
    command = commands.add_parser("caption", help="write a sentence about each photo")
    command.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a photo, a folder (with those below it), a glob, or - for a list on standard input, one a line",
    )
    _add_model_options(command)
    command.add_argument("--format", choices=("text", "json", "csv"), default="text", help="default: %(default)s")
    command.add_argument("--output", metavar="FILE", help="write the results there, not to standard output")
    command.set_defaults(run=_caption)


def _add_demo(commands: Action) -> None:
    command = commands.add_parser("demo", help="show a model in the browser")
    _add_model_options(command, batch=False)
    command.add_argument("--host", default="127.0.0.1", help="0.0.0.0: all of this machine's; default: %(default)s")
    command.add_argument("--port", type=_port, default=7860, metavar="N", help="0: any; default: %(default)s")
    command.add_argument("--examples", metavar="FOLDER", help="photos to pick from; default: the package's own")
    command.add_argument(
        "--share", action="store_true", help="also at a public address, through Gradio's servers; default: no"
    )
    command.set_defaults(run=_demo)


def _add_evaluate(commands: Action) -> None:
    kinds = commands.add_parser("evaluate", help="measure a model").add_subparsers(metavar="WHAT", required=True)
    command = kinds.add_parser("captions", help="CIDEr, BLEU and ROUGE-L of its captions, with 95%% intervals")
    command.add_argument(
        "--data", required=True, metavar="SOURCE", help="photos with captions: any source that a recipe may name"
    )
    command.add_argument("--split", metavar="NAME", help="the part to take, of a source that holds several")
    command.add_argument("--images", metavar="DIR", help="folder of the photos, of a source that only lists them")
    _add_model_options(command)
    command.add_argument("--limit", type=_positive, metavar="N", help="use the first N photos only")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    command.add_argument(
        "--predictions", metavar="FILE", help="also write each photo's caption there, a JSON line each"
    )
    command.set_defaults(run=_evaluate_captions)


def _add_gallery(commands: Action) -> None:
    command = commands.add_parser("gallery", help="write a folder's photos with their captions into a Markdown file")
    command.add_argument("folder", nargs="?", default="demos/photos", metavar="FOLDER", help="default: %(default)s")
    command.add_argument("--readme", default="README.md", metavar="FILE", help="default: %(default)s")
    _add_model_options(command)
    command.set_defaults(run=_gallery)


def _add_tokenizer(commands: Action) -> None:
    command = commands.add_parser("tokenizer", help="train the tokenizer")
    command.add_argument("--data", required=True, nargs="+", metavar="FILE", help="Parquet files with text")
    command.add_argument("--output", required=True, metavar="DIR", help="folder to write it into")
    command.add_argument("--vocab", type=_positive, default=8192, metavar="N", help="tokens; default: %(default)s")
    command.set_defaults(run=_tokenizer)


def _add_train(commands: Action) -> None:
    command = commands.add_parser("train", help="train by a recipe")
    command.add_argument("recipe", metavar="RECIPE.yaml")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    command.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", help="change a value of the recipe; may be repeated"
    )
    command.set_defaults(run=_train)


def _add_model_options(command: ArgumentParser, batch: bool = True) -> None:
    command.add_argument("--model", default="nano", help="nano, a folder, or a hub name; default: %(default)s")
    command.add_argument("--beams", type=_positive, default=4, metavar="N", help="default: %(default)s")
    if batch:
        command.add_argument(
            "--batch", type=_positive, default=16, metavar="N", help="photos at a time; default: %(default)s"
        )
    command.add_argument("--device", help="cpu, cuda, ...; default: the GPU where there is one")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ArgumentTypeError(f"{text!r} is not a port, a whole number from 0 to 65535")
    return int(text)


def _caption(arguments: Namespace) -> int:
    _quiet()
    from mm_memgpt.commands.caption import run

    return run(arguments)


def _demo(arguments: Namespace) -> int:
    _quiet()
    from mm_memgpt.commands.demo import run

    return run(arguments)


def _evaluate_captions(arguments: Namespace) -> int:
    _quiet()
    from mm_memgpt.commands.evaluate import run

    return run(arguments)


def _gallery(arguments: Namespace) -> int:
    _quiet()
    from mm_memgpt.commands.gallery import run

    return run(arguments)


def _tokenizer(arguments: Namespace) -> int:
    from mm_memgpt.training.tokenizer import train_tokenizer

    train_tokenizer(arguments.data, arguments.output, arguments.vocab)
    return 0


def _train(arguments: Namespace) -> int:
    from mm_memgpt.training.run import train

    figures = train(arguments.recipe, arguments.set, arguments.resume)
    print(" ".join(f"{name}={value:.4g}" for name, value in figures.items()))
    return 0


def _quiet() -> None:
    """Leaves standard error to our own lines: libraries' warnings say nothing a caption's reader can act on."""
    import warnings

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
