"""The commands of tasks: how learning, predicting and measuring are called.

Notable: the names of the tasks stand here once more, so that help needs none of their code.
"""

from argparse import Action, ArgumentParser

from mm_memgpt.arguments import command_called, positive

MEASURED = {
    "classification": "accuracy, F1, precision and recall of labels",
    "pair": "the same, of labels of two texts",
    "tagging": "precision, recall and F1 of entities",
    "span": "exact match and F1 of answers",
    "regression": "errors and correlations of numbers",
    "recommendation": "MRR and hits@k of what is recommended",
    "answering": "exact match and F1 of answers that are written",
    "dialogue": "BLEU and chrF of next turns",
    "translation": "BLEU and chrF of translations",
    "summarization": "ROUGE-1, -2 and -L of sentences chosen as summaries",
    "summary_writing": "ROUGE-1, -2 and -L of summaries that are written",
}
"""Tasks that `evaluate` measures, and by what; `retrieval` is beside that of photos and captions."""

EXPLANATIONS = ("integrated_gradients", "occlusion")


def add_ask_graph(commands: Action) -> None:
    """Adds `ask-graph`."""
    command = commands.add_parser("ask-graph", help="answer questions of several hops over a graph, with the way there")
    command.add_argument(
        "questions", nargs="+", metavar="QUESTION", help='names an entity: "what is the job of ada \'s child ?"'
    )
    command.add_argument("--graph", required=True, metavar="FILE", help="triples: .tsv, .csv, .parquet or .nt")
    command.add_argument("--names", metavar="FILE", help="what its entities and relations are called: id and text")
    command.add_argument("--model", required=True, metavar="DIR", help="the folder that recipes/paths.yaml wrote")
    command.add_argument(
        "--entity", metavar="NAME", help="what it is about, where the question does not say it plainly"
    )
    command.add_argument("--top", type=positive, default=3, metavar="N", help="answers; default: %(default)s")
    command.add_argument("--draw", metavar="FILE.svg", help="also draw the ways there")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    command.set_defaults(run=command_called("ask_graph"), refuse=command.error)


def add_finetune(commands: Action) -> None:
    """Adds `finetune`."""
    command = commands.add_parser("finetune", help="learn a task from a table: labels, tags, answers, numbers, ...")
    _add_recipe(command)
    command.set_defaults(run=command_called("finetune"))


def add_pretrain(commands: Action) -> None:
    """Adds `pretrain`."""
    command = commands.add_parser("pretrain", help="train a language model on texts, for tasks to start from")
    _add_recipe(command)
    command.set_defaults(run=command_called("pretrain"))


def add_predict(commands: Action) -> None:
    """Adds `predict`."""
    command = commands.add_parser("predict", help="say what a model of finetune makes of each row of a table")
    command.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="a CSV, TSV, JSON, JSONL, CoNLL or Parquet file with the columns that the model was trained on, a .txt "
        "file of a text a line, or - for texts on standard input, one a line",
    )
    command.add_argument("--text", metavar="TEXT", help="a text to read, in place of INPUT")
    command.add_argument("--text-pair", metavar="TEXT", help="the second text, of a model that reads two")
    _add_model(command)
    command.add_argument("--format", choices=("text", "json", "csv"), default="text", help="default: %(default)s")
    _add_encoding(command)
    command.add_argument("--output", metavar="FILE", help="write the results there, not to standard output")
    command.add_argument(
        "--explain",
        nargs="?",
        const=EXPLANATIONS[0],
        choices=EXPLANATIONS,
        help=f"also show what in each input speaks for it: {' or '.join(EXPLANATIONS)}; without a name the first",
    )
    command.set_defaults(run=command_called("predict"), refuse=command.error)


def add_evaluate_tasks(kinds: Action) -> None:
    """Adds a kind of `evaluate` a task."""
    for name, figures in MEASURED.items():
        command = kinds.add_parser(name, help=f"{figures}, with 95%% intervals, of a model of finetune")
        command.add_argument("--data", required=True, metavar="FILE", help="a table with what is right in it")
        command.add_argument("--split", metavar="NAME", help="the part to take, of a dataset that has several")
        _add_model(command)
        command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
        add_kept(command)
        command.set_defaults(run=command_called("evaluate_task"), task=name)


def add_kept(command: ArgumentParser) -> None:
    """Adds what a measurement may leave behind, and how its table is written."""
    _add_encoding(command)
    command.add_argument("--predictions", metavar="FILE", help="also write each row's prediction there, a JSON line")
    command.add_argument(
        "--plots", metavar="DIR", help="also write the confusion matrix and the classes' figures there"
    )


def _add_encoding(command: ArgumentParser) -> None:
    command.add_argument("--encoding", metavar="NAME", help="of a text file, such as latin-1; default: utf-8")


def _add_recipe(command: ArgumentParser) -> None:
    command.add_argument("recipe", metavar="RECIPE.yaml")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    command.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", help="change a value of the recipe; may be repeated"
    )


def _add_model(command: ArgumentParser) -> None:
    command.add_argument("--model", required=True, metavar="DIR", help="the folder that finetune wrote")
    command.add_argument("--batch", type=positive, default=32, metavar="N", help="rows at a time; default: %(default)s")
    command.add_argument("--device", help="cpu, cuda, ...; default: the GPU where there is one")
