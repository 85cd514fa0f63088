"""What jobs do: one module a task, each with the model of its request."""

from impasto.serving.tasks.base import TASKS as TASKS
from impasto.serving.tasks.base import Stopped as Stopped
from impasto.serving.tasks.base import Task as Task
from impasto.serving.tasks.base import TaskContext as TaskContext
from impasto.serving.tasks.base import TaskRequest as TaskRequest

# They register themselves.
from impasto.serving.tasks import painting, generation, learning, evaluation, sharing  # isort: skip  # noqa: F401
