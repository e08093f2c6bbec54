"""The page of one show."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from catalog.admin import desk, show_locks, show_trail
from catalog.admin.author import author_of, posted_reason, refuse_without
from catalog.admin.show_form import ShowForm, told_of
from catalog.admin.show_offers import where_to_watch
from catalog.admin.show_rows import PARTS, READ_ONLY, WATCH, Rows, lock_urls
from catalog.admin.show_trail import LONGEST_COMMENT, trail_of
from catalog.admin.text import queued_run
from catalog.edits import ChangedMeanwhile, create_show, edit_show
from catalog.links import RELATIONS
from catalog.models import Change, Show
from catalog.sync_queue import queue_sync
from catalog.trash import delete_show

ATTEMPTS = 3  # at a save that somebody else was quicker than


class ShowPageAdmin(ModelAdmin):
    form = ShowForm
    delete_confirmation_template = "catalog/show_delete.html"
    readonly_fields = READ_ONLY
    warn_unsaved_form = True
    # The columns of the form. (The template draws them, with the relations, in the parts of show_rows.)
    fieldsets = tuple((part.title, {"fields": tuple(n for n in part.names if n not in RELATIONS)}) for part in PARTS)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Show | None:
        """A living show, by itself: the list's queryset brings what only the list shows."""
        try:
            show_id = UUID(object_id)
        except ValueError:
            return None
        show: Show | None = Show.objects.defer("tmdb_meta", "imdb_meta").filter(pk=show_id).first()
        return show

    def get_form(self, request: HttpRequest, obj: Show | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.user, form.refused = request.user, getattr(request, "refused", None)
        return form

    # --- showing it

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Show | None = None,
    ) -> HttpResponse:
        form = context["adminform"].form
        if obj is None:
            context["parts"] = Rows(Show(), form, editable=True).parts()
        else:
            if form.is_bound:
                form.rebase()
                obj = Show.objects.defer("tmdb_meta", "imdb_meta").filter(pk=obj.pk).first() or obj
            context |= self.page_of(request, obj, form)
        page: HttpResponse = super().render_change_form(
            request, context, add=add, change=change, form_url=form_url, obj=obj
        )
        return page

    def page_of(self, request: HttpRequest, show: Show, form: ShowForm) -> dict[str, Any]:
        editable = self.has_change_permission(request, show)
        rows = Rows(show, form, editable=editable)
        return {
            "editable": editable,
            "parts": rows.parts(),
            "watch_row": rows.row(WATCH),
            "watch": where_to_watch(show),
            "buttons": buttons_of(show, request),
            "panels": [panel(show) for panel in desk.panels],
            "trail": trail_of(show, request.user),
            "history_url": f"{reverse('admin:catalog_change_changelist')}?show__id__exact={show.pk}",
            "comment_url": reverse("admin:catalog_show_comment", args=(show.pk,)),
            "longest_comment": LONGEST_COMMENT,
            "show_history": False,  # the trail leads there
            **lock_urls(show),
        }

    # --- saving it

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Shows the form again, with the editor's input, for what only the save itself can find."""
        for _ in range(ATTEMPTS):
            try:
                page: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
                return page
            except ChangedMeanwhile:
                continue  # the form is now compared with what was quicker
            except ValidationError as error:
                request.refused = error  # type: ignore[attr-defined]
            except Show.DoesNotExist:
                self.message_user(request, "Somebody has deleted this show meanwhile.", messages.ERROR)
                return redirect("admin:catalog_show_changelist")
        self.message_user(request, "Nothing was saved: others kept changing the show. Try again.", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Show, form: Any, change: bool) -> None:
        author = author_of(request, form.cleaned_data.get("reason", ""))
        if change:
            edit_show(obj.pk, form.edited_values(), author, version=form.current_version)
            if told := told_of(form.meanwhile):
                self.message_user(request, told, messages.INFO)
        else:
            obj.pk = create_show(form.edited_values(), author).pk
        obj.refresh_from_db()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: networks and companies are saved with the show."""

    # --- deleting it, and what is left

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        show = self.get_object(request, object_id)
        answer: HttpResponse
        if show is not None and request.method == "POST":
            if not self.has_delete_permission(request, show):
                raise PermissionDenied
            try:
                delete_show(show.pk, author_of(request, posted_reason(request)))
            except Show.DoesNotExist:
                pass  # what follows tells who was quicker
            else:
                answer = self.response_delete(request, str(show), show.pk)
                return answer
        answer = super().delete_view(request, object_id, extra_context)
        return answer

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        try:
            show = Show.all_objects.select_related("merged_into").filter(pk=UUID(object_id)).first()
        except ValueError:
            show = None
        if show is None:
            answer: HttpResponse = super()._get_obj_does_not_exist_redirect(request, opts, object_id)
            return answer
        if request.method == "POST":
            self.message_user(request, "Somebody has deleted this show meanwhile.", messages.ERROR)
            return redirect("admin:catalog_show_changelist")
        deleted = Change.objects.filter(show_id=show.pk, kind__in=(Change.Kind.DELETED, Change.Kind.MERGED))
        context = {
            **self.admin_site.each_context(request),
            "title": f"{show.name} is gone",
            "opts": self.opts,
            "show": show,
            "target": final_target(show),
            "deleted": deleted.select_related("user").order_by("-id").first(),
            "trash_url": f"{reverse('admin:catalog_show_trash')}?q={show.pk}",
        }
        return render(request, "catalog/show_gone.html", context, status=410)


def final_target(show: Show) -> Show | None:
    """The show that a merged one now is: merges may follow one another."""
    seen = {show.pk}
    target = show.merged_into
    while target is not None and target.merged_into_id is not None and target.pk not in seen:
        seen.add(target.pk)
        target = target.merged_into
    return target


def buttons_of(show: Show, request: HttpRequest) -> list[dict[str, Any]]:
    """Those that the user may press: the page's own, then what other apps bring."""
    diff = reverse("admin:catalog_show_diff", args=(show.pk,))
    export = f"{reverse('admin:catalog_show_export')}?id={show.pk}"
    buttons = [
        ("Sync now", reverse("admin:catalog_show_sync", args=(show.pk,)), "catalog.sync_show", True),
        *((button.label, button.url(show), button.permission, button.post) for button in desk.buttons),
        ("Diff to upstream", diff, "catalog.view_show", False),
        ("Export row", export, "catalog.view_show", False),
        ("Delete", reverse("admin:catalog_show_delete", args=(show.pk,)), "catalog.delete_show", False),
    ]
    return [
        {"label": label, "url": url, "post": post}
        for label, url, permission, post in buttons
        if request.user.has_perm(permission)
    ]


def sync_pages(model_admin: Any) -> list[URLPattern]:
    view = model_admin.admin_site.admin_view(require_POST(sync))
    return [path("<uuid:show_id>/sync/", view, name="catalog_show_sync")]


def sync(request: HttpRequest, show_id: UUID) -> HttpResponse:
    """Queues a sync of this show, whatever its age."""
    refuse_without(request, "catalog.sync_show")
    if not Show.objects.filter(pk=show_id).exists():
        messages.error(request, "Somebody has deleted this show meanwhile.")
        return redirect("admin:catalog_show_changelist")
    run_id = queue_sync(request.user.pk, [show_id])
    messages.success(request, queued_run(request.user, run_id, "this show"))
    return redirect("admin:catalog_show_change", show_id)


desk.pages += [sync_pages, show_locks.pages, show_trail.pages]
