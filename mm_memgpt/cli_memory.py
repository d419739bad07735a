"""The commands of a memory that outlives the process: how each is called.

Notable: DIR is a folder or an object-store address, the same everywhere; only `remember`, `know`, `watch` and `memory
import` make one that is not there.
"""

from argparse import Action, ArgumentParser

from mm_memgpt.arguments import add_model_options, assignment, command_called, instant, moment, positive

PLACE = "the memory: a folder, or an address such as s3://bucket/name"


def add_remember(commands: Action) -> None:
    """Adds `remember`."""
    command = commands.add_parser("remember", help="keep photos, sounds, clips, documents and notes in a memory")
    command.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="a photo, sound, clip, text file (.txt, .md), folder (and those below it) or glob, or - for a list on "
        "standard input, one a line",
    )
    command.add_argument("--memory", required=True, metavar="DIR", help=f"{PLACE}; made where it is not there")
    command.add_argument(
        "--note", action="append", default=[], metavar="TEXT", help="a sentence to keep; may be repeated"
    )
    command.add_argument(
        "--at", type=moment, metavar="TIME", help="when the first input begins: seconds, or a date such as 2026-05-31"
    )
    command.add_argument("--source", metavar="NAME", help="what all of them are kept under; default: each its own path")
    _add_format(command)
    add_model_options(command, batch=False, beams=False)
    command.set_defaults(run=command_called("remember"), refuse=command.error)


def add_know(commands: Action) -> None:
    """Adds `know`."""
    command = commands.add_parser("know", help="tell a memory facts: triples of head, relation and tail")
    command.add_argument(
        "files", nargs="*", metavar="FILE", help="triples: .tsv, .txt, .csv, .parquet, or .nt (N-Triples)"
    )
    command.add_argument("--memory", required=True, metavar="DIR", help=f"{PLACE}; made where it is not there")
    command.add_argument(
        "--fact",
        action="append",
        nargs=3,
        default=[],
        metavar=("HEAD", "RELATION", "TAIL"),
        help="a fact to keep; may be repeated",
    )
    command.add_argument(
        "--where",
        type=assignment,
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="only rows of files that hold this value there; of several of one column, any",
    )
    command.add_argument("--names", metavar="FILE", help="what identifiers are called: a file of id and text")
    command.add_argument(
        "--split-at", metavar="TEXT", help='what parts a name from its description in --names, such as ", "'
    )
    command.add_argument("--source", metavar="NAME", help="who says so; default: the file's column, else its own path")
    command.add_argument(
        "--from", dest="since", type=instant, metavar="TIME", help="since when --fact holds, such as 1990-10-03"
    )
    command.add_argument("--until", type=instant, metavar="TIME", help="when --fact holds no longer")
    _add_format(command)
    add_model_options(command, batch=False, beams=False)
    command.set_defaults(run=command_called("know"), refuse=command.error)


def add_facts(commands: Action) -> None:
    """Adds `facts`."""
    command = commands.add_parser("facts", help="list the facts that a memory was told")
    command.add_argument("--memory", required=True, metavar="DIR", help=PLACE)
    command.add_argument("--about", metavar="NAME", help="those of this head or tail, a name or an identifier")
    command.add_argument("--at", type=instant, metavar="TIME", help="those that hold then, such as 1990-10-03")
    _add_format(command)
    command.set_defaults(run=command_called("facts"))


def add_ask(commands: Action) -> None:
    """Adds `ask`."""
    command = commands.add_parser("ask", help="answer a question from a memory, with its sources named")
    command.add_argument("question", metavar="QUESTION", help='such as "What is in the photo?"')
    command.add_argument("--memory", required=True, metavar="DIR", help=PLACE)
    command.add_argument(
        "--top", type=positive, default=8, metavar="N", help="items looked up for it; default: %(default)s"
    )
    command.add_argument("--at", type=instant, metavar="TIME", help="when facts must hold, such as 1990-10-03")
    command.add_argument(
        "--graph", metavar="FILE.svg", help="also draw what the answer rests on, and how that is connected"
    )
    _add_format(command)
    add_model_options(command, batch=False, beams=False)
    command.set_defaults(run=command_called("ask"))


def add_timeline(commands: Action) -> None:
    """Adds `timeline`."""
    command = commands.add_parser("timeline", help="list what a memory holds at once: its moments, and what merged")
    command.add_argument("--memory", required=True, metavar="DIR", help=PLACE)
    command.add_argument("--summary", action="store_true", help="also write a sentence about it all")
    _add_format(command)
    add_model_options(command, batch=False)
    command.set_defaults(run=command_called("timeline"))


def add_forget(commands: Action) -> None:
    """Adds `forget`."""
    command = commands.add_parser("forget", help="remove a source from a memory, and prove that it is gone")
    command.add_argument(
        "source", metavar="SOURCE", help="a path, relative or absolute, or the name it was kept under (--source)"
    )
    command.add_argument("--memory", required=True, metavar="DIR", help=PLACE)
    command.add_argument(
        "--rebuild", action="store_true", help="also undo merges that it took part in: all that stays is read anew"
    )
    _add_format(command)
    add_model_options(command, batch=False, beams=False)
    command.set_defaults(run=command_called("forget"))


def add_memory(commands: Action) -> None:
    """Adds `memory` and the commands below it."""
    kinds = commands.add_parser("memory", help="look after a memory").add_subparsers(metavar="WHAT", required=True)
    command = kinds.add_parser("info", help="what is in it, and how much")
    _add_place(command)
    command.set_defaults(run=command_called("memory_info"))
    command = kinds.add_parser("export", help="write it into one file that can be carried elsewhere")
    _add_place(command)
    command.add_argument("file", metavar="FILE", help="must not be there yet")
    command.set_defaults(run=command_called("memory_export"))
    command = kinds.add_parser("import", help="make a memory of such a file")
    command.add_argument("file", metavar="FILE", help="what export wrote")
    _add_place(command)
    command.set_defaults(run=command_called("memory_import"))
    command = kinds.add_parser("reencode", help="perceive all of it anew with this model, from the files it came from")
    _add_place(command)
    add_model_options(command, batch=False, beams=False)
    command.set_defaults(run=command_called("memory_reencode"))
    command = kinds.add_parser("verify", help="check that its parts agree; the exit status is 1 where they do not")
    _add_place(command)
    add_model_options(command, batch=False, beams=False)
    command.set_defaults(run=command_called("memory_verify"))


def add_filters(command: ArgumentParser) -> None:
    """Adds the memory that is searched, and what of it."""
    command.add_argument("--memory", metavar="DIR", help=f"{PLACE}; default: none, the folder's photos are searched")
    command.add_argument("--modality", choices=("image", "audio", "text"), help="of a memory: this alone")
    command.add_argument("--source", metavar="NAME", help="of a memory: this source alone, a path or a name")
    command.add_argument("--after", type=moment, metavar="TIME", help="of a memory: what ends then or later")
    command.add_argument("--before", type=moment, metavar="TIME", help="of a memory: what begins then or earlier")


def _add_place(command: ArgumentParser) -> None:
    command.add_argument("place", nargs="?", metavar="DIR", help=PLACE)
    command.add_argument("--memory", metavar="DIR", help="another way to write it")
    _add_format(command)
    command.set_defaults(refuse=command.error)


def _add_format(command: ArgumentParser) -> None:
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
