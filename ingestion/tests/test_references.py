import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.references import Reference, parse_reference, reference_problem
from ingestion.shapes import MAX_ID

REFERENCES = {
    "32390": Reference(tmdb_id=32390),
    "  32390\n": Reference(tmdb_id=32390),
    "https://www.themoviedb.org/tv/32390-the-real-housewives-of-beverly-hills": Reference(tmdb_id=32390),
    "https://www.themoviedb.org/tv/32390?language=de-DE": Reference(tmdb_id=32390),
    "https://www.themoviedb.org/tv/32390/season/3/episode/1": Reference(tmdb_id=32390),
    "https://www.themoviedb.org/tv/32390-rhobh/cast#top": Reference(tmdb_id=32390),
    "HTTPS://WWW.TheMovieDB.org/tv/32390": Reference(tmdb_id=32390),
    "http://themoviedb.org/tv/32390/": Reference(tmdb_id=32390),
    "themoviedb.org/tv/32390": Reference(tmdb_id=32390),
    "www.themoviedb.org/tv/32390-rhobh": Reference(tmdb_id=32390),
    "tt1720601": Reference(imdb_id="tt1720601"),
    "TT1720601": Reference(imdb_id="tt1720601"),
    "tt31234567": Reference(imdb_id="tt31234567"),
    "https://www.imdb.com/title/tt1720601/": Reference(imdb_id="tt1720601"),
    "https://m.imdb.com/title/tt1720601/?ref_=fn_al_tt_1": Reference(imdb_id="tt1720601"),
    "https://www.imdb.com/title/tt1720601/episodes/?season=3": Reference(imdb_id="tt1720601"),
    "https://www.imdb.com/de/title/tt1720601/": Reference(imdb_id="tt1720601"),
    "https://www.imdb.com/es-es/title/tt1720601/": Reference(imdb_id="tt1720601"),
    "imdb.com/title/tt1720601": Reference(imdb_id="tt1720601"),
}

NONE = [
    "",
    "   ",
    "0",
    "-1",
    "1.5",
    "1 2",
    "tt12",
    "tt" + "1" * 21,
    "https://www.imdb.com/title/tt" + "1" * 21,
    "nm0000001",
    "٣٢٣٩٠",
    str(MAX_ID + 1),
    "9" * 5000,
    "The Real Housewives",
    "https://www.themoviedb.org/movie/603-the-matrix",
    "https://www.themoviedb.org/person/6384-keanu-reeves",
    "https://www.themoviedb.org/tv",
    "https://www.themoviedb.org/tv/",
    "https://www.themoviedb.org/tv/name",
    "https://www.themoviedb.org/tv/0",
    "https://www.imdb.com/name/nm0000206/",
    "https://www.imdb.com/title/",
    "https://www.imdb.com/list/ls012345678/",
    "https://example.org/tv/32390",
    "https://example.org/themoviedb.org/tv/32390",
    "https://themoviedb.org.example.org/tv/32390",
    "https://example.org/?u=https://www.imdb.com/title/tt1720601/",
    "javascript://themoviedb.org/tv/32390",
    "ftp://themoviedb.org/tv/32390",
    "https://[themoviedb.org/tv/32390",
    "<script>alert(1)</script>",
    "\x00",
]


@pytest.mark.parametrize(("text", "reference"), REFERENCES.items())
def test_an_id_or_an_address_of_a_series_is_a_reference(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize("text", NONE)
def test_anything_else_is_none(text: str) -> None:
    assert parse_reference(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://www.themoviedb.org/movie/603-the-matrix", "This is a film on TMDb, not a series."),
        ("https://www.themoviedb.org/person/6384", "This is a person, not a series."),
        ("https://www.imdb.com/name/nm0000206/", "This is a person, not a series."),
        ("nm0000206", "This is a person, not a series."),
        ("Survivor", "This names no series of TMDb or IMDb."),
    ],
)
def test_what_is_none_is_explained(text: str, said: str) -> None:
    assert reference_problem(text).startswith(said)


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    reference = parse_reference(text)

    assert reference is None or (reference.tmdb_id is None) != (reference.imdb_id is None)
    assert "Paste" in reference_problem(text)


@given(st.integers(1, MAX_ID), st.text(st.characters(exclude_characters="/?#"), max_size=30))
def test_every_tmdb_id_is_read_back_from_its_address(tmdb_id: int, name: str) -> None:
    slug = "".join(letter for letter in name if letter.isprintable() and not letter.isspace())

    for text in (str(tmdb_id), f"https://www.themoviedb.org/tv/{tmdb_id}-{slug}"):
        assert parse_reference(text) == Reference(tmdb_id=tmdb_id)
