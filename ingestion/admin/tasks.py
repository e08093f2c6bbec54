"""Background tasks: what waits, what was done and what failed."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django_q.models import Failure, OrmQ, Success
from django_q.tasks import async_task

from catalog.admin.paginator import BoundedPaginator
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import counted

LONGEST_REASON = 200  # characters in a list

QUEUE_IS_A_TABLE = admin.site.is_registered(OrmQ)  # and not in Redis
admin.site.unregister([Success, Failure, *([OrmQ] if QUEUE_IS_A_TABLE else [])])


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
