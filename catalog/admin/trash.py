"""The trash: deleted shows, who deleted them and why, and the way back."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from catalog.admin import desk
from catalog.admin.author import author_of, posted_reason
from catalog.models import Change, Show
from catalog.models.change import Kind
from catalog.search import name_key
from catalog.trash import restore_show
from catalog.values import LARGEST_ID

PER_PAGE = 100


def pages(model_admin: ModelAdmin) -> list[URLPattern]:
    def trash(request: HttpRequest) -> HttpResponse:
        if not model_admin.has_view_permission(request):
            raise PermissionDenied
        query = request.GET.get("q", "").strip()[:200].replace("\x00", "")
        page = Paginator(found(query), PER_PAGE).get_page(request.GET.get("page"))
        context = {
            **model_admin.admin_site.each_context(request),
            "title": "Trash",
            "model_admin": model_admin,
            "query": query,
            "page": page,
            "rows": rows_of(list(page.object_list), request.user),
            "may_restore": model_admin.has_delete_permission(request),
            "list_url": reverse("admin:catalog_show_changelist"),
        }
        return render(request, "catalog/trash.html", context)

    @require_POST
    def restore(request: HttpRequest, show_id: UUID) -> HttpResponse:
        if not model_admin.has_delete_permission(request):
            raise PermissionDenied
        return restored(request, show_id)

    admin_view = model_admin.admin_site.admin_view
    return [
        path("trash/", admin_view(trash), name="catalog_show_trash"),
        path("<uuid:show_id>/restore/", admin_view(restore), name="catalog_show_restore"),
    ]


def found(query: str) -> QuerySet[Show]:
    """Deleted and merged shows, the newest first, whose name holds `query` or which have it as an id."""
    shows = Show.all_objects.filter(deleted_at__isnull=False).order_by("-deleted_at", "pk")
    if query:
        wanted = Q(name_key__contains=name_key(query)) | Q(imdb_id=query.lower())
        if query.isascii() and query.isdigit() and int(query) <= LARGEST_ID:
            wanted |= Q(tmdb_id=int(query)) | Q(tvdb_id=int(query))
        with suppress(ValueError):
            wanted |= Q(pk=UUID(query))
        shows = shows.filter(wanted)
    deleted = Change.objects.filter(show_id=OuterRef("pk"), kind__in=(Kind.DELETED, Kind.MERGED)).order_by("-id")
    columns = ("name", "tmdb_id", "imdb_id", "deleted_at", "merged_into__name", "merged_into__deleted_at")
    return shows.select_related("merged_into").only(*columns).annotate(deleted_by=Subquery(deleted.values("id")[:1]))


def rows_of(shows: list[Any], user: Any) -> list[dict[str, Any]]:
    """Each with the change that put it there: one query for all."""
    ids = [show.deleted_by for show in shows if show.deleted_by is not None]
    changes = Change.objects.select_related("user").in_bulk(ids)
    rows = []
    for show in shows:
        change = changes.get(show.deleted_by)
        rows.append(
            {
                "show": show,
                "change": change,
                "undo_url": undo_url(change, user) if change and show.merged_into_id else None,
            }
        )
    return rows


def undo_url(change: Change, user: Any) -> str | None:
    """Where the merge can be undone, for those who may."""
    if change.batch_id is None or not user.has_perm("catalog.merge_show"):
        return None
    return reverse("admin:catalog_show_unmerge", args=(change.batch_id,))


def restored(request: HttpRequest, show_id: UUID) -> HttpResponse:
    try:
        change = restore_show(show_id, author_of(request, posted_reason(request)))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("admin:catalog_show_trash")
    except Show.DoesNotExist:
        messages.error(request, "There is no such show.")
        return redirect("admin:catalog_show_trash")
    if change is None:
        messages.info(request, "It was not in the trash: somebody has restored it already.")
    else:
        messages.success(request, "The show is back, as it was.")
    return redirect("admin:catalog_show_change", show_id)


desk.pages.append(pages)
