"""Background tasks: what is planned, what waits, what was done and what failed.

A task is any function by its dotted name. Here people choose among those that are made to be planned: a free
text would let whoever may plan a task run anything on the server.
"""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django_q.admin import ScheduleAdmin
from django_q.models import Failure, OrmQ, Schedule, Success
from django_q.tasks import async_task
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from catalog.admin.paginator import BoundedPaginator
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import counted

PLANNED = {"ingestion.tasks.sync_shows": "Sync all shows that are due"}
LONGEST_REASON = 200  # characters in a list

QUEUE_IS_A_TABLE = admin.site.is_registered(OrmQ)  # and not in Redis
admin.site.unregister([Schedule, Success, Failure, *([OrmQ] if QUEUE_IS_A_TABLE else [])])


class ScheduleForm(forms.ModelForm):
    func = forms.ChoiceField(label="Task", widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Schedule
        fields = ("name", "func", "schedule_type", "minutes", "cron", "repeats", "next_run")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "func" in self.fields:  # it is not for those who may only look
            own = {self.instance.func: self.instance.func} if self.instance.pk else {}
            self.fields["func"].choices = list((own | PLANNED).items())  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        kind = values.get("schedule_type")
        if kind == Schedule.MINUTES and not values.get("minutes"):
            self.add_error("minutes", "Every how many minutes?")
        if kind == Schedule.CRON and not values.get("cron") and "cron" not in self.errors:
            self.add_error("cron", "Give a cron expression, like 30 4 * * * for half past four (UTC) each day.")
        return values


@admin.register(Schedule)
class PlanAdmin(ModelAdmin, ScheduleAdmin):
    form = ScheduleForm
    fields = ("name", "func", "schedule_type", ("minutes", "cron"), "repeats", "next_run")
    list_display = ("title", "func", "schedule_type", "repeats", "next_run", "get_last_run", "get_success")
    list_display_links = ("title",)
    list_filter = ("schedule_type",)
    show_full_result_count = False

    @admin.display(description="name", ordering="name")
    def title(self, schedule: Schedule) -> str:
        return schedule.name or PLANNED.get(schedule.func) or f"schedule {schedule.pk}"


class TaskAdmin(ReadOnlyAdmin):
    """Tasks that have been run."""

    list_display: tuple[str, ...] = ("title", "func", "started", "stopped")
    list_filter: tuple[str, ...] = ("func",)
    list_per_page = 100
    paginator = BoundedPaginator
    search_fields = ("name", "func")
    fields: tuple[str, ...] = ("id", "name", "func", "arguments", "started", "stopped", "attempt_count", "outcome")
    readonly_fields: Any = fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(f"django_q.delete_{self.opts.model_name}"))

    @admin.display(description="name", ordering="name")
    def title(self, task: Any) -> str:
        return str(task.name)

    @admin.display(description="arguments")
    def arguments(self, task: Any) -> str:
        given = [repr(value) for value in task.args or ()]
        return ", ".join([*given, *(f"{name}={value!r}" for name, value in (task.kwargs or {}).items())])

    @admin.display(description="result")
    def outcome(self, task: Any) -> str:
        return format_html("<pre>{}</pre>", str(task.result))


@admin.register(Success)
class DoneAdmin(TaskAdmin):
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        tasks: QuerySet[Any] = super().get_queryset(request)
        return tasks.filter(success=True)


@admin.register(Failure)
class FailedAdmin(TaskAdmin):
    list_display = ("title", "func", "started", "stopped", "attempt_count", "reason")
    actions = ("run_again",)

    def has_run_again_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("django_q.change_failure"))

    @admin.display(description="reason")
    def reason(self, task: Any) -> str:
        lines = str(task.result).strip().splitlines() or [""]
        return lines[0][:LONGEST_REASON]

    @admin.action(description="Run again", permissions=["run_again"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = 0
        with transaction.atomic():
            for task in queryset.order_by("started"):
                again = partial(async_task, task.func, *(task.args or ()), hook=task.hook, group=task.group)
                transaction.on_commit(partial(again, **(task.kwargs or {})))
                task.delete()
                count += 1
        self.message_user(request, f"{counted(count, 'task')} queued again.")


class QueuedAdmin(ReadOnlyAdmin):
    """Tasks that wait for the worker, or are being run by it. To delete one that waits is to call it off."""

    list_display = ("id", "what", "with_what", "taken_until")
    list_per_page = 100
    paginator = BoundedPaginator
    fields = ("id", "what", "with_what", "taken_until")
    readonly_fields = fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("django_q.delete_ormq"))

    @admin.display(description="task")
    def what(self, queued: OrmQ) -> str:
        func = queued.task.get("func")
        return func if isinstance(func, str) else getattr(func, "__qualname__", "unreadable")

    @admin.display(description="arguments")
    def with_what(self, queued: OrmQ) -> str:
        given = [repr(value) for value in queued.task.get("args") or ()]
        return ", ".join([*given, *(f"{name}={value!r}" for name, value in (queued.task.get("kwargs") or {}).items())])

    @admin.display(description="taken by a worker until", ordering="lock")
    def taken_until(self, queued: OrmQ) -> Any:
        return queued.lock if queued.lock and queued.lock > timezone.now() else None


if QUEUE_IS_A_TABLE:
    admin.site.register(OrmQ, QueuedAdmin)
