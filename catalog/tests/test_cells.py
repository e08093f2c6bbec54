import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from catalog.admin.cells import GONE
from catalog.admin.columns import tags_text, text_tags
from catalog.changes import Author, change_of, save_changes
from catalog.edits import edit_show, version_of
from catalog.models import Batch, Change, Show
from catalog.trash import comment_on_show, delete_show
from catalog.values import normal_list

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


def cell(show: Any, field: str, value: Any, version: Any = 0) -> dict[str, Any]:
    return {"id": str(getattr(show, "pk", show)), "version": version, "field": field, "value": value}


def post(client: Client, body: Any) -> Any:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(reverse("admin:catalog_show_cells"), text, content_type="application/json")


def save(client: Client, *edits: dict[str, Any], reason: str = "") -> list[dict[str, Any]]:
    reply = post(client, {"edits": list(edits), "reason": reason})
    assert reply.status_code == 200
    return list(reply.json()["rows"])


def by_a_sync(show: Show, fields: dict[str, Any]) -> None:
    """A change as a run makes it."""
    Show.objects.filter(pk=show.pk).update(**{name: after for name, (_, after) in fields.items()})
    save_changes([change_of(show.pk, Change.Kind.UPDATED, fields, Author(run_id=7))])


@pytest.fixture
def other(django_user_model: Any) -> Author:
    return Author(user=django_user_model.objects.create_user("anna"))


# --- one row


def test_a_cell_is_saved_locked_and_signed(desk: Client, show: Show, editor: Any) -> None:
    [answer] = save(desk, cell(show, "name", " Below Deck! "), reason="as on screen")

    show.refresh_from_db()
    change = Change.objects.get()
    assert (show.name, show.locked_fields) == ("Below Deck!", ["name"])
    assert (change.user, change.reason, change.batch_id) == (editor, "as on screen", None)
    assert answer["ok"] is True
    assert answer["version"] == change.pk == version_of(show.pk)
    assert answer["values"] == {"name": "Below Deck!", "override": "", "tags": ""}
    assert (answer["locked"], answer["locks"]) == (["name"], ["Name"])
    assert answer["updated"] == f"{show.updated_at:%Y-%m-%d %H:%M}"
    assert not Batch.objects.exists()


def test_several_cells_of_a_row_are_one_change(desk: Client, show: Show) -> None:
    [answer] = save(
        desk, cell(show, "name", "Deck"), cell(show, "override", "skip"), cell(show, "tags", "new, pilot,, new ")
    )

    show.refresh_from_db()
    assert (show.name, show.override, show.tags) == ("Deck", "SKIP", ["new", "pilot"])
    assert answer["values"] == {"name": "Deck", "override": "SKIP", "tags": "new, pilot"}
    assert Change.objects.count() == 1
    assert not Batch.objects.exists()


def test_a_cell_that_is_sent_as_it_was_changes_nothing(desk: Client, show: Show, author: Author) -> None:
    version = edit_show(show.pk, {"tags": ["a", "b"]}, author).pk

    [answer] = save(desk, cell(show, "tags", "a, b", version))

    assert (answer["ok"], answer["version"]) == (True, version)
    assert Change.objects.count() == 1


def test_a_cell_is_cleared(desk: Client, show: Show, author: Author) -> None:
    version = edit_show(show.pk, {"tags": ["a"], "override": "Y"}, author).pk

    [answer] = save(desk, cell(show, "tags", "", version), cell(show, "override", "", version))

    show.refresh_from_db()
    assert (show.tags, show.override) == ([], "")
    assert answer["values"] == {"name": "Below Deck", "override": "", "tags": ""}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "Name: "),
        ("name", "   ", "Name: "),
        ("name", "a\x00b", "can't be stored"),
        ("name", "\ud800", "can't be stored"),
        ("override", "maybe", "Write SKIP, Y,"),
        ("override", "12345", "Write SKIP, Y,"),
        ("tags", "a\x00", "can't be stored"),
        ("tags", "a" * 100_001, "At most 100,000 characters"),
    ],
)
def test_a_value_that_can_not_be_is_refused_with_its_reason(
    desk: Client, show: Show, field: str, value: str, words: str
) -> None:
    [answer] = save(desk, cell(show, field, value), cell(show, "name" if field != "name" else "override", "Y"))

    assert (answer["ok"], answer["field"]) == (False, field)
    assert words in answer["error"]
    assert "conflict" not in answer
    assert not Change.objects.exists()


def test_html_in_a_cell_is_text(desk: Client, show: Show) -> None:
    [answer] = save(desk, cell(show, "name", EVIL))

    assert answer["values"]["name"] == EVIL
    assert EVIL not in desk.get(reverse("admin:catalog_show_changelist")).content.decode()


# --- somebody else


def test_a_row_that_somebody_changed_is_refused_with_what_he_wrote(desk: Client, show: Show, other: Author) -> None:
    change = edit_show(show.pk, {"override": "SKIP"}, other)

    [answer] = save(desk, cell(show, "name", "Mine"))

    show.refresh_from_db()
    assert show.name == "Below Deck"
    assert answer["ok"] is False
    assert "Somebody else" in answer["error"]
    assert answer["conflict"] == {
        "who": "anna",
        "when": change.ts.isoformat(timespec="seconds"),
        "values": {"name": "Below Deck", "override": "SKIP", "tags": ""},
        "version": change.pk,
    }


def test_mine_is_kept_by_sending_it_again_with_the_new_version(desk: Client, show: Show, other: Author) -> None:
    edit_show(show.pk, {"name": "Theirs"}, other)
    [answer] = save(desk, cell(show, "name", "Mine"))

    [again] = save(desk, cell(show, "name", "Mine", answer["conflict"]["version"]))

    assert again["ok"] is True
    assert Show.objects.get().name == "Mine"
    assert Change.objects.order_by("-id")[0].fields["name"] == ["Theirs", "Mine"]


def test_a_sync_that_wrote_other_fields_is_in_nobodys_way(desk: Client, show: Show) -> None:
    by_a_sync(show, {"tmdb_status": [None, "Ended"]})

    [answer] = save(desk, cell(show, "name", "Mine"))

    show.refresh_from_db()
    assert (answer["ok"], show.name, show.tmdb_status) == (True, "Mine", "Ended")


def test_a_sync_that_wrote_the_same_field_is(desk: Client, show: Show) -> None:
    by_a_sync(show, {"name": ["Below Deck", "Below Deck Adventure"]})

    [answer] = save(desk, cell(show, "name", "Mine"))

    assert answer["conflict"]["who"] == "run 7"
    assert answer["conflict"]["values"]["name"] == "Below Deck Adventure"


def test_a_comment_makes_no_row_stale(desk: Client, show: Show, other: Author) -> None:
    comment_on_show(show.pk, "Look at this", other)

    [answer] = save(desk, cell(show, "name", "Mine"))

    assert answer["ok"] is True


def test_the_oldest_version_of_a_row_counts(desk: Client, show: Show, other: Author) -> None:
    change = edit_show(show.pk, {"override": "SKIP"}, other)

    [answer] = save(desk, cell(show, "name", "Mine", change.pk), cell(show, "tags", "a", 0))

    assert answer["ok"] is False


def test_a_show_that_is_gone_is_told(desk: Client, show: Show, author: Author) -> None:
    delete_show(show.pk, author)

    answers = save(desk, cell(show, "name", "Mine"), cell(uuid.uuid4(), "name", "Mine"))

    assert [answer["ok"] for answer in answers] == [False, False]
    assert all("deleted" in answer["error"] for answer in answers)
    assert not Batch.objects.exists()


# --- many rows


def test_a_paste_is_one_step_that_can_be_reverted(desk: Client, editor: Any) -> None:
    shows = [Show.objects.create(name=f"Show {number}") for number in range(10)]
    edits = [cell(show, field, text) for show in shows for field, text in (("override", "Y"), ("tags", "pasted"))]

    answers = save(desk, *edits, reason="from the sheet")

    batch = Batch.objects.get()
    assert [answer["id"] for answer in answers] == [str(show.pk) for show in shows]
    assert all(answer["ok"] for answer in answers)
    assert (batch.kind, batch.status, batch.user, batch.reason) == ("cells", "done", editor, "from the sheet")
    assert (batch.total, batch.done) == (10, 10)
    assert batch.counts == {"changed": 10, "unchanged": 0, "failed": 0}
    assert batch.finished_at is not None
    assert set(Change.objects.values_list("batch", "reason")) == {(batch.pk, "from the sheet")}
    assert Change.objects.count() == 10


def test_a_refused_row_stops_no_other(desk: Client, show: Show, other: Author) -> None:
    fine, same = Show.objects.create(name="Fine"), Show.objects.create(name="Same")
    edit_show(show.pk, {"override": "SKIP"}, other)

    answers = save(desk, cell(show, "tags", "x"), cell(fine, "tags", "x"), cell(same, "name", "Same"))

    batch = Batch.objects.get()
    assert [answer["ok"] for answer in answers] == [False, True, True]
    assert batch.counts == {"changed": 1, "unchanged": 1, "failed": 1}
    assert batch.failures == [[str(show.pk), "Below Deck", "Somebody else has changed this show."]]
    assert list(batch.changes.values_list("show", flat=True)) == [fine.pk]


def test_a_step_that_changed_nothing_leaves_no_trace(desk: Client) -> None:
    shows = [Show.objects.create(name=name) for name in ("A", "B")]

    save(desk, *(cell(show, "name", show.name) for show in shows))

    assert not Batch.objects.exists()
    assert not Change.objects.exists()


# --- what is not a step at all


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ([], "`edits`"),
        ({}, "`edits`"),
        ({"edits": {}}, "`edits`"),
        ({"edits": []}, "`edits`"),
        ({"edits": ["x"]}, "Edit 1: an object"),
        ({"edits": [cell("x", "name", "a")]}, "Edit 1: `id`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a") | {"id": 7}]}, "Edit 1: `id`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a"), cell(uuid.uuid4(), "name", None)]}, "Edit 2: `value`"),
        ({"edits": [cell(uuid.uuid4(), "tags", ["a"])]}, "Edit 1: `value`"),
        ({"edits": [cell(uuid.uuid4(), "imdb_id", "a")]}, "Edit 1: `field`"),
        ({"edits": [cell(uuid.uuid4(), "locked_fields", "[]")]}, "Edit 1: `field`"),
        ({"edits": [cell(uuid.uuid4(), ["name"], "a")]}, "Edit 1: `field`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a", None)]}, "Edit 1: `version`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a", "1")]}, "Edit 1: `version`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a", -1)]}, "Edit 1: `version`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a", True)]}, "Edit 1: `version`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a", 2**63)]}, "Edit 1: `version`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a")], "reason": 7}, "`reason`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a")], "reason": "a\x00"}, "`reason`"),
        ({"edits": [cell(uuid.uuid4(), "name", "a")] * 501}, "At most 500 cells"),
    ],
)
def test_a_malformed_body_is_named_and_saves_nothing(desk: Client, body: Any, words: str) -> None:
    reply = post(desk, body)

    assert reply.status_code == 400
    assert words in reply.json()["detail"]


def test_one_malformed_edit_stops_the_whole_step(desk: Client, show: Show) -> None:
    reply = post(desk, {"edits": [cell(show, "name", "Mine"), cell("x", "name", "Mine")]})

    assert reply.status_code == 400
    assert not Change.objects.exists()


def test_five_hundred_cells_are_taken(desk: Client, show: Show) -> None:
    answers = save(desk, *(cell(show, "tags", str(number)) for number in range(500)))

    assert len(answers) == 1
    assert Show.objects.get().tags == ["499"]


def test_too_much_text_is_refused(desk: Client, show: Show, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    reply = post(desk, {"edits": [cell(show, "name", "a" * 2000)]})

    assert reply.status_code == 413
    assert "too much" in reply.json()["detail"]


def test_cells_are_sent_by_post(desk: Client) -> None:
    assert desk.get(reverse("admin:catalog_show_cells")).status_code == 405


# --- who may


def test_a_viewer_may_not_write(client: Client, show: Show, django_user_model: Any) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_show"))
    client.force_login(viewer)

    reply = post(client, {"edits": [cell(show, "name", "Mine")]})

    assert reply.status_code == 403
    assert "not change" in reply.json()["detail"]
    assert not Change.objects.exists()


def test_nobody_else_may_write(client: Client, show: Show) -> None:
    assert post(client, {"edits": [cell(show, "name", "Mine")]}).status_code == 302
    assert not Change.objects.exists()


def test_a_request_of_another_site_is_refused(editor: Any, show: Show) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(editor)

    assert post(strict, {"edits": [cell(show, "name", "Mine")]}).status_code == 403
    assert not Change.objects.exists()


# --- tags as text


# --- undoing


def undo(client: Client, **step: Any) -> Any:
    return client.post(reverse("admin:catalog_show_cells_undo"), json.dumps(step), content_type="application/json")


def test_an_undone_cell_is_unlocked_again(desk: Client, show: Show) -> None:
    [answer] = save(desk, cell(show, "name", "Mine"))

    reply = undo(desk, changes=[answer["change"]])

    [row] = reply.json()["rows"]
    show.refresh_from_db()
    assert (show.name, show.locked_fields) == ("Below Deck", [])
    assert (row["ok"], row["values"]["name"], row["locked"]) == (True, "Below Deck", [])
    assert row["version"] == version_of(show.pk)
    assert Batch.objects.get().kind == "revert"


def test_a_paste_is_undone_as_one(desk: Client, show: Show) -> None:
    other = Show.objects.create(name="Other")
    reply = post(desk, {"edits": [cell(show, "override", "Y"), cell(other, "override", "Y")]}).json()

    rows = undo(desk, batch=reply["batch"]).json()["rows"]

    assert {row["id"] for row in rows} == {str(show.pk), str(other.pk)}
    assert not Show.objects.exclude(override="", locked_fields=[]).exists()
    assert Batch.objects.filter(kind="revert").count() == 1


def test_what_somebody_wrote_since_stays_and_is_told(desk: Client, show: Show, other: Author) -> None:
    [answer] = save(desk, cell(show, "override", "Y"))
    edit_show(show.pk, {"override": "SKIP"}, other)

    [row] = undo(desk, changes=[answer["change"]]).json()["rows"]

    assert (row["ok"], row["values"]["override"]) == (False, "SKIP")
    assert "anna" in row["error"]


def test_a_show_that_went_meanwhile_is_told_by_the_undo(desk: Client, show: Show, author: Author) -> None:
    [answer] = save(desk, cell(show, "override", "Y"))
    delete_show(show.pk, author)

    [row] = undo(desk, changes=[answer["change"]]).json()["rows"]

    assert (row["ok"], row["error"]) == (False, GONE)


def test_only_ones_own_cells_are_undone(desk: Client, show: Show, other: Author, author: Author) -> None:
    theirs = edit_show(show.pk, {"override": "Y"}, other)
    elsewhere = edit_show(show.pk, {"genres": ["Mine"]}, author)
    batch = Batch.objects.create(kind="edit", user=author.user)
    edit_show(show.pk, {"tags": ["x"]}, Author(user=author.user, batch_id=batch.pk))
    assert theirs
    assert elsewhere

    for step in ({"changes": [theirs.pk]}, {"changes": [elsewhere.pk]}, {"changes": [2**62]}, {"batch": str(batch.pk)}):
        assert undo(desk, **step).status_code == 404
    assert not Batch.objects.filter(kind="revert").exists()


@pytest.mark.parametrize(
    "step", [{}, {"changes": []}, {"changes": ["1"]}, {"changes": [True]}, {"changes": [2**63]}, {"batch": "x"}]
)
def test_a_malformed_undo_is_named(desk: Client, step: dict[str, Any]) -> None:
    assert undo(desk, **step).status_code == 400


def test_who_may_not_change_shows_undoes_nothing(client: Client, show: Show, django_user_model: Any) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_show"))
    change = edit_show(show.pk, {"override": "Y"}, Author(user=viewer))
    client.force_login(viewer)
    assert change

    assert undo(client, changes=[change.pk]).status_code == 403
    assert client.get(reverse("admin:catalog_show_cells_undo")).status_code == 405


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"))))
def test_tags_in_a_cell_come_back_as_they_were(tags: list[str]) -> None:
    stored = [" ".join(tag.split()) for tag in normal_list(tags)]

    assert text_tags(tags_text(stored)) == [tag for tag in stored if tag]


@given(st.text())
def test_any_text_is_read_as_tags(text: str) -> None:
    tags = text_tags(text)

    assert text_tags(tags_text(tags)) == tags


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("new, pilot", ["new", "pilot"]),
        (" new ,,pilot, ", ["new", "pilot"]),
        ('"Love, actually", b', ["Love, actually", "b"]),
        ('say ""hi""', ['say ""hi""']),
        ("one\ntwo", ["one two"]),
        ("", []),
    ],
)
def test_tags_are_separated_by_commas_unless_they_are_quoted(text: str, tags: list[str]) -> None:
    assert text_tags(text) == tags
