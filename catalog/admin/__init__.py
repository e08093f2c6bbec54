"""The editors' desk on Django admin, one module a noun. Importing this package registers all of it."""

from django.contrib import admin

from . import (
    access,
    batch,
    bulk,
    cells,
    change,
    dashboard,
    diff,
    entities,
    import_export,
    merge,
    people,
    revert,
    review,
    saved_views,
    show,
    tokens,
    trash,
)

__all__ = [
    "access",
    "batch",
    "bulk",
    "cells",
    "change",
    "dashboard",
    "diff",
    "entities",
    "import_export",
    "merge",
    "people",
    "revert",
    "review",
    "saved_views",
    "show",
    "tokens",
    "trash",
]

admin.site.site_header = admin.site.site_title = "TRR"
admin.site.index_title = "Catalogue and syncs"
