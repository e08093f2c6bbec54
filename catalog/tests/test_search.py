import unicodedata

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import Show
from catalog.models.show import search_keys
from catalog.search import name_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("The Real Housewives of Beverly Hills", "the real housewives of beverly hills"),
        ("  L'Île  de la\tTentation ", "l'ile de la tentation"),
        ("¿Quién es la máscara?", "¿quien es la mascara?"),
        ("STRASSE Straße", "strasse strasse"),
        ("90\u2019s", "90\u2019s"),
        ("\u0301", "\u0301"),
    ],
)
def test_a_name_is_searched_without_case_accents_and_doubled_blanks(name: str, key: str) -> None:
    assert name_key(name) == key


@given(st.text())
def test_a_key_is_stable_and_never_lost(text: str) -> None:
    key = name_key(text)

    assert bool(key) == bool(text)
    assert name_key(key) == key or not any(not unicodedata.combining(c) for c in unicodedata.normalize("NFKD", text))


def test_aliases_are_the_other_names_once() -> None:
    keys = search_keys("Top Model", "TOP MÓDEL", "America's Next Top Model")

    assert keys == {"name_key": "top model", "alias_keys": "america's next top model"}
    assert search_keys("A", None, None)["alias_keys"] == ""


@pytest.mark.django_db
def test_every_way_of_writing_a_name_keeps_the_keys_true(author: Author) -> None:
    saved = Show.objects.create(name="Ça", tmdb_name="That")
    Show.objects.bulk_create([Show(name="Été", tmdb_id=7)])
    edit_show(saved.pk, {"name": "Ici", "imdb_title": "Élan"}, author)
    saved.refresh_from_db()
    saved.tmdb_name = "Là"
    saved.save(update_fields=["tmdb_name"])

    assert list(Show.objects.order_by("name_key").values_list("name_key", "alias_keys")) == [
        ("ete", ""),
        ("ici", "la\nelan"),
    ]


@pytest.mark.django_db
def test_an_update_that_forgets_the_key_is_refused_by_the_database(show: Show) -> None:
    with pytest.raises(IntegrityError, match="show_name_key_is_set"), transaction.atomic():
        Show.objects.update(name_key="")
