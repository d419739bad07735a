"""`mm-memgpt average`: several runs of one model become one, whose weights are their mean."""

import os
from argparse import Namespace
from pathlib import Path

from mm_memgpt.models.loading import find, read_model
from mm_memgpt.models.quiet import quiet
from mm_memgpt.training.averaging import average
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Writes the folder of the averaged model; tokenizer, config and all else are the first model's.

    Raises:
        InputError: a model cannot be read, they are not of one shape, or the output is one of them.
    """
    folders = [find(name) for name in arguments.models]
    output = Path(arguments.output)
    if any(output.exists() and os.path.samefile(output, folder) for folder in folders):
        raise InputError(f"{output}: is one of the models; name another folder")
    read = [read_model(folder) for folder in folders]
    try:
        model = average([model for model, _ in read], arguments.shares)
    except InputError as error:
        raise InputError(f"{', '.join(arguments.models)}: {error}") from None
    try:
        with quiet():
            model.half().save_pretrained(output)
        read[0][1].save_pretrained(output)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}); name another folder") from None
    return 0
