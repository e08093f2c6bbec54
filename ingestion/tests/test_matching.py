from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.matching import (
    Candidate,
    Known,
    candidate_of_found,
    choose,
    rank,
    same_name,
    score,
    similarity,
    simple,
    with_record,
)
from ingestion.records import FoundShow
from ingestion.tests.builders import BRAVO, make_candidate, make_record

pytestmark = pytest.mark.once

texts = st.text(max_size=30) | st.sampled_from(["The Voice", "the voice uk", "!!!", "", "Fiancé", "ı İ ß"])
candidates = st.builds(
    Candidate,
    tmdb_id=st.integers(1, 9),
    names=st.lists(texts, max_size=2).map(tuple),
    first_air_date=st.none() | st.dates(),
    networks=st.none() | st.lists(texts, max_size=2).map(tuple),
    poster_path=st.none(),
    through_episode=st.booleans(),
)
knowns = st.builds(
    Known, name=texts, year=st.none() | st.integers(1950, 2030), networks=st.frozensets(texts, max_size=2)
)


# --- names


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("90 Day Fiance", "90 Day Fiancé"),
        ("KEEPING UP WITH THE KARDASHIANS", "Keeping Up with the Kardashians"),
        ("RuPaul's Drag Race", "RuPaul’s Drag Race"),
        ("Rupauls Drag Race", "RuPaul's Drag Race"),
        ("Jon & Kate Plus 8", "Jon and Kate Plus 8"),
        ("The Real Housewives of Orange County", "Real Housewives of Orange County"),
        ("Big Brother (2000)", "Big Brother"),
        ("Married at First Sight: Australia", "Married At First Sight - Australia"),
        ("  Below  Deck ", "Below Deck"),
        ("Vanderpmp Rules", "Vanderpump Rules"),
        ("풍문으로", "풍문으로"),
        ("???", "???"),
    ],
)
def test_spelling_makes_no_other_name(ours: str, theirs: str) -> None:
    assert same_name(ours, theirs)
    assert same_name(theirs, ours)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("The Real Housewives of Beverly Hills", "The Real Housewives of Orange County"),
        ("RuPaul's Drag Race", "RuPaul's Drag Race UK"),
        ("RuPaul's Drag Race", "RuPaul's Drag Race All Stars"),
        ("Teen Mom 2", "Teen Mom 3"),
        ("Teen Mom", "Teen Mom 2"),
        ("The Voice", "The Voice UK"),
        ("The Bachelor", "The Bachelorette"),
        ("MasterChef Australia", "MasterChef Austria"),
        ("Below Deck", "Below Deck Mediterranean"),
        ("!!!", "???"),
        ("", ""),
    ],
)
def test_another_show_of_the_franchise_has_another_name(ours: str, theirs: str) -> None:
    assert not same_name(ours, theirs)
    assert not same_name(theirs, ours)


@given(ours=texts, theirs=texts)
def test_likeness_is_symmetric_and_within_its_range(ours: str, theirs: str) -> None:
    assert similarity(ours, theirs) == similarity(theirs, ours)
    assert 0.0 <= similarity(ours, theirs) <= 1.0


@given(name=st.text(min_size=1, max_size=30).filter(str.strip))
def test_a_name_is_itself(name: str) -> None:
    assert similarity(name, name) == 1.0
    assert same_name(name, name)


@given(name=texts)
def test_a_simple_name_has_no_stray_blanks(name: str) -> None:
    assert simple(name) == " ".join(simple(name).split())


# --- the mistakes that were found in hand-made lists (FACTS.md, section 13)


@pytest.mark.parametrize(
    ("ours", "our_year", "theirs", "their_year"),
    [
        ("The Real Housewives of New Jersey", 2009, "Top Gear", 2002),  # tt1628033
        ("The Real Housewives of New Jersey", 2009, "The Good Wife", 2009),  # tt1442462
        ("The Voice", 2011, "Person of Interest", 2011),  # tt1839578
        ("The Real Housewives of Salt Lake City", 2020, "Love Island", 2019),  # tt8819906
        ("The Real Housewives of Beverly Hills", 2010, "The Real Housewives of Orange County", 2006),
        ("RuPaul's Drag Race", 2009, "RuPaul's Drag Race UK", 2019),
        ("Teen Mom 2", 2011, "Teen Mom 3", 2013),
        ("The Voice", 2011, "The Voice UK", 2012),
        ("The Bachelor", 2003, "The Bachelorette", 2003),
    ],
)
@pytest.mark.parametrize("with_year", [True, False])
def test_a_wrong_id_is_not_believed(ours: str, our_year: int, theirs: str, their_year: int, with_year: bool) -> None:
    known = Known(ours, our_year if with_year else None)

    ranked = rank(known, [make_candidate(1, theirs, their_year)])

    assert choose(ranked) is None
    assert not ranked[0].name_fits
    assert f"named {theirs!r}, not {ours!r}" in ranked[0].reasons


@pytest.mark.parametrize("year", [2010, None])
def test_the_right_show_is_taken(year: int | None) -> None:
    known = Known("The Real Housewives of Beverly Hills", year)

    chosen = choose(rank(known, [make_candidate(32390, "The Real Housewives of Beverly Hills", 2010)]))

    assert chosen is not None
    assert (chosen.tmdb_id, chosen.score) == (32390, 1.0)


def test_shows_of_one_name_are_told_apart_by_year() -> None:
    hits = [make_candidate(1, "Love Island", 2015), make_candidate(2, "Love Island", 2019)]

    chosen = choose(rank(Known("Love Island", 2019), hits))

    assert chosen is not None
    assert chosen.tmdb_id == 2


def test_shows_of_one_name_and_year_are_told_apart_by_network() -> None:
    """Big Brother started in the USA and in the United Kingdom in July 2000."""
    known = Known("Big Brother", 2000, frozenset({"CBS"}))
    hits = [
        make_candidate(1, "Big Brother", 2000, networks=("Channel 4",)),
        make_candidate(2, "Big Brother", 2000, networks=("CBS",)),
    ]

    ranked = rank(known, hits)

    assert choose(rank(Known("Big Brother", 2000), hits)) is None
    assert choose(ranked) is ranked[0]
    assert ranked[0].tmdb_id == 2
    assert choose(rank(known, hits[:1])) is None


def test_a_tie_is_for_an_editor() -> None:
    hits = [make_candidate(9, "Big Brother"), make_candidate(3, "Big Brother")]

    ranked = rank(Known("Big Brother", 2000), hits)

    assert choose(ranked) is None
    assert [one.tmdb_id for one in ranked] == [3, 9]


def test_no_hit_is_no_choice() -> None:
    assert choose(rank(Known("Below Deck"), [])) is None


@pytest.mark.parametrize(
    ("distance", "taken"), [(0, True), (1, True), (-1, True), (2, False), (-2, False), (10, False)]
)
def test_a_year_may_be_off_by_one(distance: int, taken: bool) -> None:
    hit = make_candidate(1, "Below Deck", 2013 + distance)

    assert (choose(rank(Known("Below Deck", 2013), [hit])) is not None) == taken


@pytest.mark.parametrize(
    ("year", "networks", "taken"),
    [
        (2013, ("Bravo",), True),
        (2013, ("BRAVO", "Hayu"), True),
        (2014, ("Bravo",), True),
        (None, ("Bravo",), True),
        (2013, (), True),  # not known upstream
        (2013, None, True),  # not told
        (2013, ("HBO",), False),
        (2014, ("HBO",), False),
        (None, ("HBO",), False),
        (2020, ("Bravo",), False),
    ],
)
def test_the_network_has_a_say(year: int | None, networks: tuple[str, ...] | None, taken: bool) -> None:
    known = Known("Below Deck", 2013, frozenset({"Bravo"}))

    ranked = rank(known, [make_candidate(1, "Below Deck", year, networks=networks)])

    assert (choose(ranked) is not None) == taken


def test_an_episode_leads_to_a_candidate_that_is_never_taken() -> None:
    hit = candidate_of_found(FoundShow(1396, None, None, None, None, through_episode=True))
    named = with_record(hit, make_record(1396, name="Below Deck"))

    ranked = rank(Known("Below Deck", 2013), [hit])

    assert choose(ranked) is None
    assert ranked[0].reasons == ("its name is not known", "the IMDb id is that of one of its episodes")
    assert choose(rank(Known("Below Deck", 2013), [named])) is None


def test_the_original_name_counts_too_and_is_the_one_told() -> None:
    found = FoundShow(1, "Money Heist", "La casa de papel", date(2017, 5, 2), None, through_episode=False)

    chosen = choose(rank(Known("La Casa de Papel", 2017), [candidate_of_found(found)]))

    assert chosen is not None
    assert chosen.reasons[0] == "named 'La casa de papel'"


def test_reasons_are_in_words() -> None:
    known = Known("Below Deck", 2012, frozenset({"HBO", "Bravo"}))

    scored = score(known, make_candidate(1, "Below Deck", 2013, networks=("Bravo",)))

    assert scored.reasons == ("named 'Below Deck'", "first aired 2013, not 2012", "on Bravo, as Bravo, HBO")


def test_the_full_reply_adds_networks_to_a_candidate() -> None:
    record = make_record(1, name="Below Deck", first_air_date=None, networks=(BRAVO,))

    added = with_record(make_candidate(1, "Other", 2013), record)

    assert (added.names, added.networks, added.first_air_date) == (("Below Deck",), ("Bravo",), date(2013, 6, 1))


@given(known=knowns, candidate=candidates)
def test_a_score_is_within_its_range_and_has_reasons(known: Known, candidate: Candidate) -> None:
    scored = score(known, candidate)

    assert 0.0 <= scored.score <= 1.0
    assert scored.reasons
    assert all(reason.strip() for reason in scored.reasons)


@given(known=knowns, hits=st.lists(candidates, max_size=4))
def test_what_is_taken_fits_by_name_and_leads(known: Known, hits: list[Candidate]) -> None:
    ranked = rank(known, hits)
    chosen = choose(ranked)

    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    if chosen is not None:
        assert chosen is ranked[0]
        assert chosen.name_fits
        assert not chosen.through_episode


@pytest.mark.parametrize(
    ("known", "candidate", "taken"),
    [
        (Known("Ireland"), make_candidate(name="Iceland", year=2010), False),
        (Known("Below Dekc", year=2013), make_candidate(name="Below Deck", year=2013), False),
        (Known("Real Housewifes of Miami"), make_candidate(name="The Real Housewives of Miami"), False),
        (
            Known("Real Housewifes of Miami", year=2011),
            make_candidate(name="The Real Housewives of Miami", year=2011),
            True,
        ),
    ],
)
def test_a_misspelt_name_needs_another_fact_beside_it(known: Known, candidate: Candidate, taken: bool) -> None:
    assert (choose(rank(known, [candidate])) is not None) == taken
