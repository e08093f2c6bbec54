"""The pages on which changes are taken back: what would happen, what stays and why, and the button."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from catalog.admin.author import LONGEST_REASON, author_of, refuse_without
from catalog.admin.text import NOTHING, Difference, difference
from catalog.batches import AT_ONCE
from catalog.changes import VOLATILE_FIELDS
from catalog.edits import field_change, in_order
from catalog.locks import RESOLUTION_FLAGS
from catalog.models import Batch, Change
from catalog.models.change import Kind
from catalog.revert import revert, undo_merge
from catalog.revert_plan import RevertPlan, ShowPlan, plan_revert
from catalog.revert_scope import brought_by, changes_of, still_going_on
from catalog.values import LARGEST_ID, label

IDS: Final = ("tmdb_id", "imdb_id", "tvdb_id", "wikidata_id", *RESOLUTION_FLAGS.values())


def revert_pages(model_admin: ModelAdmin) -> list[URLPattern]:
    """Addresses below /admin/catalog/change/."""

    def view(function: Callable[..., HttpResponse]) -> Any:
        def page(request: HttpRequest, **of: Any) -> HttpResponse:
            return function(model_admin, request, **of)

        return model_admin.admin_site.admin_view(page)

    return [
        path("<int:change_id>/revert/", view(revert_change), name="catalog_change_revert"),
        path("batch/<uuid:batch_id>/revert/", view(revert_batch), name="catalog_batch_revert"),
        path("run/<int:run_id>/revert/", view(revert_run), name="catalog_run_revert"),
    ]


def revert_change(model_admin: ModelAdmin, request: HttpRequest, change_id: int) -> HttpResponse:
    refuse_without(request, "catalog.revert_show")
    change = Change.objects.filter(pk=change_id).first() if change_id <= LARGEST_ID else None
    if change is None:
        return nowhere(request, f"There is no change {change_id}.")
    back = reverse("admin:catalog_change_change", args=(change.pk,))
    what = "Revert a creation" if change.kind == Kind.CREATED else "Revert a change"
    since = (request.POST if request.method == "POST" else request.GET).get("scope") == "since"
    of = {"since": change_id} if since else {"change": change_id}
    lock = change.run_id is not None and not since
    return page_of(model_admin, request, of, what, back, lock=lock, more=scope_of(change, since=since))


def revert_batch(model_admin: ModelAdmin, request: HttpRequest, batch_id: UUID) -> HttpResponse:
    refuse_without(request, "catalog.revert_show")
    batch = Batch.objects.filter(pk=batch_id).defer("plan", "failures").first()
    if batch is None:
        return nowhere(request, "There is no such batch.")
    if batch.kind == Batch.Kind.MERGE:
        return page_of_merge(model_admin, request, batch)
    title = f"Revert: {batch.get_kind_display()}"
    return page_of(model_admin, request, {"batch": batch_id}, title, result_of(batch), lock=False)


def revert_run(model_admin: ModelAdmin, request: HttpRequest, run_id: int) -> HttpResponse:
    refuse_without(request, "catalog.revert_run")
    if run_id > LARGEST_ID:
        return nowhere(request, f"There is no run {run_id}.")
    back = f"{reverse('admin:catalog_change_changelist')}?run_id={run_id}"
    return page_of(model_admin, request, {"run": run_id}, f"Revert run {run_id}", back, lock=False)


def page_of(
    model_admin: ModelAdmin,
    request: HttpRequest,
    what: Mapping[str, Any],
    title: str,
    back: str,
    *,
    lock: bool,
    more: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The preview, and what its button does; `lock` is whether the box is ticked at first, `more` is for the page."""
    reason, error, going_on = "", "", still_going_on(what)
    if request.method == "POST":
        reason, lock = request.POST.get("reason", "").strip(), "lock" in request.POST
        error = reason_error(reason)
        if not error:
            return apply(request, what, reason, back, lock=lock)
    plan = RevertPlan() if going_on else plan_revert(changes_of(what))
    context = {
        **model_admin.admin_site.each_context(request),
        "model_admin": model_admin,  # the heading then names the page, below the history
        "title": title,
        "plan": plan,
        "nothing": NOTHING,
        "shows": [(show, rows_of(show), trash_of(show)) for show in plan.shows],
        "conflicts": [(conflict, label(conflict.field) if conflict.field else "") for conflict in plan.conflicts],
        "lock": lock,
        "reason": reason,
        "error": error,
        "longest_reason": LONGEST_REASON,
        "in_background": plan.total > AT_ONCE,
        "at_once": AT_ONCE,
        "back": back,
        "going_on": going_on,
        **(more or {}),
    }
    return TemplateResponse(request, "catalog/revert.html", context)


def scope_of(change: Change, *, since: bool) -> dict[str, Any]:
    """How far the revert of a change may go: what comes along with it, and how much has happened since."""
    newer = Change.objects.filter(show_id=change.show_id, pk__gt=change.pk).exclude(kind=Kind.COMMENTED)
    runs = Change.objects.filter(pk__in=brought_by(change.pk)).order_by().values("run_id").distinct().count()
    syncs = f"{runs} sync has" if runs == 1 else f"{runs} syncs have"
    along = f"and what {syncs} brought under that id since" if runs else ""
    return {"since": since, "since_count": newer.count(), "along": along}


def apply(request: HttpRequest, what: Mapping[str, Any], reason: str, back: str, *, lock: bool) -> HttpResponse:
    try:
        batch = revert(what, author_of(request, reason), lock=lock)
    except ValidationError as error:
        messages.error(request, f"Nothing was reverted. {' '.join(error.messages)}")
        return redirect(back)
    return redirect(result_of(batch))


def page_of_merge(model_admin: ModelAdmin, request: HttpRequest, batch: Batch) -> HttpResponse:
    """A merge is undone as a whole, and by a rule of its own."""
    reason, error = "", ""
    if request.method == "POST":
        reason = request.POST.get("reason", "").strip()
        error = reason_error(reason)
        if not error:
            try:
                return redirect(result_of(undo_merge(batch, author_of(request, reason))))
            except ValidationError as refusal:
                error = f"Nothing was undone. {' '.join(refusal.messages)}"
    context = {
        **model_admin.admin_site.each_context(request),
        "model_admin": model_admin,  # the heading then names the page, below the history
        "title": "Undo a merge",
        "batch": batch,
        "reason": reason,
        "error": error,
        "longest_reason": LONGEST_REASON,
        "back": result_of(batch),
    }
    return TemplateResponse(request, "catalog/revert_merge.html", context)


def rows_of(plan: ShowPlan) -> list[tuple[Difference, str]]:
    """What changes in a show, field by field, and what becomes of the field's lock."""
    locks = dict.fromkeys(plan.opened, "unlocked") | dict.fromkeys(plan.closed, "locked again")
    figures = in_order(name for name in plan.then if name in VOLATILE_FIELDS)
    names = sorted((name for name in plan.then if name not in figures), key=lambda name: name not in IDS)
    names += in_order(name for name in locks if name not in plan.then)
    rows = []
    for name in names:
        if name in plan.then:
            change = field_change(plan.text(name, plan.now[name]), plan.text(name, plan.then[name]))
            rows.append((difference(name, change), locks.get(name, "")))
        else:
            rows.append((Difference(label(name), "", "", note="stays as it is"), locks[name]))
    if figures:
        told = (f"{label(name)} {figure(plan.now[name])} → {figure(plan.then[name])}" for name in figures)
        lock = next((locks[name] for name in figures if name in locks), "")
        rows.append((Difference("Votes and popularity", "", "", note=", ".join(told)), lock))
    return rows


def figure(value: Any) -> str:
    return NOTHING if value is None else str(value)


def trash_of(plan: ShowPlan) -> str:
    if plan.trashed is None:
        return ""
    return "goes to the trash" if plan.trashed else "comes back from the trash"


def reason_error(reason: str) -> str:
    if len(reason) > LONGEST_REASON or "\x00" in reason:
        return f"A reason is a text of at most {LONGEST_REASON} characters."
    return ""


def result_of(batch: Batch) -> str:
    return reverse("admin:catalog_batch_change", args=(batch.pk,))


def nowhere(request: HttpRequest, text: str) -> HttpResponse:
    messages.error(request, f"{text} It may have been in a link that is too old.")
    return redirect("admin:catalog_change_changelist")
