"""The editors' desk on Django admin, one module a noun. Importing this package registers all of it."""

from django.contrib import admin

from . import change, entities, show

__all__ = ["change", "entities", "show"]

admin.site.site_header = admin.site.site_title = "TRR"
admin.site.index_title = "Catalogue and syncs"
