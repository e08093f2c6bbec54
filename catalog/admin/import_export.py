"""The list of shows as a file, and a file as an import: uploaded, compared, confirmed, and applied as one batch.

django-import-export writes and reads the columns and the formats. Its own pages are not used: they save each row
past the history and the locks, and know nothing of what somebody else has changed meanwhile.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.text import Truncator

from catalog.admin import desk
from catalog.admin.author import refuse_without, user_of
from catalog.admin.drafts import ReasonForm, page, view
from catalog.admin.show_export import MAY_IMPORT, export
from catalog.admin.text import NOTHING
from catalog.batches import AT_ONCE, draft, submit
from catalog.changes import set_change
from catalog.file_formats import read_sheet
from catalog.file_headings import headings_of, printable
from catalog.models import Batch, Show
from catalog.sheet import MOST_ROWS, FileProblem
from catalog.show_import import compare
from catalog.show_resource import COLUMNS, READ_ONLY
from catalog.values import label

MOST_BYTES: Final = 20 * 2**20
MOST_FLAWS: Final = 1_000  # that are kept; all are counted
PER_PAGE: Final = 200  # shows of a preview
LONGEST: Final = 160  # characters of a value in it
CONTEXT: Final = 40  # of them before the first difference
GONE: Final = "This import is no longer there: a preview is kept for a day. Upload the file again."


class UploadForm(forms.Form):
    file = forms.FileField(
        label="CSV or XLSX file", widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}), max_length=200
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if file.size is None or file.size > MOST_BYTES:
            raise ValidationError(f"At most {MOST_BYTES // 2**20} MB. Split the file.")
        return file


def importer(request: HttpRequest) -> User:
    """Who is logged in, with the right to do this."""
    refuse_without(request, *MAY_IMPORT)
    return user_of(request)


def upload(model_admin: "ModelAdmin[Show]", request: HttpRequest) -> HttpResponse:
    """The first step. What it finds becomes a draft, which the preview shows and a click applies."""
    importer(request)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        try:
            batch = planned(request, form.cleaned_data["file"])
        except FileProblem as error:
            form.add_error("file", str(error))
        else:
            return redirect("admin:catalog_show_import_preview", batch.pk)
    return page(
        model_admin,
        request,
        "catalog/import.html",
        title="Import shows from a file",
        form=form,
        most_megabytes=MOST_BYTES // 2**20,
        most_rows=MOST_ROWS,
        may_add=request.user.has_perm("catalog.add_show"),
        columns=[(name, label(name)) for name in COLUMNS if name not in READ_ONLY and name != "version"],
        read_only=[label(name) for name in READ_ONLY],
    )


def planned(request: HttpRequest, file: UploadedFile) -> Batch:
    """A draft of what the file would change. Raises FileProblem."""
    sheet = read_sheet(file.read())
    headings = headings_of(sheet.header)
    found = compare(sheet, headings, may_add=request.user.has_perm("catalog.add_show"))
    if not found.rows:
        raise FileProblem("There are headings and no rows below them.")
    return draft(
        Batch.Kind.IMPORT,
        importer(request),
        found.edits,
        file=printable(file.name),
        rows=found.rows,
        unchanged=found.unchanged,
        new=found.new,
        bad=found.bad,
        flaws=[[flaw.row, flaw.column, flaw.value, flaw.reason] for flaw in found.flaws[:MOST_FLAWS]],
        flaw_count=len(found.flaws),
        conflicts=[[flaw.row, flaw.column, flaw.value, flaw.reason] for flaw in found.conflicts[:MOST_FLAWS]],
        conflict_count=len(found.conflicts),
        namesakes=found.namesakes,
        without_version="version" not in headings.places,
        unknown=[printable(text) for text in headings.unknown],
        read_only=[printable(text) for text in headings.read_only],
    )


def own_draft(request: HttpRequest, batch_id: UUID) -> Batch | HttpResponse:
    """The draft that this person uploaded; or where to go instead."""
    batch = Batch.objects.filter(pk=batch_id, kind=Batch.Kind.IMPORT, user=importer(request)).first()
    if batch is None:
        messages.error(request, GONE)
        return redirect("admin:catalog_show_import")
    if batch.status != Batch.Status.DRAFT:
        return redirect("admin:catalog_batch_change", batch.pk)
    return batch


def preview(
    model_admin: "ModelAdmin[Show]", request: HttpRequest, batch_id: UUID, reason: ReasonForm | None = None
) -> HttpResponse:
    batch = own_draft(request, batch_id)
    if isinstance(batch, HttpResponse):
        return batch
    plan = batch.plan
    shown = Paginator(plan["edits"], PER_PAGE).get_page(request.GET.get("page"))
    return page(
        model_admin,
        request,
        "catalog/import_preview.html",
        title=f"Import of {plan['file']}: preview",
        batch=batch,
        plan=plan,
        changed=batch.total - plan["new"],
        more_flaws=plan["flaw_count"] - len(plan["flaws"]),
        more_conflicts=plan["conflict_count"] - len(plan["conflicts"]),
        namesakes=plan["namesakes"][:MOST_FLAWS],
        more_namesakes=len(plan["namesakes"]) - MOST_FLAWS,
        edits=[(edit, differences(edit["shown"])) for edit in shown],
        shown=shown,
        pages=shown.paginator.get_elided_page_range(shown.number),
        reason=reason or ReasonForm(),
        in_background=batch.total > AT_ONCE,
        at_once=AT_ONCE,
        nothing=NOTHING,
    )


def confirm(model_admin: "ModelAdmin[Show]", request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Applies a draft, or throws it away."""
    batch = own_draft(request, batch_id)
    if isinstance(batch, HttpResponse):
        return batch
    drafts = Batch.objects.filter(pk=batch.pk, status=Batch.Status.DRAFT)
    if request.method == "POST" and "cancel" in request.POST:
        drafts.delete()
        messages.info(request, "The import was cancelled; nothing was changed.")
        return redirect("admin:catalog_show_import")
    reason = ReasonForm(request.POST)
    more = add_namesakes(batch) if "namesakes" in request.POST else {}
    if request.method != "POST" or not batch.total:
        return redirect("admin:catalog_show_import_preview", batch.pk)
    if not reason.is_valid():
        return preview(model_admin, request, batch_id, reason)
    if batch.plan["new"] and not request.user.has_perm("catalog.add_show"):
        raise PermissionDenied
    drafts.update(reason=reason.cleaned_data["reason"], **more)
    try:
        submit(batch)
    except Batch.DoesNotExist:
        messages.error(request, GONE)
        return redirect("admin:catalog_show_import")
    return redirect("admin:catalog_batch_change", batch.pk)


def add_namesakes(batch: Batch) -> dict[str, Any]:
    """Takes the rows that were held back for their names as new shows too; the columns that this leaves to save."""
    plan, held = batch.plan, batch.plan["namesakes"]
    batch.plan = plan | {"edits": plan["edits"] + held, "new": plan["new"] + len(held), "namesakes": []}
    batch.total = len(batch.plan["edits"])
    return {"plan": batch.plan, "total": batch.total}


# --- what a preview shows


def differences(shown: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Each field with what was added and removed, or before and after."""
    rows = []
    for name, (before, after) in shown.items():
        both = isinstance(before, list) and isinstance(after, list)
        change: dict[str, Any] | None = set_change(before, after) if both else None
        if change is None:
            old, new = told(before), told(after)
            change = {"before": around(old, new), "after": around(new, old)}
        rows.append({"label": label(name), **change})
    return rows


def told(value: Any) -> str:
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def around(text: str, other: str) -> str:
    """A long text from a little before the place where it differs from the other."""
    same = next((place for place, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), len(other))
    start = max(0, same - CONTEXT) if len(text) > LONGEST else 0
    return f"{'…' if start else ''}{Truncator(text[start:]).chars(LONGEST)}"


def urls(model_admin: "ModelAdmin[Show]") -> list[URLPattern]:
    return [
        path("export/", view(model_admin, export), name="catalog_show_export"),
        path("import/", view(model_admin, upload), name="catalog_show_import"),
        path("import/<uuid:batch_id>/", view(model_admin, preview), name="catalog_show_import_preview"),
        path("import/<uuid:batch_id>/confirm/", view(model_admin, confirm), name="catalog_show_import_confirm"),
    ]


desk.pages.append(urls)
