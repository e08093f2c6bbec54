"""The editors' desk on Django admin, one module a noun. Importing this package registers all of it."""

from . import change, entities, show

__all__ = ["change", "entities", "show"]
