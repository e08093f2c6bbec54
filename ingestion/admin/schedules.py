"""Schedules in admin.

A task is any function by its dotted name. Here people choose among those that are made to be planned: a free text
would let whoever may plan a task run anything on the server. Rows that were made elsewhere can hold anything; the
list says what is wrong with them.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django_q.admin import ScheduleAdmin
from django_q.models import Schedule, Task
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from catalog.admin.text import badge, moment
from catalog.planned import labels
from ingestion.schedules import OFF, cron_problem, next_run_of, plan_problem, task_problem, title_of, what_is_wrong

admin.site.unregister(Schedule)


class ScheduleForm(forms.ModelForm):
    func = forms.ChoiceField(label="Task", widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Schedule
        fields = ("name", "func", "schedule_type", "minutes", "cron", "repeats", "next_run")
        help_texts = {
            "cron": "For the type Cron: minute, hour, day of the month, month, day of the week, in UTC. "
            "30 4 * * * is half past four each day.",
            "repeats": "-1: for ever. 0: off. n: so many times more.",
            "next_run": "In UTC. Of the type Cron it follows from the line.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "func" in self.fields:  # it is not for those who may only look
            own = {self.instance.func: self.instance.func} if self.instance.pk else {}
            self.fields["func"].choices = list((own | labels()).items())  # type: ignore[attr-defined]
            self.fields["next_run"].required = False

    def clean_func(self) -> str:
        func: str = self.cleaned_data["func"]
        if problem := task_problem(func):
            raise forms.ValidationError(capfirst(f"{problem}."))
        return func

    def clean_cron(self) -> str | None:
        line: str | None = self.cleaned_data["cron"]
        if line and (problem := cron_problem(line)):
            raise forms.ValidationError(f"This line can't be read: {problem}.")
        return line

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        kind, cron = values.get("schedule_type"), values.get("cron")
        if kind == Schedule.MINUTES and not values.get("minutes"):
            self.add_error("minutes", "Every how many minutes?")
        if kind == Schedule.CRON and not cron and "cron" not in self.errors:
            self.add_error("cron", "Give a cron expression, like 30 4 * * * for half past four (UTC) each day.")
        if kind == Schedule.CRON and cron:
            moved = not self.instance.pk or {"cron", "schedule_type", "repeats"} & set(self.changed_data)
            if moved or not values.get("next_run"):
                values["next_run"] = next_run_of(cron, timezone.now())
        elif not values.get("next_run") and "next_run" not in self.errors:
            self.add_error("next_run", "When first?")
        return values


@admin.register(Schedule)
class PlanAdmin(ModelAdmin, ScheduleAdmin):
    form = ScheduleForm
    fields = ("name", "func", "schedule_type", ("minutes", "cron"), "repeats", "next_run")
    list_display = ("title", "does", "when", "last", "state")
    list_display_links = ("title",)
    list_filter = ("schedule_type",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        """With what the last task of each gave back."""
        schedules: QuerySet[Schedule] = super().get_queryset(request)
        results = Task.objects.filter(id=OuterRef("task")).values("result")
        annotated: QuerySet[Schedule] = schedules.annotate(task_result=Subquery(results))
        return annotated

    def save_model(self, request: HttpRequest, obj: Schedule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.repeats == OFF:
            messages.warning(request, f"“{title_of(obj)}” is off. Set its repeats to -1 to have it run.")

    @admin.display(description="name", ordering="name")
    def title(self, schedule: Schedule) -> str:
        return schedule.name or labels().get(schedule.func) or title_of(schedule)

    @admin.display(description="task", ordering="func")
    def does(self, schedule: Schedule) -> str:
        problem = task_problem(schedule.func)
        return badge(capfirst(problem), "bad") if problem else labels().get(schedule.func, schedule.func)

    @admin.display(description="when (UTC)", ordering="next_run")
    def when(self, schedule: Schedule) -> str:
        if problem := plan_problem(schedule, timezone.now()):
            return format_html("{} {}", badge("Wrong", "bad"), capfirst(problem))  # a badge has one line
        rule = schedule.cron if schedule.schedule_type == Schedule.CRON else rule_in_words(schedule)
        if schedule.repeats == OFF or schedule.next_run is None:
            return str(rule)
        return f"{rule}, next {moment(schedule.next_run)}"

    @admin.display(description="last run")
    def last(self, schedule: Any) -> str:
        if not schedule.task:
            return "never"
        if schedule.task_id is None:
            return "not finished, or no longer kept"
        if not schedule.task_success:
            return task_badge("failure", schedule.task_id, "Failed", "bad")
        code = schedule.task_result.get("exit_code") if isinstance(schedule.task_result, dict) else 0
        text, tone = RESULTS.get(code, ("Failed", "bad"))
        return task_badge("success", schedule.task_id, text, tone)

    @admin.display(description="state", ordering="repeats")
    def state(self, schedule: Schedule) -> str:
        wrong = what_is_wrong(schedule, timezone.now())
        text = "Off" if schedule.repeats == OFF else "On"
        return badge(f"{text}, and wrong", "bad") if wrong else badge(text, "good" if text == "On" else "warn")


# By the exit code that a task gives back.
RESULTS = {
    None: ("Done", "good"),
    0: ("Done", "good"),
    1: ("Some items failed", "bad"),
    3: ("Left out: another run was going on", "warn"),
}


def rule_in_words(schedule: Schedule) -> str:
    if schedule.schedule_type == Schedule.MINUTES:
        return f"Every {schedule.minutes or 1} minutes"
    return str(schedule.get_schedule_type_display())


def task_badge(page: str, task_id: str, text: str, tone: str) -> SafeString:
    url = reverse(f"admin:django_q_{page}_change", args=(task_id,))
    return format_html('<a href="{}">{}</a>', url, badge(text, tone))
