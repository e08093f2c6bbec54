"""What exports put on the editors' desk. Importing this package registers all of it."""

from exports.admin import dashboard, runs, show_list

__all__ = ["dashboard", "runs", "show_list"]
