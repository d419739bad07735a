"""The tasks there are, by name."""

from mm_memgpt.tasks.base import Task
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.pair import Pair
from mm_memgpt.tasks.regression import Regression
from mm_memgpt.tasks.span import Span
from mm_memgpt.tasks.tagging import Tagging

TASKS: dict[str, type[Task]] = {task.name: task for task in (Classification, Pair, Tagging, Span, Regression)}
