"""The tasks there are, by name."""

from mm_memgpt.tasks.answering import Answering
from mm_memgpt.tasks.base import Task
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.code import Code
from mm_memgpt.tasks.dialogue import Dialogue
from mm_memgpt.tasks.generation import Generation
from mm_memgpt.tasks.pair import Pair
from mm_memgpt.tasks.recommendation import Recommendation
from mm_memgpt.tasks.regression import Regression
from mm_memgpt.tasks.retrieval import Retrieval
from mm_memgpt.tasks.span import Span
from mm_memgpt.tasks.summarization import Summarization
from mm_memgpt.tasks.summary_writing import SummaryWriting
from mm_memgpt.tasks.tagging import Tagging
from mm_memgpt.tasks.translation import Translation

_ALL = (
    Classification,
    Pair,
    Tagging,
    Span,
    Regression,
    Retrieval,
    Recommendation,
    Summarization,
    SummaryWriting,
    Translation,
    Answering,
    Dialogue,
    Code,
    Generation,
)

TASKS: dict[str, type[Task]] = {task.name: task for task in _ALL}
