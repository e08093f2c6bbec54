"""The page where a person says which TMDb show a show is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog.admin import desk
from catalog.admin.author import author_of, posted_reason, refuse_without
from catalog.admin.merge_suspects import merge_url
from catalog.admin.text import queued_run
from catalog.edits import ChangedMeanwhile, version_of
from catalog.models import Show
from catalog.models.show import is_imdb_id
from ingestion.identify import (
    CantAsk,
    Card,
    card_of,
    card_of_row,
    holders_of,
    known_of,
    look_up,
    rejected_among,
    search,
    take_match,
)
from ingestion.matching import Known
from ingestion.references import Reference, parse_reference, reference_problem
from ingestion.shapes import MAX_ID


class SearchForm(forms.Form):
    """What is asked of TMDb: a pasted reference, or else a name and a year."""

    name = forms.CharField(max_length=200, required=False, strip=True)
    year = forms.IntegerField(min_value=1900, max_value=2100, required=False)
    reference = forms.CharField(
        max_length=500, required=False, strip=True, label="or an id or address of TMDb or IMDb", help_text="of a series"
    )

    def clean_reference(self) -> Reference | None:
        text = self.cleaned_data["reference"]
        if not text:
            return None
        reference = parse_reference(text)
        if reference is None:
            raise ValidationError(reference_problem(text))
        return reference

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "reference" in data and not data["reference"] and not data.get("name") and "name" not in self.errors:
            self.add_error("name", "Type a name, or paste an id.")
        return data


@dataclass(slots=True)
class Found:
    """What a search brought: cards, or what is to be said instead."""

    cards: list[Card] = field(default_factory=list)
    note: str = ""
    problem: str = ""
    imdb_id: str = ""  # that was pasted: it becomes the show's with the choice
    is_stored: bool = False  # found by a sync, not by this search
    rejected: int = 0  # candidates that are left out: a person has said that they are others

    @property
    def knows_an_episode(self) -> bool:
        """Whether TMDb has the IMDb id as that of an episode."""
        return any(card.through_episode for card in self.cards)


def identify_urls(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    view = model_admin.admin_site.admin_view(partial(identify_page, model_admin))
    return [path("<uuid:show_id>/identify/", view, name="catalog_show_identify")]


def identify_url(show: Show) -> str:
    return reverse("admin:catalog_show_identify", args=(show.pk,))


desk.pages.append(identify_urls)
desk.buttons.append(desk.Button("Re-identify", identify_url, "catalog.change_show"))


def identify_page(model_admin: "ModelAdmin[Any]", request: HttpRequest, show_id: UUID) -> HttpResponse:
    refuse_without(request, "catalog.change_show")
    show = Show.objects.filter(pk=show_id).defer("tmdb_meta", "imdb_meta").first()
    if show is None:
        messages.error(request, "There is no such show, or somebody has deleted it.")
        return redirect("admin:catalog_show_changelist")
    if request.method == "POST":
        return pick(request, show)
    known = known_of(show)
    form = SearchForm(asked(request, show))
    found = find(show, known, form) if form.is_valid() else Found()
    if found.is_stored or not is_asked(request):
        leave_out_rejected(show, found)
    holders = {
        tmdb_id: held_by(holder, show)
        for tmdb_id, holder in holders_of(card.tmdb_id for card in found.cards).items()
        if holder.pk != show.pk
    }
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"Identify {show}",
        "content_title": f"Identify {show}",
        "model_admin": model_admin,  # with it, and without opts, the theme makes a heading of the title
        "show": show,
        "show_url": reverse("admin:catalog_show_change", args=(show.pk,)),
        "known": known,
        "networks": sorted(known.networks),
        "version": version_of(show.pk),
        "form": form,
        "found": found,
        "choices": [(card, holders.get(card.tmdb_id)) for card in found.cards],
    }
    return render(request, "ingestion/identify.html", context)


def asked(request: HttpRequest, show: Show) -> Mapping[str, Any]:
    """The search that the address names; of a page that is opened without one, that of the show itself."""
    if is_asked(request):
        return request.GET
    return {"name": show.name, "year": show.premiere_date.year if show.premiere_date else None}


def is_asked(request: HttpRequest) -> bool:
    return bool(request.GET.keys() & {"name", "year", "reference"})


def leave_out_rejected(show: Show, found: Found) -> None:
    """Of what nobody has searched for, takes away what was rejected for this show; a search finds it again."""
    rejected = rejected_among((show.pk, card.tmdb_id) for card in found.cards)
    kept = [card for card in found.cards if (show.pk, card.tmdb_id) not in rejected]
    found.cards, found.rejected = kept, len(found.cards) - len(kept)


def find(show: Show, known: Known, form: SearchForm) -> Found:
    reference = form.cleaned_data["reference"]
    try:
        if reference is not None:
            return found_by_reference(known, reference, form)
        name, year = form.cleaned_data["name"], form.cleaned_data["year"]
        cards = [card_of(candidate) for candidate in search(known, name, year)]
        if cards or year is None:
            return Found(cards, note="" if cards else f"TMDb knows no series “{name}”.")
        cards = [card_of(candidate) for candidate in search(known, name, None)]
        of_any = "; these are of any year" if cards else ", nor of any other year"
        return Found(cards, note=f"TMDb knows no series “{name}” of {year}{of_any}.")
    except CantAsk as error:
        stored = [card_of_row(row) for row in show.resolution_candidates.all()]
        return Found(stored, problem=str(error), is_stored=bool(stored))


def found_by_reference(known: Known, reference: Reference, form: SearchForm) -> Found:
    cards = [card_of(candidate) for candidate in look_up(known, reference)]
    if not cards and reference.tmdb_id is not None:
        form.add_error("reference", f"TMDb has no series {reference.tmdb_id}.")
    imdb_id = reference.imdb_id or ""
    return Found(cards, note="" if cards or not imdb_id else f"TMDb knows no series with {imdb_id}.", imdb_id=imdb_id)


# --- the choice


def pick(request: HttpRequest, show: Show) -> HttpResponse:
    """Gives the show the ids of the button that was pressed, and goes to its page; or says why not and comes back."""
    try:
        ids = chosen_ids(request.POST.get("pick", ""))
        version = int(request.POST.get("version", ""))
    except ValueError:
        messages.error(request, "Nothing was saved: the page is out of date.")
        return HttpResponseRedirect(request.get_full_path())
    author = author_of(request, posted_reason(request) or "identified by hand")
    try:
        change, run_id = take_match(show.pk, author, version=version, **ids)
    except ValidationError as error:
        messages.error(request, refusal(show, ids, error))
    except ChangedMeanwhile as error:
        who = ", ".join(sorted({c.user.get_username() if c.user else f"run {c.run_id}" for c in error.changes}))
        messages.error(request, f"Nothing was saved: its ids were changed meanwhile (by {who}). Look again.")
    except Show.DoesNotExist:
        messages.error(request, "Nothing was saved: somebody has deleted this show meanwhile.")
        return redirect("admin:catalog_show_changelist")
    else:
        words = " and ".join(f"{'TMDb' if name == 'tmdb_id' else 'IMDb'} {value}" for name, value in ids.items())
        kept = "is its match now, and locked" if change else "was its match already, and locked"
        queued = queued_run(request.user, run_id, "the show")
        messages.success(request, format_html("{} {}: no job changes it. {}", words, kept, queued))
        return redirect("admin:catalog_show_change", show.pk)
    return HttpResponseRedirect(request.get_full_path())


def chosen_ids(text: str) -> dict[str, Any]:
    """`32390 tt1720601`, or one of them alone. Raises ValueError for anything else."""
    ids: dict[str, Any] = {}
    for part in text.split():
        if is_imdb_id(part):
            ids["imdb_id"] = part
        elif part.isascii() and part.isdecimal() and 0 < int(part) <= MAX_ID:
            ids["tmdb_id"] = int(part)
        else:
            raise ValueError(part)
    if not ids:
        raise ValueError("nothing was chosen")
    return ids


def refusal(show: Show, ids: Mapping[str, Any], error: ValidationError) -> SafeString:
    """Why nothing was saved; an id that another show has leads to that show."""
    for name, value in ids.items():
        holder = Show.all_objects.filter(**{name: value}).exclude(pk=show.pk).only("name", "deleted_at").first()
        if holder is not None:
            label = "TMDb" if name == "tmdb_id" else "IMDb"
            return format_html("Nothing was saved: {} {} is already that of {}", label, value, held_by(holder, show))
    return format_html("Nothing was saved. {}", " ".join(error.messages))


def held_by(holder: Show, show: Show) -> SafeString:
    """The show that has an id which `show` would get, with a way to it and what can be done."""
    if holder.merged_into_id is not None:
        return format_html("{}, which was merged into another show.", holder)
    if holder.deleted_at is not None:
        return format_html("{}, which is in the trash.", holder)
    url = reverse("admin:catalog_show_change", args=(holder.pk,))
    return format_html(
        '<a class="review-link" href="{}">{}</a>. If they are one show, {}.', url, holder, merge_hint(holder, show)
    )


def merge_hint(holder: Show, show: Show) -> SafeString:
    """The one that has the id stays, the other goes into it."""
    return format_html('<a class="review-link" href="{}">merge them</a>', merge_url(holder.pk, show.pk))
