from typing import Any

import pytest
from django.template import Context, Template

from catalog.admin import paginator
from catalog.admin.paginator import BoundedPaginator, MoreThan
from catalog.models import Show

pytestmark = pytest.mark.django_db


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting stops at 10 already."""
    monkeypatch.setattr(paginator, "COUNTED", 10)


def make(number: int) -> None:
    Show.objects.bulk_create(Show(name=f"Show {n:03}", name_key=f"show {n:03}") for n in range(number))


@pytest.mark.parametrize(
    ("number", "said", "pages"),
    [(0, "0", 1), (9, "9", 3), (10, "10", 3), (11, "more than 10", 3), (40, "more than 10", 3)],
)
def test_a_count_is_exact_or_says_that_it_is_not(few: None, number: int, said: str, pages: int) -> None:
    make(number)

    counted = BoundedPaginator(Show.objects.order_by("name_key"), 4)

    assert str(counted.count) == said
    assert counted.num_pages == pages
    assert Template("{{ count }}").render(Context({"count": counted.count})) == said


def test_no_more_rows_are_looked_at_than_counted(few: None, django_assert_num_queries: Any) -> None:
    make(12)

    with django_assert_num_queries(1) as queries:
        assert BoundedPaginator(Show.objects.order_by("name_key"), 4).count == 10
    assert "LIMIT 11" in queries[0]["sql"]
    assert "ORDER BY" not in queries[0]["sql"]


def test_the_first_rows_can_be_paged_through_in_order(few: None) -> None:
    make(12)
    pages = BoundedPaginator(Show.objects.order_by("name_key"), 4)

    names = [show.name_key for number in pages.page_range for show in pages.page(number)]

    assert names == [f"show {n:03}" for n in range(10)]


def test_a_thousand_is_written_for_people() -> None:
    assert str(MoreThan(10_000)) == f"{MoreThan(10_000)}" == "more than 10,000"
    assert MoreThan(10_000) + 1 == 10_001


def test_a_list_is_counted_by_its_length() -> None:
    assert BoundedPaginator([1, 2, 3], 2).count == 3
