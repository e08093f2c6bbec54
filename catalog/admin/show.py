"""Shows in admin: every write goes through catalog.edits, so it locks, and leaves a Change."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django_q.tasks import async_task

from catalog.admin.filters import GoneFilter, LockedFilter, OverrideFilter
from catalog.admin.show_form import ShowForm
from catalog.admin.text import history, label, short, table
from catalog.changes import Author
from catalog.edits import create_show, decide_no_match, delete_show, edit_show, unlock_show
from catalog.locks import LOCKABLE_RELATIONS
from catalog.models import Change, Show, ShowNetwork

if TYPE_CHECKING:
    ShowModelAdmin = admin.ModelAdmin[Show]
else:
    ShowModelAdmin = admin.ModelAdmin

HISTORY_LENGTH = 20
OFFERS_SHOWN = 200
SYNC_TASK = "ingestion.tasks.sync_shows"  # by its name: the catalogue does not import the other apps


def author_of(request: HttpRequest) -> Author:
    if not request.user.is_authenticated:
        raise PermissionError("nobody is logged in")
    return Author(user=request.user)


@admin.register(Show)
class ShowAdmin(ShowModelAdmin):
    form = ShowForm
    list_display = (
        "name",
        "network_names",
        "tmdb_status",
        "show_total_seasons",
        "show_total_episodes",
        "imdb_id",
        "tmdb_id",
        "override",
        "needs_tmdb_resolution",
        "needs_imdb_resolution",
        "updated_at",
    )
    list_filter = (
        "needs_tmdb_resolution",
        "needs_imdb_resolution",
        GoneFilter,
        LockedFilter,
        OverrideFilter,
        "tmdb_status",
        ("networks", admin.RelatedOnlyFieldListFilter),
    )
    search_fields = ("name", "^imdb_id", "tmdb_id__exact")
    search_help_text = "Name, IMDb id or its beginning, TMDb id."
    list_per_page = 100
    show_full_result_count = False
    save_on_top = True
    actions = ("sync_now", "unlock_all", "decide_no_matches")
    readonly_fields = (
        "locked",
        "needs_tmdb_resolution",  # the sync's own, derived from the ids
        "needs_imdb_resolution",
        "network_names",
        "company_names",
        "where_to_watch",
        "most_recent_episode",
        "changes",
        "tmdb_vote_average",
        "tmdb_vote_count",
        "tmdb_popularity",
        "tmdb_fetched_at",
        "imdb_fetched_at",
        "created_at",
        "updated_at",
    )
    fieldsets = (
        (None, {"fields": ("name", "description", "premiere_date", "override")}),
        ("Locked against syncs", {"fields": ("locked", "unlock")}),
        ("Match", {"fields": ("imdb_id", "needs_imdb_resolution", "tmdb_id", "needs_tmdb_resolution")}),
        (
            "Other ids",
            {
                "classes": ("collapse",),
                "fields": ("tvdb_id", "wikidata_id", "facebook_id", "instagram_id", "twitter_id"),
            },
        ),
        ("Lists", {"fields": ("genres", "keywords", "tags", "listed_on")}),
        ("Made and shown by", {"fields": ("network_names", "company_names", "where_to_watch")}),
        (
            "Episodes",
            {
                "fields": (
                    "most_recent_episode",
                    ("show_total_seasons", "show_total_episodes"),
                    ("most_recent_episode_season", "most_recent_episode_number"),
                    "most_recent_episode_title",
                    "most_recent_episode_air_date",
                    "most_recent_episode_imdb_id",
                )
            },
        ),
        (
            "TMDb",
            {
                "classes": ("collapse",),
                "fields": (
                    ("tmdb_name", "tmdb_status", "tmdb_type"),
                    ("tmdb_first_air_date", "tmdb_last_air_date"),
                    ("tmdb_vote_average", "tmdb_vote_count", "tmdb_popularity"),
                    "tmdb_fetched_at",
                ),
            },
        ),
        (
            "IMDb",
            {
                "classes": ("collapse",),
                "fields": (
                    ("imdb_title", "imdb_content_rating"),
                    ("imdb_rating_value", "imdb_rating_count"),
                    ("imdb_date_published", "imdb_end_year"),
                    "imdb_fetched_at",
                ),
            },
        ),
        ("History", {"fields": ("changes", ("created_at", "updated_at"))}),
    )

    # --- what is shown

    def get_fieldsets(self, request: HttpRequest, obj: Show | None = None) -> Any:
        """A new show has no locks, links or history yet."""
        later = {"Locked against syncs", "Made and shown by", "History"}
        return [part for part in self.fieldsets if obj is not None or part[0] not in later]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Show]:
        networks = ShowNetwork.objects.select_related("network").only(
            "show_id", "position", "network__name", "network__id"
        )
        # The raw replies are up to 100 kB each and no page shows them.
        return (
            super()
            .get_queryset(request)
            .defer("tmdb_meta", "imdb_meta")
            .prefetch_related(Prefetch("show_networks", queryset=networks))
        )

    @admin.display(description="networks")
    def network_names(self, show: Show) -> str:
        return ", ".join(str(link.network) for link in show.show_networks.all())

    @admin.display(description="production companies")
    def company_names(self, show: Show) -> str:
        return ", ".join(str(link.company) for link in show.show_companies.select_related("company"))

    @admin.display(description="where to watch")
    def where_to_watch(self, show: Show) -> str:
        offers = list(show.watch_providers.select_related("provider")[: OFFERS_SHOWN + 1])
        groups: dict[tuple[str, str], list[str]] = {}
        for offer in offers[:OFFERS_SHOWN]:
            groups.setdefault((offer.region, offer.offer_type), []).append(str(offer.provider))
        rows = [(region, kind, ", ".join(names)) for (region, kind), names in groups.items()]
        if len(offers) > OFFERS_SHOWN:
            rows.append(("...", "", f"the first {OFFERS_SHOWN} are shown"))
        return table(("Region", "How", "On"), rows) if rows else ""

    @admin.display(description="locked fields")
    def locked(self, show: Show) -> str:
        def upstream(name: str) -> str:
            if name in LOCKABLE_RELATIONS:
                return "comes back with the next sync"
            if name not in show.upstream_values:
                return "nothing yet"
            return f"TMDb says: {short(show.upstream_values[name])}"

        def ours(name: str) -> str:
            return "" if name in LOCKABLE_RELATIONS else short(getattr(show, name))

        rows = [(label(name), ours(name), upstream(name)) for name in show.locked_fields]
        return table(("Field", "Ours", "Upstream"), rows) if rows else "None: syncs keep every field up to date."

    @admin.display(description="changes")
    def changes(self, show: Show) -> str:
        newest = Change.objects.filter(show_id=show.pk, volatile=False).select_related("user")[:HISTORY_LENGTH]
        return format_html(
            '{}<p><a href="{}?show__id__exact={}">All changes</a></p>',
            history(newest),
            reverse("admin:catalog_change_changelist"),
            show.pk,
        )

    # --- what is written

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Turns what only the save itself can find (another editor or a sync was quicker) into a message."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ValidationError as error:
            self.message_user(request, f"Nothing was saved. {' '.join(error.messages)}", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        except Show.DoesNotExist:
            self.message_user(request, "Somebody has deleted this show meanwhile.", messages.ERROR)
            return redirect("admin:catalog_show_changelist")

    def save_model(self, request: HttpRequest, obj: Show, form: Any, change: bool) -> None:
        values, unlocked = form.edited_values(), form.cleaned_data.get("unlock") or []
        if change:
            edit_show(obj.pk, values, author_of(request))
            unlock_show(obj.pk, unlocked, author_of(request))
        else:
            obj.pk = create_show(values, author_of(request)).pk
        obj.refresh_from_db()

    def delete_model(self, request: HttpRequest, obj: Show) -> None:
        delete_show(obj.pk, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Show]) -> None:
        with transaction.atomic():
            for pk in queryset.order_by("pk").values_list("pk", flat=True):
                delete_show(pk, author_of(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Names the shows alone: a show has thousands of offers, and they go with it without a question."""
        shows = list(objs)
        missing = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return [str(show) for show in shows], {self.opts.verbose_name_plural: len(shows)}, missing, []

    # Change is the one history: admin's own log would be a second one that knows no values.
    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        return None

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        return None

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        return None

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect(f"{reverse('admin:catalog_change_changelist')}?show__id__exact={object_id}")

    # --- actions

    @admin.action(description="Sync now", permissions=["change"])
    def sync_now(self, request: HttpRequest, queryset: QuerySet[Show]) -> None:
        show_ids = [str(pk) for pk in queryset.order_by("pk").values_list("pk", flat=True)]
        transaction.on_commit(partial(async_task, SYNC_TASK, show_ids=show_ids, user_id=request.user.pk))
        self.message_user(request, f"The sync of {counted(len(show_ids))} is queued.")

    @admin.action(description="Unlock: take TMDb's values back", permissions=["change"])
    def unlock_all(self, request: HttpRequest, queryset: QuerySet[Show]) -> None:
        locked = {show.pk: show.locked_fields for show in queryset}
        done = self.for_each(request, queryset, lambda show: unlock_show(show.pk, locked[show.pk], author_of(request)))
        self.message_user(request, f"{counted(done)} unlocked.")

    @admin.action(description="No match on TMDb: decided", permissions=["change"])
    def decide_no_matches(self, request: HttpRequest, queryset: QuerySet[Show]) -> None:
        done = self.for_each(request, queryset, lambda show: decide_no_match(show.pk, author_of(request)))
        self.message_user(request, f"{counted(done)} decided to have no match on TMDb.")

    def for_each(
        self, request: HttpRequest, shows: Sequence[Show] | QuerySet[Show], act: Callable[[Show], Change | None]
    ) -> int:
        """Acts on each show in its own transaction; how many changed. What fails is told and stops no other."""
        done = 0
        for show in shows:
            try:
                done += act(show) is not None
            except ValidationError as error:
                self.message_user(request, f"{show}: {' '.join(error.messages)}", messages.ERROR)
            except Show.DoesNotExist:
                self.message_user(request, f"{show}: somebody has deleted it meanwhile.", messages.ERROR)
        return done


def counted(number: int) -> str:
    return f"{number} show{'' if number == 1 else 's'}"
