"""Which TMDb show is ours? Scored by name, year and network; a doubt is an editor's to settle.

An id alone proves nothing: hand-made lists give the IMDb id of Top Gear for The Real Housewives of New
Jersey. So even the single hit of `/find` must fit what is known of the show.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import SequenceMatcher

from ingestion.records import FoundShow, ShowRecord

# So that none of the three facts, where both sides have it, may contradict in a match that is taken unasked.
NAME_WEIGHT, YEAR_WEIGHT, NETWORK_WEIGHT = 0.55, 0.25, 0.2
ACCEPTED = 0.82  # score from which a match is taken without asking, if the name fits
LEAD = 0.1  # by which it must lead the next best
TYPO_LENGTH, TYPO_LIKENESS = 5, 0.8  # a word of so many letters may be misspelt by so much


@dataclass(frozen=True, slots=True)
class Known:
    """What we know of a show before it is matched; an empty set or None means that nothing is known."""

    name: str
    year: int | None = None
    networks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A TMDb show that might be ours. `networks` is None where the reply did not tell."""

    tmdb_id: int
    names: tuple[str, ...]
    first_air_date: date | None
    networks: tuple[str, ...] | None
    poster_path: str | None
    through_episode: bool
    name_fits: bool = False
    score: float = 0.0
    reasons: tuple[str, ...] = ()


def candidate_of_found(found: FoundShow) -> Candidate:
    return Candidate(
        tmdb_id=found.tmdb_id,
        names=distinct(name for name in (found.name, found.original_name) if name),
        first_air_date=found.first_air_date,
        networks=None,
        poster_path=found.poster_path,
        through_episode=found.through_episode,
    )


def with_record(candidate: Candidate, record: ShowRecord) -> Candidate:
    """The candidate with what its full reply adds: above all its networks."""
    return replace(
        candidate,
        names=distinct(name for name in (record.name, record.original_name) if name),
        first_air_date=record.first_air_date or candidate.first_air_date,
        networks=tuple(network.name for network in record.networks),
    )


def rank(known: Known, candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates with their scores and reasons, best first; equal scores by id, so that order is stable."""
    return sorted((score(known, candidate) for candidate in candidates), key=lambda c: (-c.score, c.tmdb_id))


def choose(ranked: Sequence[Candidate]) -> Candidate | None:
    """The one candidate that can be taken without asking; None when it is weak, tied, or known by an episode alone."""
    if not ranked or ranked[0].through_episode or not ranked[0].name_fits or ranked[0].score < ACCEPTED:
        return None
    if len(ranked) > 1 and ranked[0].score - ranked[1].score < LEAD:
        return None
    return ranked[0]


def score(known: Known, candidate: Candidate) -> Candidate:
    """`candidate` with a score from 0 to 1 over the facts that both sides have, and the reasons in words."""
    likeness = max((similarity(known.name, name) for name in candidate.names), default=0.0)
    parts, reasons, confirmed = [(NAME_WEIGHT, likeness)], [], False
    if known.year is not None and candidate.first_air_date is not None:
        distance = abs(known.year - candidate.first_air_date.year)
        # One year off is common: a premiere at the turn of the year, or a pilot shown early.
        parts.append((YEAR_WEIGHT, {0: 1.0, 1: 0.7}.get(distance, 0.0)))
        confirmed = distance <= 1
        reasons.append(f"first aired {candidate.first_air_date.year}, {'as' if not distance else 'not'} {known.year}")
    if known.networks and candidate.networks:
        shared = {simple(name) for name in known.networks} & {simple(name) for name in candidate.networks}
        parts.append((NETWORK_WEIGHT, 1.0 if shared else 0.0))
        confirmed = confirmed or bool(shared)
        reasons.append(
            f"on {', '.join(candidate.networks)}, {'as' if shared else 'not'} {', '.join(sorted(known.networks))}"
        )
    if candidate.through_episode:
        reasons.append("the IMDb id is that of one of its episodes")
    # A misspelt name needs another fact beside it: Iceland and Ireland are one letter apart.
    name_fits = any(same_name(known.name, name) for name in candidate.names) and (likeness == 1.0 or confirmed)
    reasons.insert(0, name_reason(known, candidate, name_fits))
    total = sum(weight * fit for weight, fit in parts) / sum(weight for weight, _ in parts)
    return replace(candidate, name_fits=name_fits, score=round(total, 3), reasons=tuple(reasons))


def name_reason(known: Known, candidate: Candidate, name_fits: bool) -> str:
    if not candidate.names:
        return "its name is not known"
    if name_fits:
        return f"named {next(name for name in candidate.names if same_name(known.name, name))!r}"
    return f"named {candidate.names[0]!r}, not {known.name!r}"


def same_name(ours: str, theirs: str) -> bool:
    """Whether two names are one but for spelling. A word more or less is another show of the franchise."""
    a, b = simple(ours).split(), simple(theirs).split()
    if not a or not b:
        return similarity(ours, theirs) == 1.0
    return len(a) == len(b) and all(map(same_word, a, b))


def same_word(a: str, b: str) -> bool:
    # Longer by more than a letter is another word: The Bachelorette is no misspelt The Bachelor.
    alike = min(len(a), len(b)) >= TYPO_LENGTH and abs(len(a) - len(b)) <= 1
    return a == b or (alike and a.isalpha() and b.isalpha() and similarity(a, b) >= TYPO_LIKENESS)


def similarity(ours: str, theirs: str) -> float:
    """How alike two names are, 0 to 1, without regard to case, accents, punctuation and a leading article."""
    a, b = simple(ours), simple(theirs)
    if not a or not b:
        # Names of signs alone, or none: only the very same text is a match.
        return float(bool(ours.strip()) and ours.strip().casefold() == theirs.strip().casefold())
    return 1.0 if a == b else ratio(a, b)


def ratio(a: str, b: str) -> float:
    first, second = sorted((a, b))  # SequenceMatcher's result depends on the order
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def simple(name: str) -> str:
    """`The Réal Housewives (2006)` -> `real housewives`."""
    text = unicodedata.normalize("NFKD", name).casefold()
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"\(\s*(19|20)\d\d\s*\)\s*$", "", text).replace("&", " and ")
    text = re.sub(r"['’`]", "", text)
    words = re.sub(r"[^\w]+", " ", text).replace("_", " ").split()
    if len(words) > 1 and words[0] in {"the", "a", "an"}:
        words = words[1:]
    return " ".join(words)


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
