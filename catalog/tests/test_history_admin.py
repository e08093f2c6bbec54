from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from catalog import revert_scope
from catalog.changes import Author
from catalog.edits import create_show, edit_show
from catalog.merging import merge_shows
from catalog.models import Batch, Change, Network, Show, ShowNetwork
from catalog.trash import comment_on_show, delete_show

pytestmark = pytest.mark.django_db

HISTORY = "/admin/catalog/change/"
EVIL = "<script>alert(1)</script>"


def found(desk: Client, query: str) -> list[int]:
    page = desk.get(f"{HISTORY}?{query}")
    assert page.status_code == 200
    return [change.pk for change in page.context["cl"].result_list]


def text_of(page: Any) -> str:
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def of_run(show: Show, run_id: int = 7, **fields: Any) -> Change:
    Show.objects.filter(pk=show.pk).update(**{name: value[1] for name, value in fields.items()})
    return Change.objects.create(show=show, kind="updated", run_id=run_id, fields=fields)


def log_in(client: Client, django_user_model: Any, *codenames: str) -> None:
    user = django_user_model.objects.create_user("somebody", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)


# --- the list


def test_a_row_says_what_was_before_and_after_by_whom_and_why(desk: Client, show: Show, author: Author) -> None:
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user)
    values = {"name": EVIL, "genres": ["Drama"], "description": "x" * 500}
    edit_show(show.pk, values, Author(user=author.user, reason="a <b>slip</b>", batch_id=batch.pk))

    text = text_of(desk.get(HISTORY))

    assert EVIL not in text
    assert "<b>slip" not in text
    assert "a &lt;b&gt;slip&lt;/b&gt;" in text
    assert '<del class="desk-before">Below Deck</del>' in text
    assert '<ins class="desk-after">&lt;script&gt;alert(1)&lt;/script&gt;</ins>' in text
    assert "+ Drama</ins>" in text
    assert '<del class="desk-before">Reality</del>' in text
    assert "x" * 100 not in text
    assert ">bulk edit</a>" in text
    assert reverse("admin:catalog_show_change", args=(show.pk,)) in text


def test_a_change_of_a_run_leads_to_its_page(desk: Client, show: Show) -> None:
    of_run(show, name=["Old", "New"])

    assert reverse("admin:ingestion_syncrun_change", args=(7,)) in text_of(desk.get(HISTORY))


def test_a_comment_is_shown_where_changes_are(desk: Client, show: Show, author: Author) -> None:
    comment = comment_on_show(show.pk, f"Look: {EVIL}\nand here", author)

    text = text_of(desk.get(HISTORY))

    assert "Look: &lt;script&gt;alert(1)&lt;/script&gt;<br>and here" in text
    assert reverse("admin:catalog_change_revert", args=(comment.pk,)) not in text


def test_a_deleted_show_keeps_its_name_and_page_and_one_that_is_gone_its_name(
    desk: Client, show: Show, author: Author
) -> None:
    delete_show(show.pk, author)
    gone = Show.objects.create(name="Gone")
    of_run(gone, name=["Once", "Gone"])
    Show.all_objects.filter(pk=gone.pk).delete()

    text = text_of(desk.get(HISTORY))

    assert "Below Deck (deleted)</a>" in text
    assert "Once (gone for good)" in text


@pytest.mark.parametrize("number", [1, 100])
def test_the_list_costs_the_same_few_queries_however_long(
    desk: Client, author: Author, number: int, django_assert_max_num_queries: Any
) -> None:
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user)
    for index in range(number):
        show = create_show({"name": f"Show {index}"}, Author(user=author.user, batch_id=batch.pk))
        of_run(show, description=["a", "b"])
    desk.get(HISTORY)

    with django_assert_max_num_queries(12) as queries:
        assert len(desk.get(HISTORY).context["cl"].result_list) == min(100, 2 * number)
    assert len(queries) <= 8


def test_filters_find_by_author_run_batch_field_kind_day_and_show(desk: Client, show: Show, author: Author) -> None:
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user)
    edit = edit_show(show.pk, {"name": "Mine"}, Author(user=author.user, batch_id=batch.pk))
    run = of_run(show, description=["a", "b"])
    other = create_show({"name": "Other"}, author)
    created = Change.objects.latest("id")
    figures = Change.objects.create(
        show=show, kind="updated", run_id=8, fields={"tmdb_popularity": [1, 2]}, volatile=True
    )
    Change.objects.filter(pk=edit.pk).update(ts=datetime(2026, 1, 31, 23, 59, tzinfo=UTC))
    Change.objects.exclude(pk=edit.pk).update(ts=datetime(2026, 2, 1, tzinfo=UTC))
    every = [created.pk, run.pk, edit.pk]

    for query, expected in {
        "": every,
        "user__id__exact=people": [created.pk, edit.pk],
        "user__id__exact=jobs": [run.pk],
        f"user__id__exact={author.user.pk}": [created.pk, edit.pk],
        "run_id=7": [run.pk],
        "run_id=8": [],
        "run_id=8&volatile=all": [figures.pk],
        f"batch__id__exact={batch.pk}": [edit.pk],
        f"show__id__exact={other.pk}": [created.pk],
        "field=description": [run.pk],
        "field=locked_fields": [created.pk, edit.pk],
        "field=nonsense": [],
        "kind__exact=created": [created.pk],
        "kind__exact=nonsense": every,
        "ts_from=2026-02-01": [created.pk, run.pk],
        "ts_to=2026-01-31": [edit.pk],
        "ts_from=2026-01-31&ts_to=2026-02-01": every,
        "ts_from=whenever": every,
        "volatile=only": [figures.pk],
        "q=mine": [run.pk, edit.pk],
        "q=M%C3%ADNE": [run.pk, edit.pk],
        "q=editor": [created.pk, edit.pk],
        "field=name&user__id__exact=people&kind__exact=updated": [edit.pk],
        "p=99": every,
    }.items():
        assert found(desk, query) == expected, query


@pytest.mark.parametrize(
    "query",
    [
        "run_id=x",
        "run_id=-1",
        f"run_id={2**63}",
        "run_id=7%00",
        "batch__id__exact=x",
        "show__id__exact=%27",
        "user__id__exact=x",
        f"user__id__exact={2**64}",
    ],
)
def test_what_no_id_can_be_finds_nothing_and_says_so(desk: Client, show: Show, query: str) -> None:
    of_run(show, name=["Old", "New"])

    page = desk.get(f"{HISTORY}?{query}")

    assert list(page.context["cl"].result_list) == []
    assert "so nothing is found" in " ".join(str(message) for message in page.context["messages"])


@pytest.mark.parametrize("query", ["field=%00", "q=%00", "q=%27%22%25", "kind__exact=%00", "volatile=%00", "ts_to=%00"])
def test_odd_parameters_are_no_error(desk: Client, show: Show, query: str) -> None:
    assert desk.get(f"{HISTORY}?{query}").status_code == 200


def test_a_reason_is_searched(desk: Client, show: Show, author: Author) -> None:
    change = edit_show(show.pk, {"tags": ["a"]}, Author(user=author.user, reason="asked by Bravo"))

    assert found(desk, "q=by+bravo") == [change.pk]


# --- the page of a change


def test_the_page_of_a_change_tells_all_and_leads_on(desk: Client, show: Show, author: Author) -> None:
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user)
    values = {"description": "x" * 500, "genres": [f"G{number}" for number in range(9)]}
    change = edit_show(show.pk, values, Author(user=author.user, batch_id=batch.pk, reason=EVIL))

    text = text_of(desk.get(reverse("admin:catalog_change_change", args=(change.pk,))))

    assert "x" * 500 in text
    assert '<li><ins class="desk-after">G8</ins></li>' in text
    assert EVIL not in text
    for address in (
        reverse("admin:catalog_change_revert", args=(change.pk,)),
        reverse("admin:catalog_batch_revert", args=(batch.pk,)),
        f"{HISTORY}?batch__id__exact={batch.pk}",
        f"{HISTORY}?show__id__exact={show.pk}",
    ):
        assert address in text


def test_the_page_of_a_runs_change_leads_to_the_run(desk: Client, show: Show) -> None:
    change = of_run(show, name=["Old", "New"])

    text = text_of(desk.get(reverse("admin:catalog_change_change", args=(change.pk,))))

    assert f"{HISTORY}?run_id=7&amp;volatile=all" in text
    assert reverse("admin:catalog_run_revert", args=(7,)) in text


@pytest.mark.parametrize("pk", ["0", "99999", "x", str(2**70), "²"])
def test_a_change_that_is_not_there_leads_away_with_a_word(desk: Client, pk: str) -> None:
    page = desk.get(f"{HISTORY}{pk}/change/", follow=True)

    assert page.status_code == 200
    assert "exist" in " ".join(str(message) for message in page.context["messages"])


def test_the_history_of_a_change_is_that_of_its_show(desk: Client, show: Show) -> None:
    change = of_run(show, name=["Old", "New"])

    assert desk.get(f"{HISTORY}{change.pk}/history/")["Location"] == f"{HISTORY}?show__id__exact={show.pk}"
    assert desk.get(f"{HISTORY}x/history/")["Location"] == HISTORY


# --- reverting


def test_the_preview_shows_what_will_change_and_what_stays_and_writes_nothing(
    desk: Client, show: Show, author: Author, make_network: Callable[..., Network]
) -> None:
    ShowNetwork.objects.create(show=show, network=make_network(74), position=0)
    edit = edit_show(show.pk, {"name": EVIL, "description": "Ours", "networks": []}, author)
    newer = edit_show(show.pk, {"description": "Newer"}, author)
    changes = Change.objects.count()

    page = desk.get(reverse("admin:catalog_change_revert", args=(edit.pk,)))

    text = text_of(page)
    assert EVIL not in text
    assert '<ins class="desk-after">Below Deck</ins>' in text
    assert "+ Bravo (74)</ins>" in text
    assert "1 show will change" in text
    assert "1 stays as it is" in text
    assert "editor changed Description to Newer at" in text
    assert reverse("admin:catalog_change_change", args=(newer.pk,)) in text
    assert page.context["lock"] is False
    assert Change.objects.count() == changes


def test_the_button_reverts_with_the_reason_and_leads_to_the_result(desk: Client, show: Show, author: Author) -> None:
    edit = edit_show(show.pk, {"name": "Mine"}, author)

    page = desk.post(reverse("admin:catalog_change_revert", args=(edit.pk,)), {"reason": " a slip "})

    show.refresh_from_db()
    batch = Batch.objects.get()
    assert (show.name, show.locked_fields) == ("Below Deck", [])
    assert (batch.reason, batch.user, batch.plan["lock"]) == ("a slip", author.user, False)
    assert page.status_code == 302
    assert str(batch.pk) in page["Location"]
    assert desk.get(page["Location"]).status_code == 200


def test_the_lock_is_offered_for_one_change_of_a_run_and_not_for_the_run(desk: Client, show: Show) -> None:
    change = of_run(show, name=["Old", "New"])

    one = desk.get(reverse("admin:catalog_change_revert", args=(change.pk,)))
    whole = desk.get(reverse("admin:catalog_run_revert", args=(7,)))
    desk.post(reverse("admin:catalog_change_revert", args=(change.pk,)), {"lock": "on"})

    show.refresh_from_db()
    assert (one.context["lock"], whole.context["lock"]) == (True, False)
    assert (show.name, show.locked_fields, show.upstream_values) == ("Old", ["name"], {"name": "New"})


def test_a_batch_and_a_run_are_reverted_as_a_whole_and_so_is_a_revert(desk: Client, show: Show, author: Author) -> None:
    other = Show.objects.create(name="Other")
    for row in (show, other):
        of_run(row, description=["old", "new"])

    desk.post(reverse("admin:catalog_run_revert", args=(7,)))
    assert set(Show.objects.values_list("description", flat=True)) == {"old"}
    desk.post(reverse("admin:catalog_batch_revert", args=(Batch.objects.get().pk,)))
    assert set(Show.objects.values_list("description", flat=True)) == {"new"}


def test_what_is_as_before_offers_no_button(desk: Client, show: Show, author: Author) -> None:
    edit = edit_show(show.pk, {"tags": ["a"]}, author)
    edit_show(show.pk, {"tags": []}, author)

    text = text_of(desk.get(reverse("admin:catalog_change_revert", args=(edit.pk,))))

    assert "There is nothing to take back" in text
    assert '<form method="post" class="history-form"' not in text


def test_a_created_show_is_told_to_go_to_the_trash(desk: Client, author: Author, db: None) -> None:
    create_show({"name": "Mine"}, author)

    page = desk.get(reverse("admin:catalog_change_revert", args=(Change.objects.get().pk,)))

    assert "goes to the trash" in text_of(page)


def test_many_shows_are_shown_in_part_and_counted_in_full(desk: Client, author: Author, db: None) -> None:
    for number in range(103):
        of_run(Show.objects.create(name=f"Show {number}"), description=["old", "new"])

    text = text_of(desk.get(reverse("admin:catalog_run_revert", args=(7,))))

    assert "Revert 103 shows" in text
    assert "The first 100 of 103 shows." in text


def test_a_merge_is_undone_from_its_page(desk: Client, show: Show, author: Author) -> None:
    other = Show.objects.create(name="Duplicate")
    merge = merge_shows(other.pk, show.pk, {}, Author(user=author.user, reason="the same"))
    address = reverse("admin:catalog_batch_revert", args=(merge.pk,))

    assert "Reason of the merge: the same" in text_of(desk.get(address))
    page = desk.post(address, {"reason": "they are two"})

    assert page.status_code == 302
    assert Show.objects.count() == 2
    assert "Nothing was undone" in text_of(desk.post(address, {}))


def test_a_reason_that_can_not_be_stored_is_an_error_beside_the_field(desk: Client, show: Show, author: Author) -> None:
    edit = edit_show(show.pk, {"name": "Mine"}, author)

    for reason in ("x" * 501, "\x00"):
        text = text_of(desk.post(reverse("admin:catalog_change_revert", args=(edit.pk,)), {"reason": reason}))
        assert "A reason is a text of at most 500 characters." in text
    assert not Batch.objects.exists()


def test_a_revert_of_what_is_not_there_leads_to_the_history(desk: Client) -> None:
    for address in (
        f"{HISTORY}999/revert/",
        f"{HISTORY}{2**70}/revert/",
        f"{HISTORY}batch/00000000-0000-4000-8000-000000000000/revert/",
        f"{HISTORY}run/{2**70}/revert/",
    ):
        assert desk.get(address)["Location"] == HISTORY
    for address in (f"{HISTORY}x/revert/", f"{HISTORY}batch/x/revert/"):
        assert desk.get(address, follow=True).status_code in (200, 404)
    assert "nothing to take back" in text_of(desk.get(f"{HISTORY}run/999/revert/"))
    assert desk.post(f"{HISTORY}run/999/revert/", {}, follow=True).status_code == 200
    assert not Batch.objects.exists()


def test_one_change_goes_back_alone_or_with_all_since(desk: Client, show: Show, author: Author) -> None:
    first = edit_show(show.pk, {"name": "One"}, author)
    edit_show(show.pk, {"name": "Two", "description": "Ours"}, author)
    comment_on_show(show.pk, "Hm.", author)
    address = reverse("admin:catalog_change_revert", args=(first.pk,))

    alone, since = text_of(desk.get(address)), text_of(desk.get(f"{address}?scope=since"))

    assert "this and everything since (1 newer change of this show)" in alone
    assert "Nothing can be taken back" in alone
    assert '<ins class="desk-after">Below Deck</ins>' in since
    assert "stays as it is" not in since
    desk.post(address, {"scope": "since", "reason": "all wrong"})
    show.refresh_from_db()
    assert (show.name, show.description, show.locked_fields) == ("Below Deck", "From\nTMDb.", [])
    assert Batch.objects.get().plan["of"] == {"since": first.pk}


def test_the_newest_change_offers_no_choice(desk: Client, show: Show, author: Author) -> None:
    edit = edit_show(show.pk, {"name": "One"}, author)

    assert "everything since" not in text_of(desk.get(reverse("admin:catalog_change_revert", args=(edit.pk,))))


def test_a_match_says_what_goes_along_and_the_result_that_a_sync_is_queued(
    desk: Client, show: Show, author: Author
) -> None:
    match = edit_show(show.pk, {"tmdb_id": 9}, author)
    for run_id in (7, 8):
        of_run(show, run_id, name=[show.name, f"Wrong {run_id}"])
        show.refresh_from_db()
    address = reverse("admin:catalog_change_revert", args=(match.pk,))

    assert "this change, and what 2 syncs have brought under that id since" in text_of(desk.get(address))
    result = desk.post(address, {}, follow=True)

    show.refresh_from_db()
    assert (show.name, show.tmdb_id, show.locked_fields) == ("Below Deck", 55555, [])
    assert "was queued, as it has another id now." in text_of(result)
    assert "A sync of 1 show" in text_of(result)


def test_the_preview_names_ids_first_and_figures_in_one_line(desk: Client, show: Show) -> None:
    figures = {"tmdb_vote_average": [6.5, 7.5], "tmdb_vote_count": [1, 2], "tmdb_popularity": [1.5, 2.5]}
    of_run(show, description=["old", "new"], **figures, tmdb_id=[1, 2])

    [(_, rows, _)] = desk.get(reverse("admin:catalog_run_revert", args=(7,))).context["shows"]

    assert [row.label for row, _ in rows] == ["TMDb id", "Description", "Votes and popularity"]
    assert rows[-1][0].note == "TMDb vote average 7.5 → 6.5, TMDb vote count 2 → 1, TMDb popularity 2.5 → 1.5"


def test_what_is_still_going_on_says_so_and_has_no_button(
    desk: Client, show: Show, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user, status="running", done=1, total=3)
    edit_show(show.pk, {"name": "Mine"}, Author(user=author.user, batch_id=batch.pk))
    of_run(show, description=["a", "b"])
    monkeypatch.setattr(revert_scope, "is_running", [lambda run_id: run_id == 7])

    for address in (
        reverse("admin:catalog_batch_revert", args=(batch.pk,)),
        reverse("admin:catalog_run_revert", args=(7,)),
    ):
        text = text_of(desk.get(address))
        assert "is still going on" in text
        assert "desk-button danger" not in text
        assert "still going on" in text_of(desk.post(address, {}, follow=True))
    show.refresh_from_db()
    assert (show.name, show.description) == ("Mine", "b")


# --- who may


def test_who_may_not_revert_sees_the_history_without_the_way_back(
    client: Client, show: Show, author: Author, django_user_model: Any
) -> None:
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user)
    change = edit_show(show.pk, {"name": "Mine"}, Author(user=author.user, batch_id=batch.pk))
    of_run(show, description=["a", "b"])
    log_in(client, django_user_model, "view_change", "view_show")

    assert "revert" not in text_of(client.get(HISTORY))
    assert "/revert/" not in text_of(client.get(reverse("admin:catalog_change_change", args=(change.pk,))))
    for address in (
        reverse("admin:catalog_change_revert", args=(change.pk,)),
        reverse("admin:catalog_batch_revert", args=(batch.pk,)),
        reverse("admin:catalog_run_revert", args=(7,)),
    ):
        assert client.get(address).status_code == 403
        assert client.post(address).status_code == 403
    show.refresh_from_db()
    assert show.name == "Mine"


def test_a_whole_run_needs_a_right_of_its_own(client: Client, show: Show, django_user_model: Any) -> None:
    change = of_run(show, name=["Old", "New"])
    log_in(client, django_user_model, "view_change", "view_show", "revert_show")

    assert client.get(reverse("admin:catalog_change_revert", args=(change.pk,))).status_code == 200
    assert client.get(reverse("admin:catalog_run_revert", args=(7,))).status_code == 403
    assert "Revert the run" not in text_of(client.get(reverse("admin:catalog_change_change", args=(change.pk,))))


def test_a_stranger_is_asked_to_log_in(client: Client, show: Show) -> None:
    change = of_run(show, name=["Old", "New"])

    assert client.get(reverse("admin:catalog_change_revert", args=(change.pk,))).status_code == 302
    assert client.get(HISTORY).status_code == 302


def test_the_list_tells_three_fields_of_a_change_and_how_many_more(desk: Client, show: Show) -> None:
    fields = {name: ["a", "b"] for name in ("name", "description", "tmdb_name", "imdb_title", "tmdb_type")}
    Change.objects.create(show=show, kind="updated", fields=fields)

    page = desk.get(reverse("admin:catalog_change_changelist")).content.decode()

    assert "and 2 more fields" in page
