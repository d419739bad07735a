"""The commands that write texts: how they are called.

Notable: nothing heavy is imported here, so that help comes at once.
"""

from argparse import Action, ArgumentParser, ArgumentTypeError
from contextlib import suppress

from mm_memgpt.arguments import at_least_0, command_called, positive, probability


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


def add_generate(commands: Action) -> None:
    """Adds `generate`."""
    command = commands.add_parser("generate", help="go on with a text, or write what a prompt asks for")
    command.add_argument("prompts", nargs="*", metavar="PROMPT", help="a text, or - for all of standard input")
    command.add_argument(
        "--prompt-file", metavar="FILE", help="many prompts: the lines of a .txt file, or the rows of a table"
    )
    command.add_argument("--column", default="prompt", metavar="NAME", help="of the table; default: %(default)s")
    add_writer(command)
    command.add_argument(
        "--memory",
        action="append",
        default=[],
        metavar="PLACE",
        help="a text file, or a memory's folder, whose sentences are remembered while it writes; may be repeated",
    )
    command.add_argument(
        "--long", action="store_true", help="read all but the end of a prompt that is too long through the memory"
    )
    add_decoding(command)
    command.add_argument("--stream", action="store_true", help="show each word as it is written, as a terminal does")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    command.set_defaults(run=command_called("generate"), refuse=command.error)


def add_evaluate_code(kinds: Action) -> None:
    """Adds `evaluate code`."""
    command = kinds.add_parser(
        "code", help="pass@1, BLEU and exact match of code, with 95%% intervals, of any model that writes"
    )
    _add_data(command, "problems: HumanEval, MBPP, CoNaLa, or a table with their columns")
    command.add_argument("--run-code", action="store_true", help="allow to run what the model writes, in a sandbox")
    command.add_argument(
        "--seconds", type=positive, default=20, metavar="N", help="that a program may take; default: %(default)s"
    )
    command.add_argument(
        "--megabytes", type=positive, default=512, metavar="N", help="that a program may take; default: %(default)s"
    )
    command.add_argument("--longest", type=positive, default=128, metavar="N", help="tokens; default: %(default)s")
    command.add_argument(
        "--samples", type=positive, default=1, metavar="N", help="answers drawn a problem; 1: the likeliest"
    )
    command.add_argument("--temperature", type=at_least_0, default=0.8, metavar="X", help="default: %(default)s")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn; default: %(default)s")
    command.add_argument("--predictions", metavar="FILE", help="also write each problem's answers there, a JSON line")
    command.set_defaults(run=command_called("evaluate_code"))


def add_evaluate_generation(kinds: Action) -> None:
    """Adds `evaluate generation`."""
    command = kinds.add_parser(
        "generation", help="perplexity a token and a word, and bits a byte, of any model that writes"
    )
    _add_data(command, "a plain text file, or a table of texts")
    command.add_argument("--text", default="text", metavar="NAME", help="its column; default: %(default)s")
    command.set_defaults(run=command_called("evaluate_generation"))


def add_writer(command: ArgumentParser) -> None:
    """Adds which model writes."""
    command.add_argument(
        "--model",
        default="nano",
        metavar="MODEL",
        help="nano, a folder of finetune, or a language model's folder or hub name; default: %(default)s",
    )
    command.add_argument("--device", help="cpu, cuda, ...; default: the GPU where there is one")


def add_decoding(command: ArgumentParser, longest: int = 64) -> None:
    """Adds how a text is written: the fields of `Decoding`, by their names."""
    command.add_argument("--longest", type=positive, default=longest, metavar="N", help="tokens; default: %(default)s")
    command.add_argument("--shortest", type=int, metavar="N", help="tokens before it may end")
    command.add_argument("--beams", type=positive, metavar="N", help="texts considered at a time; default: 1")
    command.add_argument("--sample", action="store_true", help="draw each word by its probability")
    command.add_argument("--temperature", type=float, metavar="X", help="of drawing; below 1 the likely is likelier")
    command.add_argument("--top-p", type=probability, metavar="P", help="draw from the likeliest that share this")
    command.add_argument("--top-k", type=positive, metavar="N", help="draw from so many of the likeliest")
    command.add_argument("--seed", type=int, metavar="N", help="of drawing; with one the same text comes again")
    command.add_argument("--repetition-penalty", type=float, metavar="X", help="above 1: words that came come less")
    command.add_argument("--no-repeat-ngram", type=int, metavar="N", help="so many words in a row never come twice")
    command.add_argument("--length-penalty", type=float, metavar="X", help="of beams; above 0 longer texts win")


def _add_data(command: ArgumentParser, what: str) -> None:
    command.add_argument("--data", required=True, metavar="FILE", help=what)
    command.add_argument("--split", metavar="NAME", help="the part to take, of a dataset that has several")
    command.add_argument("--encoding", metavar="NAME", help="of a text file, such as latin-1; default: utf-8")
    command.add_argument("--limit", type=positive, metavar="N", help="use the first N only")
    add_writer(command)
    command.add_argument("--batch", type=positive, default=8, metavar="N", help="at a time; default: %(default)s")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")


def share(text: str) -> float:
    """A number above 0 and at most 1."""
    with suppress(ValueError):
        if 0 < float(text) <= 1:
            return float(text)
    raise ArgumentTypeError(f"{text!r} is not a share, a number above 0 and at most 1")
