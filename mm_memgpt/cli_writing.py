"""The commands that write texts: how they are called.

Notable: nothing heavy is imported here, so that help comes at once.
"""

from argparse import Action, ArgumentTypeError
from contextlib import suppress

from mm_memgpt.arguments import command_called, positive


def add_chat(commands: Action) -> None:
    """Adds `chat`."""
    command = commands.add_parser("chat", help="talk with a memory: it answers in the words it was told")
    command.add_argument(
        "--memory", metavar="DIR", help="the memory, made where it is not there; default: one that ends with the chat"
    )
    command.add_argument(
        "--model",
        metavar="DIR",
        help="writes the turns that nothing remembered answers: the folder that finetune wrote, of the task dialogue, "
        "nano, or a language model's folder or hub name; default: none, such turns are noted",
    )
    command.add_argument("--device", help="cpu, cuda, ...; default: the GPU where there is one")
    command.set_defaults(run=command_called("chat"))


def add_summarize(commands: Action) -> None:
    """Adds `summarize`."""
    command = commands.add_parser("summarize", help="say what a text of any length says, in a few of its sentences")
    command.add_argument("files", nargs="+", metavar="FILE", help="a text file, or - for standard input")
    command.add_argument(
        "--model",
        default="nano",
        metavar="DIR",
        help="the folder that finetune wrote for summarization, or a backbone that has learned from no summaries; "
        "default: %(default)s",
    )
    length = command.add_mutually_exclusive_group()
    length.add_argument("--sentences", type=positive, metavar="N", help="how many; default: 5")
    length.add_argument("--words", type=positive, metavar="N", help="about how many words")
    length.add_argument("--share", type=share, metavar="X", help="about what part of the text's words")
    command.add_argument("--sources", action="store_true", help="also show where each sentence comes from")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    command.add_argument("--output", metavar="FILE", help="write the summaries there, not to standard output")
    command.add_argument("--device", help="cpu, cuda, ...; default: the GPU where there is one")
    command.set_defaults(run=command_called("summarize"))


def add_translate(commands: Action) -> None:
    """Adds `translate`."""
    command = commands.add_parser("translate", help="translate text files, sentence by sentence")
    command.add_argument("inputs", nargs="*", metavar="FILE", help="a text file, or - for standard input")
    command.add_argument("--text", metavar="TEXT", help="a text to translate, in place of FILE")
    command.add_argument("--into", metavar="LANGUAGE", help="such as de; may be left out where the model knows but one")
    command.add_argument(
        "--model", required=True, metavar="DIR", help="the folder that finetune wrote, of the task translation"
    )
    command.add_argument("--beams", type=positive, metavar="N", help="texts considered at a time; default: the model's")
    command.add_argument("--longest", type=positive, metavar="N", help="tokens of a sentence; default: the model's")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    command.add_argument("--output", metavar="FILE", help="write the results there, not to standard output")
    command.add_argument("--device", help="cpu, cuda, ...; default: the GPU where there is one")
    command.set_defaults(run=command_called("translate"), refuse=command.error)


def share(text: str) -> float:
    """A number above 0 and at most 1."""
    with suppress(ValueError):
        if 0 < float(text) <= 1:
            return float(text)
    raise ArgumentTypeError(f"{text!r} is not a share, a number above 0 and at most 1")
