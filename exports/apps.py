from django.apps import AppConfig
from django.conf import settings


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = "Exports"

    def ready(self) -> None:
        from catalog import alarms, queued, retention
        from catalog.planned import Planned, planned
        from exports import problems, runs

        queued.ringers.append(runs.ring_again)
        retention.droppable.append(runs.old_runs)
        alarms.finders.append(problems.find_problems)
        if settings.SPREADSHEET_ID:
            task = "exports.tasks.publish"
            planned.append(Planned("Google Sheets, nightly", task, "Publish the tabs to Google Sheets", "0 6 * * *"))
