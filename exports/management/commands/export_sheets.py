import json
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.alarms import problems_told
from exports.export import export_tabs
from exports.options import Format, Options, check
from exports.report import Report, TextReporter
from exports.runs import AlreadyRunning
from exports.tabs import TABS
from trr_site.command_line import check_database, one_line_errors, positive, signals_as_event


class Command(BaseCommand):
    help = (
        "Write the tabs of the workbook: to Google Sheets, each in one step, so that its readers see the old rows or "
        "the new ones and never a half; or as CSV or XLSX. Nothing is sent where nothing has changed. Shows with the "
        "override SKIP are left out."
    )
    requires_system_checks = []  # what this needs is checked below, with exit code 2

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_argument_group("what")
        what.add_argument("--tabs", type=names, metavar="A,B", help=f"which tabs; without it all: {', '.join(TABS)}")
        what.add_argument(
            "--filter",
            metavar="SLUG",
            help="the shows of this saved view alone; on Google they get a tab of their own, like “ShowInfo SLUG”",
        )
        what.add_argument("--columns", type=names, metavar="A,B", help="these columns alone; likewise a tab of its own")
        what.add_argument("--restore", type=positive, metavar="N", help="publish again what export N has published")
        how = parser.add_argument_group("how")
        how.add_argument("--format", choices=Format.values, default=Format.GOOGLE.value, help="default: google")
        how.add_argument(
            "--out",
            type=Path,
            metavar="PATH",
            help="the folder or file for CSV and XLSX; else the current folder",
        )
        how.add_argument("--dry-run", action="store_true", help="write nothing; say which rows would change, by key")
        how.add_argument("--force", action="store_true", help="publish also where more than 30%% of a tab's rows go")
        how.add_argument(
            "--legacy",
            action="store_true",
            help="CSV and XLSX with cells exactly as they are: no apostrophe before a text that begins like a formula",
        )
        how.add_argument("--json", action="store_true", help="the closing report as one JSON object on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        check_usage(options)
        check_database()
        chosen = chosen_options(options)
        with problems_told(dry_run=options["dry_run"]):
            with one_line_errors(), signals_as_event() as stop:
                # With --json stdout holds the one object and nothing else.
                out = self.stderr if options["json"] else self.stdout
                try:
                    report = export_tabs(
                        chosen,
                        out=options["out"],
                        legacy=options["legacy"],
                        dry_run=options["dry_run"],
                        reporter=TextReporter(out, verbosity=options["verbosity"]),
                        stop=stop,
                    )
                except ImproperlyConfigured as error:
                    raise CommandError(str(error), returncode=2) from None
                except AlreadyRunning as error:
                    raise CommandError(str(error), returncode=3) from None
            self.close(report, as_object=options["json"])

    def close(self, report: Report, *, as_object: bool) -> None:
        if as_object:
            self.stdout.write(json.dumps(report.as_json()))
        if report.exit_code:
            words = [*(tab.error or tab.guard for tab in report.tabs), report.error]
            raise CommandError("\n".join(dict.fromkeys(filter(None, words))), returncode=report.exit_code)


def names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def check_usage(options: dict[str, Any]) -> None:
    """Raises CommandError for options that exclude each other."""
    is_google = options["format"] == Format.GOOGLE
    problem = ""
    given = {name: options[name] for name in ("filter", "columns") if options[name] is not None}
    if empty := [name for name, value in given.items() if not "".join(value).strip()]:
        problem = f"--{empty[0]} names nothing: leave it out for all"  # a script's variable that holds nothing
    elif is_google and options["out"] is not None:
        problem = "--out is for --format csv and xlsx"
    elif is_google and options["legacy"]:
        problem = "--legacy is for --format csv and xlsx: Google Sheets gets every text as it is"
    elif not is_google and options["force"]:
        problem = "--force is for --format google"
    elif options["restore"] and not is_google:
        problem = "--restore publishes to Google Sheets: it goes without --format"
    elif options["restore"] and any(options[name] is not None for name in ("tabs", "filter", "columns")):
        problem = "--restore goes without --tabs, --filter and --columns: it publishes what was published then"
    if problem:
        raise CommandError(problem, returncode=2)


def chosen_options(options: dict[str, Any]) -> Options:
    """Raises CommandError for a tab, a view or a column that there is not."""
    chosen = Options(
        format=options["format"],
        tabs=tuple(TABS) if options["tabs"] is None else options["tabs"],
        view=options["filter"] or "",
        columns=options["columns"] or (),
        force=options["force"],
        restore=options["restore"],
    )
    try:
        if chosen.restore is None:
            check(chosen)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages), returncode=2) from None
    return chosen
