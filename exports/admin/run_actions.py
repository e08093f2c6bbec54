"""What can be done with exports in admin: start one, publish one again, publish in spite of the guard; and ask on."""

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from catalog.admin.author import refuse_without, user_of
from catalog.admin.text import counted
from catalog.show_filters import VIEW as SAVED_VIEW
from exports.admin.buttons import PUBLISH, VIEW, what_is_missing
from exports.admin.run_page import has_snapshot, is_here, is_newest, number_in, run_of, tab_contexts
from exports.admin.run_words import OPEN, run_url, titles_of, told, what
from exports.models import ExportedTab, ExportRun
from exports.options import Options, check, options_of
from exports.runs import AlreadyRunning, queue_export
from exports.snapshots import last_published

MOST_ASKED = 200  # exports; a page of the list has fewer
LIST = "admin:exports_exportrun_changelist"
Status = ExportRun.Status
Format = ExportRun.Format


def export(request: HttpRequest) -> HttpResponse:
    """Queues an export of all tabs, or of a saved view into tabs of its own, and leads to it."""
    refuse_without(request, PUBLISH, VIEW)
    return queued(request, Options(view=request.POST.get(SAVED_VIEW, "").strip()), LIST)


def queued(request: HttpRequest, options: Options, back: str) -> HttpResponse:
    """Leads to the export that waits now, or back with the reason why none does."""
    try:
        if options.restore is None:
            check(options)
    except ValidationError as error:
        messages.error(request, f"Nothing was exported. {' '.join(error.messages)}")
        return redirect(back)
    if problems := what_is_missing():
        messages.error(request, f"Nothing was exported: {'; '.join(problems)}.")
        return redirect(back)
    try:
        run = queue_export(options, user_of(request))
    except AlreadyRunning as error:
        messages.warning(request, f"Nothing was queued: {error}. Ask again when it has ended.")
        return redirect(back)
    return redirect(run_url(run.pk))


def restore(model_admin: "ModelAdmin[Any]", request: HttpRequest, run_id: int) -> HttpResponse:
    """Asks whether it is meant, then queues an export of what this one had published."""
    refuse_without(request, PUBLISH, VIEW)
    run = run_of(str(run_id))
    if run is None or not has_snapshot(run):
        reason = (
            f"There is no export {run_id} any more" if run is None else f"What export {run_id} published is not kept"
        )
        messages.error(request, f"{reason}: nothing can be published again.")
        return redirect(LIST if run is None else run_url(run_id))
    if request.method == "POST":
        again = replace(options_of(run), restore=run.pk, force=False, confirms=None)
        return queued(request, again, run_url(run_id))
    kept = ExportedTab.objects.filter(run=run, snapshot__isnull=False).order_by("pk").values_list("title", "rows")
    since = ExportRun.objects.filter(format=Format.GOOGLE, status=Status.SUCCEEDED, pk__gt=run.pk).count()
    about = {
        "title": f"Publish export {run_id} again?",
        "tabs": [(title, counted(rows, "row")) for title, rows in kept],
        "since": since,
        "action": f"Publish export {run_id} again",
    }
    return asked(model_admin, request, run, "exports/run_restore.html", about)


def force(model_admin: "ModelAdmin[Any]", request: HttpRequest, run_id: int) -> HttpResponse:
    """Asks whether it is meant, then queues the export that the guard had stopped, without the guard."""
    refuse_without(request, PUBLISH, VIEW)
    run = run_of(str(run_id))
    if run is None:
        messages.error(request, f"There is no export {run_id} any more.")
        return redirect(LIST)
    if not run.tripped or not is_newest(run) or not is_here(run):
        reason = "another one came after it" if run.tripped else "the guard did not stop it"
        reason = reason if is_here(run) else "it was of another workbook"
        messages.warning(request, f"Export {run_id} is not forced: {reason}.")
        return redirect(run_url(run_id))
    if request.method == "POST":
        return queued(request, replace(options_of(run), confirms=run.pk), run_url(run_id))
    about = {
        "title": f"Publish export {run_id} anyway?",
        "action": "Publish anyway",
        "what": what(run),
        "is_kept": all(last_published(title).table is not None for title in titles_of(run)),
        "tabs": tab_contexts(run, run.exported.order_by("pk")),
    }
    return asked(model_admin, request, run, "exports/run_force.html", about)


def asked(
    model_admin: "ModelAdmin[Any]", request: HttpRequest, run: ExportRun, template: str, about: dict[str, Any]
) -> HttpResponse:
    context = {**model_admin.admin_site.each_context(request), "model_admin": model_admin, "run": run, **about}
    return render(request, template, {**context, "back": run_url(run.pk)})


def tell(request: HttpRequest) -> HttpResponse:
    """How far the exports are that are open or named (`?run=`)."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    named = {number_in(one) for one in request.GET.getlist("run")[:MOST_ASKED]} - {None}
    now = timezone.now()
    runs = ExportRun.objects.filter(Q(status__in=OPEN) | Q(pk__in=named)).order_by("pk")
    return JsonResponse({"runs": [told(run, now) for run in runs]})
