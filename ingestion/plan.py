"""What is to be written for one show: a comparison of its reply with its rows, without a query."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from catalog.changes import set_change, value_change
from catalog.models import Show
from catalog.models.show import NAMES, search_keys
from ingestion.columns import show_columns
from ingestion.links import LinkWrites, diff_companies, diff_networks, diff_offers
from ingestion.merge import merge
from ingestion.models import ResolutionCandidate, Stage, SyncState
from ingestion.outcomes import Fetched, Outcome, Saved
from ingestion.stored import Stored, offers_of

STAGE_OF_SETS = {
    "networks": Stage.ENTITIES,
    "production_companies": Stage.ENTITIES,
    "watch_providers": Stage.WATCH_PROVIDERS,
}


@dataclass(slots=True)
class Plan:
    """The writes for one show. candidates: None leaves the stored ones as they are."""

    saved: Saved
    values: dict[str, Any] = field(default_factory=dict)
    networks: LinkWrites = field(default_factory=LinkWrites)
    companies: LinkWrites = field(default_factory=LinkWrites)
    offers: LinkWrites = field(default_factory=LinkWrites)
    states: list[SyncState] = field(default_factory=list)
    candidates: list[ResolutionCandidate] | None = None


def plan_show(fetched: Fetched, stored: Stored, now: datetime) -> Plan:
    show = stored.shows.get(fetched.show_id)
    if show is None:
        return Plan(Saved(fetched.show_id, fetched.name, Outcome.FAILED, "it was deleted while it was fetched"))
    problem, reason = problem_of(show, fetched, stored)
    if problem is not None:
        return plan_problem(show, fetched, stored, problem, reason)
    return plan_record(show, fetched, stored, now)


def problem_of(show: Show, fetched: Fetched, stored: Stored) -> tuple[Outcome | None, str]:
    """Why this show can't be saved, as the catalogue stands now."""
    if fetched.problem == Outcome.FAILED:
        return fetched.problem, fetched.reason
    # First: that the old id is gone, or could not be told, says nothing of the one that an editor has just set.
    asked_who = fetched.resolved is not None or fetched.problem == Outcome.UNRESOLVED
    decided = asked_who and (show.is_locked("tmdb_id") or show.imdb_id != fetched.imdb_id)
    if show.tmdb_id != fetched.tmdb_id or decided:
        return Outcome.FAILED, "its TMDb id was changed while it was fetched; the next run takes it"
    if fetched.problem is not None:
        return fetched.problem, fetched.reason
    if fetched.resolved:
        holder = stored.tmdb_holders.setdefault(fetched.resolved.tmdb_id, show)
        if holder.pk != show.pk:
            return (
                Outcome.UNRESOLVED,
                f"TMDb id {fetched.resolved.tmdb_id} is already that of {holder.name!r}: a duplicate?",
            )
    return None, ""


def plan_problem(show: Show, fetched: Fetched, stored: Stored, problem: Outcome, reason: str) -> Plan:
    """Keeps a failure, a show that is gone or one that waits for an editor; its data stays as it is."""
    values: dict[str, Any] = {}
    if problem in (Outcome.GONE, Outcome.UNRESOLVED) and not show.needs_tmdb_resolution:
        values["needs_tmdb_resolution"] = True
    plan = Plan(Saved(show.pk, show.name, problem, reason, columns_change(show, values)), values)
    if problem == Outcome.UNRESOLVED:
        plan.candidates = [candidate_row(show, fetched, candidate) for candidate in fetched.candidates]
    for stage in sorted(fetched.stages):
        state = next_state(show, stage, fetched, stored)
        state.status, state.last_error = str(problem), reason
        if problem in (Outcome.GONE, Outcome.UNRESOLVED):
            state.asked_for = fetched.imdb_id or ""
        before = stored.states.get((show.pk, stage))
        if problem == Outcome.GONE and before and before.status != SyncState.Status.GONE:
            state.attempts = 0  # tries that failed before it was gone must not make its next look-up a late one
        state.attempts += 1
        plan.states.append(state)
    return plan


def plan_record(show: Show, fetched: Fetched, stored: Stored, now: datetime) -> Plan:
    upstream = show_columns(show, fetched.record, fetched.stages) if fetched.record else {}
    current = {name: getattr(show, name) for name in upstream}
    merged = merge(upstream, current, show.locked_fields, show.upstream_values)
    values, beside = merged.values, merged.beside
    note = keep_taken_imdb_id_aside(show, stored, values, beside)
    if fetched.resolved:
        values["tmdb_id"] = fetched.resolved.tmdb_id
    values |= resolution_flags(show, fetched, values, beside)

    plan = Plan(Saved(show.pk, show.name, Outcome.UPDATED, note, told=frozenset(upstream)), values)
    changes = columns_change(show, values) | plan_links(plan, show, fetched, stored, now, beside)
    plan.saved.changes = changes
    plan.saved.outcome = Outcome.UPDATED if changes else Outcome.UNCHANGED
    plan.saved.blanked = blanked(show, values, plan, stored)
    if beside != show.upstream_values:
        values["upstream_values"] = beside
    if NAMES & values.keys():
        values |= search_keys(*(values.get(name, getattr(show, name)) for name in ("name", "tmdb_name", "imdb_title")))
    if show.pk in stored.with_candidates:
        plan.candidates = []  # it is settled, by this match or by an editor
    plan_states(plan, show, fetched, stored)
    return plan


def keep_taken_imdb_id_aside(show: Show, stored: Stored, values: dict[str, Any], beside: dict[str, Any]) -> str:
    """An IMDb id that another show has is not taken: one of the two is a duplicate, for an editor to see."""
    imdb_id = values.get("imdb_id")
    if imdb_id is None:
        return ""
    holder = stored.imdb_holders.setdefault(imdb_id, show)
    if holder.pk == show.pk:
        return ""
    del values["imdb_id"]
    beside["imdb_id"] = imdb_id
    return f"IMDb id {imdb_id} is already that of {holder.name!r}: a duplicate?"


def resolution_flags(show: Show, fetched: Fetched, values: dict[str, Any], beside: dict[str, Any]) -> dict[str, bool]:
    flags = {"needs_tmdb_resolution": False}
    if fetched.record and fetched.record.external_ids is not None:
        imdb_id = values.get("imdb_id", show.imdb_id)
        undecided = not show.is_locked("imdb_id")
        flags["needs_imdb_resolution"] = undecided and (imdb_id is None or "imdb_id" in beside)
    return {name: flag for name, flag in flags.items() if getattr(show, name) != flag}


def plan_links(
    plan: Plan, show: Show, fetched: Fetched, stored: Stored, now: datetime, beside: dict[str, Any]
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if fetched.record and Stage.ENTITIES in fetched.stages:
        changes["networks"] = diff_networks(
            show.pk,
            [network.id for network in fetched.record.networks],
            stored.network_links.get(show.pk, []),
            stored.networks,
            plan.networks,
            locked=show.is_locked("networks"),
        )
        if show.is_locked("networks"):
            said = [stored.networks[network.id] for network in fetched.record.networks]
            beside["networks"] = list(dict.fromkeys(network.merged_into_id or network.pk for network in said))
        if show.is_locked("production_companies"):
            beside["production_companies"] = list(dict.fromkeys(c.id for c in fetched.record.production_companies))
        changes["production_companies"] = diff_companies(
            show.pk,
            [company.id for company in fetched.record.production_companies],
            stored.company_links.get(show.pk, []),
            stored.companies,
            plan.companies,
            locked=show.is_locked("production_companies"),
        )
    offers = offers_of(fetched)
    if offers is not None and not show.is_locked("watch_providers"):
        state = stored.states.get((show.pk, Stage.WATCH_PROVIDERS))
        changes["watch_providers"] = diff_offers(
            show.pk,
            offers,
            stored.offers.get(show.pk, {}),
            stored.providers,
            state.last_success_at if state else None,
            now,
            plan.offers,
        )
    plan.saved.told |= changes.keys()
    return {name: change for name, change in changes.items() if change is not None}


def plan_states(plan: Plan, show: Show, fetched: Fetched, stored: Stored) -> None:
    stages = set(fetched.stages)
    tmdb_id = plan.values.get("tmdb_id", show.tmdb_id)
    if fetched.record and fetched.record.external_ids is not None:
        stages.add(Stage.RESOLVE)  # the same reply told the ids
    for stage in sorted(stages):
        state = next_state(show, stage, fetched, stored)
        state.status, state.last_error, state.attempts = SyncState.Status.OK, "", 0
        state.last_success_at, state.asked_for = fetched.at, str(tmdb_id)
        if stage == Stage.DETAILS and fetched.payload is not None:
            marker = reply_marker(fetched.payload)
            if marker != state.marker:
                state.marker = marker
                plan.values |= {"tmdb_meta": fetched.payload, "tmdb_fetched_at": fetched.at}
        plan.states.append(state)


def next_state(show: Show, stage: str, fetched: Fetched, stored: Stored) -> SyncState:
    """A copy of the stored state, without its key: states are upserted by (show, stage)."""
    before = stored.states.get((show.pk, stage))
    return SyncState(
        show_id=show.pk,
        stage=stage,
        attempted_at=fetched.at,
        last_success_at=before.last_success_at if before else None,
        marker=before.marker if before else "",
        asked_for=before.asked_for if before else "",
        attempts=before.attempts if before else 0,
    )


def candidate_row(show: Show, fetched: Fetched, candidate: Any) -> ResolutionCandidate:
    return ResolutionCandidate(
        show_id=show.pk,
        tmdb_id=candidate.tmdb_id,
        name=candidate.names[0] if candidate.names else None,
        first_air_date=candidate.first_air_date,
        networks=list(candidate.networks or ()),
        poster_path=candidate.poster_path,
        score=candidate.score,
        reasons=list(candidate.reasons),
        found_at=fetched.at,
    )


def columns_change(show: Show, values: dict[str, Any]) -> dict[str, Any]:
    """What a Change row says of the columns; lists as what was added and removed."""
    changes: dict[str, Any] = {}
    for name, after in values.items():
        before = getattr(show, name)
        change = set_change(before, after) if isinstance(before, list) and isinstance(after, list) else None
        changes[name] = change or value_change(before, after)
    return changes


def blanked(show: Show, values: dict[str, Any], plan: Plan, stored: Stored) -> tuple[str, ...]:
    """What the show would lose whole of what upstream told: columns that become empty, sets that lose all they had."""
    lost = [
        name
        for name, after in values.items()
        if after in (None, []) and getattr(show, name) not in (None, []) and name != "most_recent_episode_imdb_id"
    ]
    sets = (
        ("networks", plan.networks, stored.network_links),
        ("production_companies", plan.companies, stored.company_links),
        ("watch_providers", plan.offers, stored.offers),
    )
    for name, writes, links in sets:
        if writes.deleted and not writes.created and len(writes.deleted) == len(links.get(show.pk, ())):
            lost.append(name)
    return tuple(name for name in lost if was_told(name, show, stored))


def was_told(name: str, show: Show, stored: Stored) -> bool:
    """Whether upstream was asked for it before. What a file brought instead is no loss of upstream's."""
    stage = STAGE_OF_SETS.get(name, Stage.DETAILS)
    state = stored.states.get((show.pk, stage))
    asked = state is not None and state.last_success_at is not None
    return asked or (stage == Stage.DETAILS and show.tmdb_fetched_at is not None)


def reply_marker(payload: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
