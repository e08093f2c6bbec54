"""Work that stands in rows and waits for a worker. Its message may get lost, so workers have it rung for again.

No app knows the others: each adds how it rings, and the one that has the workers calls all of them now and then.
"""

from collections.abc import Callable
from typing import Final

ringers: Final[list[Callable[[], int]]] = []  # how many they rang for
