"""What can be done with runs in admin: start one, cancel one, retry what one failed at; and ask how far they are."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.html import format_html

from catalog.admin.author import refuse_without, user_of
from catalog.admin.text import queued_run
from catalog.sync_queue import queue_sync
from ingestion.admin.run_page import CANCEL, SYNC, VIEW, number_in, run_of
from ingestion.admin.run_words import job, progress, run_url
from ingestion.models import SyncRun
from ingestion.progress import COLUMNS, OPEN, figures
from ingestion.retries import retry_problem
from ingestion.run_ends import close_if_complete
from ingestion.runs import cancel, close_if_dead, describe
from ingestion.shared_runs import retry_failed

KIND = "sync_shows"  # a run of all that is due
MOST_ASKED = 200  # runs; a page of the list has fewer
Status = SyncRun.Status


def sync_all(request: HttpRequest) -> HttpResponse:
    """Queues a sync of all that is due; says so when one is going on."""
    refuse_without(request, SYNC, VIEW)
    running = SyncRun.objects.filter(kind=KIND, status=Status.RUNNING).select_related("started_by").first()
    if running is not None and not close_if_dead(running):
        messages.warning(request, f"Nothing was queued: {describe(running)}.")
    else:
        run_id = queue_sync(request.user.pk)
        messages.success(request, queued_run(request.user, run_id, "all that is due"))
    return redirect("admin:ingestion_syncrun_changelist")


def cancel_run(model_admin: "ModelAdmin[Any]", request: HttpRequest, run_id: int) -> HttpResponse:
    """Asks whether it is meant, then asks the run to end."""
    refuse_without(request, CANCEL, VIEW)
    run = run_of(str(run_id))
    if run is None:
        messages.error(request, f"There is no run {run_id} any more.")
        return redirect("admin:ingestion_syncrun_changelist")
    if run.status == Status.RUNNING and not run.shared and close_if_dead(run):
        messages.warning(request, f"Run {run_id} was cut off before: nobody works on it. It is closed now.")
    elif run.status not in OPEN:
        messages.warning(request, f"Run {run_id} has ended meanwhile.")
    elif run.cancel_asked_at is not None:
        if run.shared:
            close_if_complete(run_id)  # its last worker may be gone
        messages.info(request, f"Run {run_id} is being cancelled already.")
    elif request.method == "POST":
        end(request, run)
    else:
        about = {"run": run, "title": f"Cancel run {run_id}?", "model_admin": model_admin, "back": run_url(run_id)}
        context = {**model_admin.admin_site.each_context(request), **about, "done": progress(run), "job": job(run)}
        return render(request, "ingestion/run_cancel.html", context)
    return redirect(run_url(run_id))


def end(request: HttpRequest, run: SyncRun) -> None:
    if not cancel(run.pk, user_of(request)):
        messages.warning(request, f"Run {run.pk} has ended meanwhile.")
        return
    if run.shared:
        close_if_complete(run.pk)  # nobody may be working on it
    words = "It had not begun." if run.status == Status.QUEUED else "It saves what it has, and ends within seconds."
    messages.success(request, f"Run {run.pk} is cancelled. {words}")


def retry_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Queues a run of what this one failed at, and leads to it."""
    refuse_without(request, SYNC, VIEW)
    run = run_of(str(run_id))
    problem = retry_problem(run) if run else f"there is no run {run_id} any more"
    if run is None or problem:
        messages.error(request, f"Nothing was queued: {problem}.")
        return redirect("admin:ingestion_syncrun_changelist") if run is None else redirect(run_url(run_id))
    again = run.retries.filter(status__in=OPEN).first()
    if again is None:
        again = retry_failed(run, user_of(request))
        messages.success(request, f"This run is queued: it tries again what run {run_id} failed at.")
    else:
        messages.info(request, format_html("This run tries again what run {} failed at.", run_id))
    return redirect(run_url(again.pk))


def tell_figures(request: HttpRequest) -> HttpResponse:
    """The figures of the runs that are open, and of those that are named (`?run=`): for pages without a WebSocket."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    named = {number_in(one) for one in request.GET.getlist("run")[:MOST_ASKED]} - {None}
    rows = SyncRun.objects.filter(Q(status__in=OPEN) | Q(pk__in=named)).order_by("pk").values(*COLUMNS)
    return JsonResponse({"ts": timezone.now(), "runs": [figures(row) for row in rows]})
