"""The command line: how each command is called. What it does is in `mm_memgpt.commands` and below.

Notable: nothing heavy is imported until a command runs, so help and usage errors come at once; results alone go to
standard output, and a bad input is one line on standard error, never a traceback.
"""

import sys
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Sequence

from mm_memgpt.arguments import (
    add_decoding_options,
    add_model_options,
    alike,
    at_least_0,
    command_called,
    port,
    positive,
    probability,
    region,
)
from mm_memgpt.cli_memory import (
    add_ask,
    add_facts,
    add_filters,
    add_forget,
    add_know,
    add_memory,
    add_remember,
    add_timeline,
)
from mm_memgpt.cli_tasks import add_ask_graph, add_evaluate_tasks, add_finetune, add_kept, add_predict, add_pretrain
from mm_memgpt.cli_writing import (
    add_chat,
    add_evaluate_code,
    add_evaluate_generation,
    add_generate,
    add_summarize,
    add_translate,
)
from mm_memgpt.commands.errors import PROGRAM, status_of
from mm_memgpt.interrupt import remembered


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments` (those of the process where None) and returns the exit status."""
    with remembered() as pressed:
        try:
            return _run(arguments)
        except (Exception, KeyboardInterrupt) as error:
            return status_of(error, pressed())


def _run(arguments: Sequence[str] | None) -> int:
    try:
        chosen = parser().parse_args(arguments)
        status = chosen.run(chosen)
    except SystemExit as exit:  # argparse has said what it had to say
        status = exit.code
    sys.stdout.flush()
    return status


def parser() -> ArgumentParser:
    """The commands and their options."""
    root = ArgumentParser(prog=PROGRAM, description="Sees and reads into one bounded memory, and writes from it.")
    root.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_ask(commands)
    add_ask_graph(commands)
    _add_average(commands)
    _add_calibrate(commands)
    _add_caption(commands)
    _add_card(commands)
    add_chat(commands)
    _add_demo(commands)
    _add_evaluate(commands)
    add_facts(commands)
    add_finetune(commands)
    add_forget(commands)
    _add_gallery(commands)
    add_generate(commands)
    add_know(commands)
    add_memory(commands)
    add_predict(commands)
    add_pretrain(commands)
    add_remember(commands)
    _add_search(commands)
    add_summarize(commands)
    add_timeline(commands)
    _add_tokenizer(commands)
    _add_train(commands)
    add_translate(commands)
    _add_watch(commands)
    return root


class Version(Action):
    """Prints the version; it is looked up only when asked for."""

    def __call__(self, parser: ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
        parser.exit()


def _add_average(commands: Action) -> None:
    command = commands.add_parser("average", help="make one model of several runs: the mean of their weights")
    command.add_argument("models", nargs="+", metavar="MODEL", help="folders or names of models of one shape")
    command.add_argument("--output", required=True, metavar="FOLDER", help="where the average goes")
    command.add_argument(
        "--shares", nargs="+", type=float, metavar="X", help="of each model in the mean; default: equal ones"
    )
    command.set_defaults(run=command_called("average"))


def _add_calibrate(commands: Action) -> None:
    command = commands.add_parser("calibrate", help="fit how sure a model is to captions that people wrote")
    _add_data_options(command)
    command.add_argument("--model", required=True, metavar="FOLDER", help="the model; its config.json is changed")
    add_decoding_options(command)
    command.add_argument(
        "--signals",
        nargs="+",
        default=("mean_logprob", "entropy", "length", "similarity"),
        metavar="NAME",
        help="what the confidence is made of; default: mean_logprob entropy length similarity",
    )
    command.add_argument("--dry-run", action="store_true", help="fit and print, but write nothing")
    command.set_defaults(run=command_called("calibrate"))


def _add_caption(commands: Action) -> None:
    command = commands.add_parser("caption", help="write a sentence about each photo, sound or clip")
    command.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a photo, sound, clip, address, folder (and those below it) or glob, "
        "or - for a list on standard input, one a line",
    )
    add_model_options(command)
    _add_asking_options(command)
    command.add_argument("--format", choices=("text", "json", "csv"), default="text", help="default: %(default)s")
    command.add_argument("--output", metavar="FILE", help="write the results there, not to standard output")
    command.add_argument(
        "--min-confidence",
        type=probability,
        metavar="P",
        help="hold back captions less sure than this, 0 to 1, and say so; that is no failure, the exit status stays 0",
    )
    command.add_argument(
        "--explain", metavar="FOLDER", help="also write a picture a photo there: where each word looked"
    )
    command.set_defaults(run=command_called("caption"))


def _add_card(commands: Action) -> None:
    command = commands.add_parser("card", help="measure a model and write the figures into its card")
    _add_data_options(command)
    add_model_options(command)
    command.add_argument(
        "--reports", nargs="*", default=[], metavar="FILE", help="report.json of the runs that made it, in order"
    )
    command.set_defaults(run=command_called("card"))


def _add_demo(commands: Action) -> None:
    command = commands.add_parser("demo", help="show a model in the browser")
    add_model_options(command, batch=False)
    command.add_argument("--host", default="127.0.0.1", help="0.0.0.0: all of this machine's; default: %(default)s")
    command.add_argument("--port", type=port, default=7860, metavar="N", help="0: any; default: %(default)s")
    command.add_argument("--examples", metavar="FOLDER", help="photos to pick from; default: the package's own")
    command.add_argument(
        "--share", action="store_true", help="also at a public address, through Gradio's servers; default: no"
    )
    command.add_argument(
        "--read", action="append", default=[], metavar="FOLDER", help="also show a model of finetune; may be repeated"
    )
    command.set_defaults(run=command_called("demo"))


def _add_evaluate(commands: Action) -> None:
    kinds = commands.add_parser("evaluate", help="measure a model").add_subparsers(metavar="WHAT", required=True)
    command = kinds.add_parser("captions", help="CIDEr, BLEU and ROUGE-L of its captions, with 95%% intervals")
    _add_data_options(command)
    add_model_options(command)
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    command.add_argument(
        "--predictions", metavar="FILE", help="also write each photo's caption there, a JSON line each"
    )
    command.set_defaults(run=command_called("evaluate"))
    command = kinds.add_parser("confidence", help="whether it is as sure of its captions as it should be")
    _add_data_options(command)
    add_model_options(command)
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    command.add_argument("--plots", metavar="DIR", help="also write the reliability diagram and the risk there")
    command.set_defaults(run=command_called("evaluate_confidence"))
    command = kinds.add_parser(
        "retrieval",
        help="how well photos and sentences find each other, or a model of finetune finds, with 95%% intervals",
    )
    _add_data_options(command)
    add_model_options(command, beams=False)
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    add_kept(command)
    command.set_defaults(run=command_called("evaluate_retrieval"), task="retrieval")
    add_evaluate_tasks(kinds)
    add_evaluate_code(kinds)
    add_evaluate_generation(kinds)


def _add_gallery(commands: Action) -> None:
    command = commands.add_parser("gallery", help="write a folder's photos with their captions into a Markdown file")
    command.add_argument("folder", nargs="?", default="demos/photos", metavar="FOLDER", help="default: %(default)s")
    command.add_argument("--readme", default="README.md", metavar="FILE", help="default: %(default)s")
    add_model_options(command)
    command.set_defaults(run=command_called("gallery"))


def _add_search(commands: Action) -> None:
    command = commands.add_parser("search", help="find the photos of a folder, or what a memory holds, by a few words")
    command.add_argument(
        "query", metavar="QUERY", help="a sentence or a few words; with --memory also the path of a photo or sound"
    )
    command.add_argument(
        "folder", nargs="?", metavar="FOLDER", help="default: the one you are in; with --memory: all that is kept"
    )
    command.add_argument("--top", type=positive, default=10, metavar="N", help="how many; default: %(default)s")
    command.add_argument("--sheet", metavar="FILE", help="also write a contact sheet of them: .png, .jpg or .webp")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    add_model_options(command, beams=False)
    add_filters(command)
    command.set_defaults(run=command_called("search"), refuse=command.error)


def _add_tokenizer(commands: Action) -> None:
    command = commands.add_parser("tokenizer", help="train the tokenizer")
    command.add_argument("--data", required=True, nargs="+", metavar="FILE", help="Parquet files with text")
    command.add_argument("--output", required=True, metavar="DIR", help="folder to write it into")
    command.add_argument("--vocab", type=positive, default=8192, metavar="N", help="tokens; default: %(default)s")
    command.set_defaults(run=_tokenizer)


def _add_train(commands: Action) -> None:
    command = commands.add_parser("train", help="train by a recipe")
    command.add_argument("recipe", metavar="RECIPE.yaml")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    command.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", help="change a value of the recipe; may be repeated"
    )
    command.set_defaults(run=command_called("train"))


def _add_watch(commands: Action) -> None:
    command = commands.add_parser("watch", help="write what a clip or stream shows as it goes, and sum it up")
    command.add_argument(
        "source", metavar="SOURCE", help="a clip, a folder of frames, an address (rtsp://...) or a device (/dev/video0)"
    )
    command.add_argument(
        "--every", type=at_least_0, default=1.0, metavar="SECONDS", help="between frames; 0: all; default: %(default)s"
    )
    command.add_argument(
        "--alike",
        type=alike,
        default=1.0,
        metavar="X",
        help="grey levels by which a frame must differ from the last one, or none; default: %(default)s",
    )
    command.add_argument("--fps", type=at_least_0, metavar="N", help="frames a second of a folder of frames")
    _add_asking_options(command)
    command.add_argument("--format", choices=("text", "json", "csv"), default="text", help="default: %(default)s")
    add_model_options(command, batch=False)
    command.add_argument("--memory", metavar="DIR", help="also keep what is seen and heard in this memory")
    command.set_defaults(run=command_called("watch"), refuse=command.error)


def _add_asking_options(command: ArgumentParser) -> None:
    command.add_argument("--ask", metavar="QUESTION", help='answer this, such as "What is said?"')
    command.add_argument(
        "--region",
        type=region,
        metavar="WHERE",
        help="look closely, as lips need it, where a clip moves most (motion), or at a part of it: LEFT,TOP,RIGHT,"
        "BOTTOM in shares from 0 to 1",
    )


def _add_data_options(command: ArgumentParser) -> None:
    command.add_argument(
        "--data", required=True, metavar="SOURCE", help="photos with captions: any source that a recipe may name"
    )
    command.add_argument("--split", metavar="NAME", help="the part to take, of a source that holds several")
    command.add_argument("--images", metavar="DIR", help="folder of the photos, of a source that only lists them")
    command.add_argument("--limit", type=positive, metavar="N", help="use the first N photos only")


def _tokenizer(arguments: Namespace) -> int:
    from mm_memgpt.training.tokenizer import train_tokenizer

    train_tokenizer(arguments.data, arguments.output, arguments.vocab)
    return 0
