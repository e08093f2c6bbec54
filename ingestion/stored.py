"""What the database holds about a batch of shows, read in a constant number of queries."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from catalog.models import Network, ProductionCompany, Show, ShowNetwork, ShowProductionCompany, WatchProvider
from ingestion.entities import entity_columns, load_entities, merge_entities, provider_columns, save_entities
from ingestion.links import OfferKey, OfferRow, links_by_show, offers_by_show
from ingestion.models import ResolutionCandidate, Stage, SyncState
from ingestion.outcomes import Fetched
from ingestion.records import EntityRecord, OfferRecord


class Stored:
    """The rows of a batch, its shows locked; the entities are already as the batch's replies describe them."""

    def __init__(self, fetched: Sequence[Fetched], now: datetime) -> None:
        ids = [one.show_id for one in fetched]
        # Locked in one order, so that two runs that meet wait for each other instead of deadlocking.
        rows = Show.objects.select_for_update().filter(pk__in=ids).defer("tmdb_meta", "imdb_meta").order_by("pk")
        self.shows: dict[UUID, Show] = {show.pk: show for show in rows}
        self.states: dict[tuple[UUID, str], SyncState] = {
            (state.show_id, state.stage): state for state in SyncState.objects.filter(show_id__in=ids)
        }
        self.with_candidates = set(
            ResolutionCandidate.objects.filter(show_id__in=ids).order_by().values_list("show_id", flat=True)
        )
        self._load_links(fetched, now)
        self._load_offers(fetched, now)
        self._load_holders(fetched)

    def _load_links(self, fetched: Sequence[Fetched], now: datetime) -> None:
        ids = [one.show_id for one in fetched if has_entities(one)]
        self.network_links: dict[UUID, list[ShowNetwork]] = {}
        self.company_links: dict[UUID, list[ShowProductionCompany]] = {}
        if ids:
            self.network_links = links_by_show(ShowNetwork, "network", ids)
            self.company_links = links_by_show(ShowProductionCompany, "company", ids)
        networks = entity_columns(entities_of(fetched, "networks"))
        companies = entity_columns(entities_of(fetched, "production_companies"))
        self.networks = load_entities(Network, networks)
        self.companies = load_entities(ProductionCompany, companies)
        self._network_rows = merge_entities(Network, networks, self.networks, now)
        self._company_rows = merge_entities(ProductionCompany, companies, self.companies, now)

    def _load_offers(self, fetched: Sequence[Fetched], now: datetime) -> None:
        with_offers = [one for one in fetched if offers_of(one) is not None]
        said = [offer for one in with_offers for offer in offers_of(one) or ()]
        self.offers: dict[UUID, dict[OfferKey, OfferRow]] = {}
        if with_offers:
            self.offers = offers_by_show([one.show_id for one in with_offers])
        ids = {offer.provider.provider_id for offer in said}
        ids |= {key[2] for offers in self.offers.values() for key in offers}
        self.providers = load_entities(WatchProvider, ids)
        self._provider_rows = merge_entities(WatchProvider, provider_columns(said, self.providers), self.providers, now)

    def _load_holders(self, fetched: Sequence[Fetched]) -> None:
        """Whose the ids already are that this batch would give to its shows."""
        tmdb_ids = {one.resolved.tmdb_id for one in fetched if one.resolved}
        imdb_ids = {
            one.record.external_ids.imdb_id
            for one in fetched
            if one.record and one.record.external_ids and (show := self.shows.get(one.show_id)) and not show.imdb_id
        } - {None}
        self.tmdb_holders: dict[int, Show] = {}
        self.imdb_holders: dict[str, Show] = {}
        if not tmdb_ids and not imdb_ids:
            return
        holders = Show.all_objects.filter(Q(tmdb_id__in=tmdb_ids) | Q(imdb_id__in=imdb_ids))  # the trash too
        for show in holders.only("name", "tmdb_id", "imdb_id").order_by():
            if show.tmdb_id is not None:
                self.tmdb_holders[show.tmdb_id] = show
            if show.imdb_id is not None:
                self.imdb_holders[show.imdb_id] = show

    def save_entities(self) -> None:
        names = ("name", "origin_country", "tmdb_logo_path", "tmdb_meta")
        save_entities(Network, *self._network_rows, names)
        save_entities(ProductionCompany, *self._company_rows, names)
        save_entities(WatchProvider, *self._provider_rows, ("provider_name", "tmdb_logo_path", "display_priority"))


def offers_of(fetched: Fetched) -> tuple[OfferRecord, ...] | None:
    """Where the show can be watched; None when that was not asked for, or nothing of the reply is to be saved."""
    if Stage.WATCH_PROVIDERS not in fetched.stages or fetched.problem is not None:
        return None
    if fetched.offers is not None:
        return fetched.offers
    return fetched.record.watch_providers if fetched.record else None


def entities_of(fetched: Iterable[Fetched], name: str) -> list[EntityRecord]:
    return [entity for one in fetched if has_entities(one) for entity in getattr(one.record, name)]


def has_entities(fetched: Fetched) -> bool:
    """Not of a show that failed: what the database refused of it may be an entity."""
    return fetched.record is not None and Stage.ENTITIES in fetched.stages and fetched.problem is None
