"""`mm-memgpt watch`: a clip or stream as it goes, a sentence a moment that is kept, and at the end one about it all,
and the answer to a question.

Notable: each line is out as soon as it is written, so what was seen stays, however the watching ends; Ctrl-C is how a
stream without an end is ended, and no failure. With a memory, what is seen and heard is kept there while it goes.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, nullcontext

from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.moments import FORMATS, Row
from mm_memgpt.commands.output import results
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.recollection.memory import Memory
from mm_memgpt.steps import Glimpse
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Watches the source; 1 if it cannot be opened or breaks off, else 0.

    Raises:
        InputError: a model that cannot be had, or a folder of frames without the frames a second.
    """
    source = arguments.source
    if os.path.isdir(source) and arguments.fps is None:
        raise InputError(f"{source}: a folder of frames has no clock; say how many make a second: --fps 25")
    if arguments.region is not None and arguments.memory is not None:
        arguments.refuse("what is looked at closely is not kept; leave out --region, or --memory")
    model = load(arguments.model, arguments.device)
    newest = problem = None
    kept = nullcontext() if arguments.memory is None else model.memory(arguments.memory)
    with kept as memory, results(arguments.format, None, FORMATS) as write:
        try:
            with closing(glimpses(model, memory, arguments)) as seen:
                for glimpse in seen:
                    newest = glimpse
                    if glimpse.caption is not None:
                        write(Row("moment", glimpse.start, glimpse.end, glimpse.caption))
        except KeyboardInterrupt:
            pass
        except InputError as error:
            problem = error
        if newest is not None:
            write(Row("summary", 0.0, newest.end, model.summarize(newest.state, arguments.beams)))
            if arguments.ask is not None:
                write(Row("answer", 0.0, newest.end, model.answer_each(model.fuse(newest.state), arguments.ask)[0]))
        if problem is not None:
            write(Row("error", newest.end if newest else 0.0, newest.end if newest else 0.0, problem))
            print(error_line(problem), file=sys.stderr)
    return 1 if problem is not None else 0


def glimpses(model: Pipeline, memory: Memory | None, arguments: Namespace) -> Iterator[Glimpse]:
    """What is seen and heard, and added to the memory where there is one."""
    how = {name: getattr(arguments, name) for name in ("every", "alike", "fps", "beams")}
    if memory is not None:
        return memory.watch(arguments.source, **how)
    return model.watch(arguments.source, **how, region=arguments.region)
