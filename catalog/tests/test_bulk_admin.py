import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from catalog.admin.bulk import GONE
from catalog.changes import Author
from catalog.edits import edit_show, lock_show
from catalog.models import Batch, Change, Show
from catalog.tasks import apply_batch
from catalog.trash import delete_show

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LIST = "/admin/catalog/show/"
SCRIPT = "<script>alert(1)</script>"


def make_shows(count: int) -> list[Show]:
    Show.objects.bulk_create([Show(name=f"Show {number:04}", name_key=f"show {number:04}") for number in range(count)])
    return list(Show.objects.filter(name__startswith="Show "))


def select(client: Client, shows: list[Show], *, everything: bool = False) -> str:
    """Runs the action of the list; where it leads."""
    data = {"action": "bulk_edit", "_selected_action": [str(show.pk) for show in shows[:100]]}
    response = client.post(LIST, data | ({"select_across": "1"} if everything else {}))
    assert response.status_code == 302
    return str(response["Location"])


def send(client: Client, address: str, *rows: tuple[str, str, str], reason: str = "") -> Any:
    fields, actions, values = zip(*rows, strict=True)
    return client.post(address, {"field": fields, "action": actions, "value": values, "reason": reason})


def preview_of(client: Client, shows: list[Show], *rows: tuple[str, str, str], reason: str = "") -> str:
    response = send(client, select(client, shows), *rows, reason=reason)
    assert response.status_code == 302, response.context["errors"] or [form.errors for form in response.context["rows"]]
    return str(response["Location"])


def apply_at(client: Client, preview: str) -> Any:
    return client.post(preview.replace("/preview/", "/apply/"))


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


# --- choosing


def test_a_selection_is_kept_in_a_draft_and_not_in_the_address(desk: Client) -> None:
    shows = make_shows(150)

    address = select(desk, shows, everything=True)

    batch = Batch.objects.get()
    assert address == f"{LIST}bulk/{batch.pk}/"
    assert (batch.status, batch.kind, len(batch.plan["shows"])) == ("draft", "edit", 150)
    assert "Bulk edit of 150 shows" in text_of(desk.get(address))


def test_only_the_selected_shows_are_taken(desk: Client) -> None:
    shows = make_shows(3)

    select(desk, shows[:2])

    assert set(Batch.objects.get().plan["shows"]) == {str(show.pk) for show in shows[:2]}


def test_the_first_step_has_a_label_for_every_input(desk: Client, show: Show) -> None:
    page = text_of(desk.get(select(desk, [show])))

    ids = re.findall(r'<(?:select|textarea|input)[^>]* id="(id_[^"]+)"', page)
    assert {"id_field_0", "id_action_0", "id_value_0", "id_reason"} <= set(ids)
    assert all(f'<label for="{one}">' in page for one in ("id_field_0", "id_action_0", "id_value_0", "id_reason"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("", "set", "x"), "This field is required."),
        (("nonsense", "set", "x"), "Select a valid choice."),
        (("name", "drop", "x"), "Select a valid choice."),
        (("name", "add", "x"), "can&#x27;t do that. Possible: set to, lock, unlock."),
        (("override", "set", "maybe"), "Empty, SKIP, Y, or a minimum number of episodes."),
        (("tmdb_id", "set", "7"), "An id belongs to one show alone, and 2 are selected."),
        (("networks", "add", SCRIPT), "There is none with the id or name &lt;script&gt;"),
        (("description", "set", "a\x00b"), "Null characters are not allowed."),
    ],
)
def test_what_can_not_be_is_told_at_its_field_and_the_input_stays(
    desk: Client, show: Show, row: tuple[str, str, str], message: str
) -> None:
    other = Show.objects.create(name="Other")

    response = send(desk, select(desk, [show, other]), ("tags", "add", "kept <b>"), row, reason="because")

    page = text_of(response)
    assert response.status_code == 200
    assert message in page
    assert SCRIPT not in page
    assert "kept &lt;b&gt;</textarea>" in page
    assert 'value="because"' in page
    assert Batch.objects.count() == 1


def test_an_empty_form_asks_for_a_field(desk: Client, show: Show) -> None:
    response = send(desk, select(desk, [show]), ("", "set", ""))

    assert "This field is required." in text_of(response)


def test_more_steps_than_five_and_contradictions_are_refused(desk: Client, show: Show) -> None:
    address = select(desk, [show])

    assert "At most 5 steps at once." in text_of(send(desk, address, *[("tags", "add", "x")] * 6))
    both = send(desk, address, ("name", "set", "x"), ("name", "unlock", ""))
    assert "nothing else can be done to it" in text_of(both)


def test_ragged_rows_are_no_error_of_the_server(desk: Client, show: Show) -> None:
    response = desk.post(select(desk, [show]), {"field": ["tags", "genres"], "action": ["add"]})

    assert response.status_code == 200


# --- the preview


def test_the_preview_shows_before_and_after_and_changes_nothing(desk: Client, show: Show, author: Author) -> None:
    lock_show(show.pk, ["premiere_date"], author)
    same = Show.objects.create(name="Same", override="SKIP", tags=["x"])
    changes = Change.objects.count()

    preview = preview_of(
        desk, [show, same], ("override", "set", "skip"), ("tags", "add", "x"), ("premiere_date", "unlock", "")
    )
    page = text_of(desk.get(preview))

    assert "1 will change" in page
    assert "1 need no change" in page
    assert "Apply to 1 show<" in page
    assert '<span class="desk-quiet">(nothing)</span>' in page
    assert '<span class="desk-after">SKIP</span>' in page
    assert "+ x</span>" in page
    assert "1 field will be locked" in page
    assert "1 field will be unlocked" in page
    assert "stays until the next sync" in page
    assert Change.objects.count() == changes


def test_names_with_script_are_text_everywhere(desk: Client, author: Author) -> None:
    bad, stays = (Show.objects.create(name=f"{SCRIPT}{number}") for number in (1, 2))
    first = select(desk, [bad, stays])
    response = send(desk, first, ("tags", "add", SCRIPT), ("genres", "set", SCRIPT), reason=SCRIPT)
    preview = response["Location"]
    edit_show(bad.pk, {"genres": [SCRIPT]}, author)
    pages = [desk.get(first), desk.get(preview)]
    pages.append(desk.get(apply_at(desk, preview)["Location"]))
    pages.append(desk.get(reverse("admin:catalog_batch_changelist")))
    pages.append(desk.get(preview.replace("preview/", "")))

    for page in pages[:4]:
        assert SCRIPT not in page.content.decode()
        assert "&lt;script&gt;alert(1)" in page.content.decode()


def test_the_preview_has_pages_of_100_shows(desk: Client) -> None:
    address = select(desk, make_shows(150), everything=True)
    preview = send(desk, address, ("override", "set", "Y"))["Location"]

    first, second = (text_of(desk.get(preview, {"page": page})) for page in ("1", "2"))

    assert (first.count("<tbody>"), second.count("<tbody>")) == (100, 50)
    assert "101 to 150 of 150" in second
    assert desk.get(preview, {"page": "nonsense"}).status_code == 200


def test_back_keeps_the_input(desk: Client, show: Show) -> None:
    preview = preview_of(desk, [show], ("tags", "add", "a\r\nb"), ("override", "set", "Y"), reason="because")

    page = text_of(desk.get(preview.replace("preview/", "")))

    assert '<option value="tags" selected>' in page
    assert "a b</textarea>" in page  # the line break is a blank here
    assert '<option value="override" selected>' in page
    assert 'value="because"' in page


def test_an_older_preview_applies_what_it_showed(desk: Client, show: Show) -> None:
    first = preview_of(desk, [show], ("override", "set", "Y"))
    send(desk, first.replace("preview/", ""), ("override", "set", "SKIP"))

    apply_at(desk, first)

    show.refresh_from_db()
    assert show.override == "Y"


def test_shows_that_can_not_be_changed_are_named_and_left_out(desk: Client, show: Show, author: Author) -> None:
    gone = Show.objects.create(name="Gone")
    address = select(desk, [show, gone])
    delete_show(gone.pk, author)
    preview = send(desk, address, ("override", "set", "Y"))["Location"]

    page = text_of(desk.get(preview))
    result = text_of(desk.get(apply_at(desk, preview)["Location"]))

    assert "1 can't be changed" in page
    assert "it has been deleted" in page
    assert "1 left out at the preview" in result
    assert "it has been deleted" in result


def test_where_nothing_would_change_there_is_nothing_to_apply(desk: Client, show: Show) -> None:
    preview = preview_of(desk, [show], ("name", "set", show.name))

    page = text_of(desk.get(preview))
    response = apply_at(desk, preview)

    assert "Nothing would change: the shows are so already." in page
    assert "Apply to" not in page
    assert response["Location"] == preview
    assert Batch.objects.filter(status="draft").count() == 2


# --- applying


def test_applying_leads_to_the_result(desk: Client, editor: Any, show: Show) -> None:
    response = apply_at(desk, preview_of(desk, [show], ("override", "set", "Y"), reason="spring"))

    batch = Batch.objects.get(status="done")
    assert response["Location"] == f"/admin/catalog/batch/{batch.pk}/change/"
    page = text_of(desk.get(response["Location"]))
    assert "1 changed" in page
    assert "0 failed" in page
    assert "Override: set to Y" in page
    assert f"/admin/catalog/change/?batch__id__exact={batch.pk}" in page
    change = Change.objects.get()
    assert (change.user, change.reason, change.batch) == (editor, "spring", batch)


def test_its_changes_are_found_in_the_history(desk: Client, show: Show) -> None:
    apply_at(desk, preview_of(desk, [show], ("override", "set", "Y")))
    other = Show.objects.create(name="Another one")
    edit_show(other.pk, {"tags": ["x"]}, Author())
    batch = Batch.objects.get(status="done")

    page = text_of(desk.get(f"/admin/catalog/change/?batch__id__exact={batch.pk}"))

    assert "Below Deck" in page
    assert "Another one" not in page


def test_a_show_that_was_changed_meanwhile_is_left_alone_and_named(
    desk: Client, show: Show, django_user_model: Any
) -> None:
    preview = preview_of(desk, [show], ("override", "set", "Y"))
    edit_show(show.pk, {"override": "SKIP"}, Author(user=django_user_model.objects.create_user("anna")))

    page = text_of(desk.get(apply_at(desk, preview)["Location"]))

    show.refresh_from_db()
    assert show.override == "SKIP"
    assert "anna changed Override to SKIP at" in page
    assert "left alone" in page
    assert f'<a href="/admin/catalog/show/{show.pk}/change/">Below Deck</a>' in page


def test_two_clicks_apply_once(desk: Client, show: Show) -> None:
    preview = preview_of(desk, [show], ("override", "set", "Y"))

    first, second = apply_at(desk, preview), apply_at(desk, preview)

    assert first["Location"] == second["Location"]
    assert Change.objects.count() == 1
    assert desk.get(preview)["Location"] == first["Location"]


def test_1000_shows_go_to_the_worker_and_end_on_the_result_page(
    desk: Client, django_capture_on_commit_callbacks: Any
) -> None:
    address = select(desk, make_shows(1000), everything=True)
    preview = send(desk, address, ("override", "set", "SKIP"))["Location"]
    assert "it runs in the background" in text_of(desk.get(preview))

    with django_capture_on_commit_callbacks(execute=True):
        result = apply_at(desk, preview)["Location"]
    waiting = text_of(desk.get(result))
    task = OrmQ.objects.get().task
    apply_batch(*task["args"])
    done = text_of(desk.get(result))

    assert "It waits for the worker." in waiting
    assert "manage.py run_worker" in waiting
    assert '<progress id="batch-bar" max="1000" value="0">' in waiting
    assert "1000 changed" in done
    assert "<progress" not in done
    assert Show.objects.filter(override="SKIP").count() == 1000


# --- who may


def member(client: Client, django_user_model: Any, *codenames: str) -> Client:
    user = django_user_model.objects.create_user("member", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


def test_without_the_right_there_is_no_action_and_no_page(desk: Client, show: Show, django_user_model: Any) -> None:
    preview = preview_of(desk, [show], ("override", "set", "Y"))
    viewer = member(Client(), django_user_model, "view_show", "change_show")

    assert "bulk_edit" not in text_of(viewer.get(LIST))
    viewer.post(LIST, {"action": "bulk_edit", "_selected_action": [str(show.pk)]})
    for address in (preview, preview.replace("preview/", ""), preview.replace("preview/", "apply/")):
        assert viewer.get(address).status_code == 403
        assert viewer.post(address).status_code == 403
    assert Batch.objects.filter(user__username="member").count() == 0
    assert not Change.objects.exists()


def test_the_right_alone_is_enough(client: Client, show: Show, django_user_model: Any) -> None:
    editor = member(client, django_user_model, "view_show", "bulk_edit_show")

    apply_at(editor, preview_of(editor, [show], ("override", "set", "Y")))

    show.refresh_from_db()
    assert show.override == "Y"
    assert editor.get(f"{LIST}add/").status_code == 403


def test_strangers_are_sent_to_the_login(desk: Client, show: Show) -> None:
    address = select(desk, [show])

    assert urlsplit(Client().get(address)["Location"]).path == "/admin/login/"


def test_the_draft_of_somebody_else_is_not_shown_nor_applied(desk: Client, show: Show, django_user_model: Any) -> None:
    preview = preview_of(desk, [show], ("override", "set", "Y"))
    other = member(Client(), django_user_model, "view_show", "bulk_edit_show")

    response = other.post(preview.replace("preview/", "apply/"), follow=True)

    assert GONE in text_of(response)
    assert not Change.objects.exists()


def test_a_draft_that_is_gone_is_told(desk: Client, show: Show) -> None:
    preview = preview_of(desk, [show], ("override", "set", "Y"))
    Batch.objects.update(created_at=timezone.now() - timedelta(days=2))
    select(desk, [show])

    assert GONE in text_of(desk.get(preview, follow=True))
    assert desk.get(f"{LIST}bulk/no-id/", follow=True).status_code == 200


def test_a_form_without_its_token_is_refused(editor: Any, desk: Client, show: Show) -> None:
    preview = preview_of(desk, [show], ("override", "set", "Y"))
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(editor)

    assert strict.post(preview.replace("preview/", "apply/")).status_code == 403
    assert strict.get(preview.replace("preview/", "apply/"))["Location"] == preview
    assert not Change.objects.exists()


# --- the page of a batch


def batch_of(editor: Any, **columns: Any) -> Batch:
    return Batch.objects.create(
        **{"kind": "edit", "status": "running", "user": editor, "plan": {"edits": []}} | columns
    )


def page_of(batch: Batch) -> str:
    return reverse("admin:catalog_batch_change", args=(batch.pk,))


def test_drafts_are_not_listed_nor_shown(desk: Client, editor: Any) -> None:
    secret = batch_of(editor, status="draft", reason="not yet")
    batch_of(editor, status="failed", reason="told", total=7, counts={"changed": 4, "failed": 3})

    page = text_of(desk.get(reverse("admin:catalog_batch_changelist")))

    assert "told" in page
    assert "4 changed, 3 failed" in page
    assert "not yet" not in page
    assert urlsplit(desk.get(page_of(secret))["Location"]).path == "/admin/"


def test_the_list_needs_few_queries_and_no_plans(desk: Client, editor: Any, django_assert_max_num_queries: Any) -> None:
    for _ in range(30):
        batch_of(editor, status="done")

    with django_assert_max_num_queries(6) as queries:
        desk.get(reverse("admin:catalog_batch_changelist"))

    assert not any('"catalog_batch"."plan"' in query["sql"] for query in queries.captured_queries)


def test_while_it_runs_the_page_is_told_how_far_it_is(desk: Client, editor: Any) -> None:
    batch = batch_of(editor, total=900, done=300, counts={"changed": 300})

    page = text_of(desk.get(page_of(batch)))
    state = desk.get(reverse("admin:catalog_batch_progress", args=(batch.pk,))).json()

    assert '<progress id="batch-bar" max="900" value="300">' in page
    assert 'class="batch-waits" hidden' in page
    assert state == {
        "status": "running",
        "label": "Running",
        "done": 300,
        "total": 900,
        "counts": {"changed": 300},
        "open": True,
    }


def test_what_stands_still_is_queued_again(
    desk: Client, editor: Any, show: Show, django_capture_on_commit_callbacks: Any
) -> None:
    edits = [{"id": str(show.pk), "name": "A", "values": {"override": "Y"}}]
    batch = batch_of(editor, plan={"edits": edits}, total=1)
    address = reverse("admin:catalog_batch_resume", args=(batch.pk,))
    assert address in text_of(desk.get(page_of(batch)))

    with django_capture_on_commit_callbacks(execute=True):
        desk.post(address)
    apply_batch(*OrmQ.objects.get().task["args"])

    assert desk.get(address)["Location"] == page_of(batch)
    assert "1 changed" in text_of(desk.get(page_of(batch)))


def test_what_is_done_is_not_queued_again(desk: Client, editor: Any, django_capture_on_commit_callbacks: Any) -> None:
    batch = batch_of(editor, status="done")

    with django_capture_on_commit_callbacks(execute=True):
        desk.post(reverse("admin:catalog_batch_resume", args=(batch.pk,)))

    assert not OrmQ.objects.exists()


def test_failures_have_pages_and_lines_of_files_no_link(desk: Client, editor: Any, show: Show) -> None:
    failures = [[str(number), f"Row {number}", "Name: it is empty."] for number in range(1, 151)]
    batch = batch_of(editor, kind="import", status="failed", failures=[[str(show.pk), "", "gone"], *failures])

    first, second = (text_of(desk.get(page_of(batch), {"page": page})) for page in ("1", "2"))

    assert f'<a href="/admin/catalog/show/{show.pk}/change/">{show.pk}</a>' in first
    assert "Line 99: Row 99" in first
    assert "Line 100: Row 100" in second
    assert "101 to 151 of 151" in second


def test_the_result_is_for_all_who_see_shows_and_what_acts_for_those_who_may(
    editor: Any, django_user_model: Any
) -> None:
    batch = batch_of(editor)
    viewer = member(Client(), django_user_model, "view_show")
    resume = reverse("admin:catalog_batch_resume", args=(batch.pk,))

    page = viewer.get(page_of(batch))

    assert page.status_code == 200
    assert resume not in text_of(page)
    assert viewer.post(resume).status_code == 403


def test_without_the_right_to_see_shows_there_is_no_batch(editor: Any, django_user_model: Any) -> None:
    batch = batch_of(editor)
    nobody = member(Client(), django_user_model)

    for name in ("change", "progress", "resume"):
        assert nobody.get(reverse(f"admin:catalog_batch_{name}", args=(batch.pk,))).status_code == 403
    assert nobody.get(reverse("admin:catalog_batch_changelist")).status_code == 403


def test_unknown_and_malformed_ids_get_an_answer(desk: Client) -> None:
    unknown = "11111111-1111-1111-1111-111111111111"

    for path in (f"{unknown}/change/", "nonsense/change/"):
        assert desk.get(f"/admin/catalog/batch/{path}", follow=True).status_code == 200
    for path in (f"{unknown}/progress/", f"{unknown}/resume/"):
        assert desk.get(f"/admin/catalog/batch/{path}").status_code == 404


@pytest.mark.parametrize("kind", Batch.Kind.values)
def test_a_batch_of_every_kind_has_a_page(desk: Client, editor: Any, kind: str) -> None:
    batch = batch_of(editor, kind=kind, status="done", plan={}, total=2)

    assert desk.get(page_of(batch)).status_code == 200


@pytest.mark.parametrize("kind", ["cells", "merge"])
def test_what_no_worker_can_go_on_with_counts_as_failed_and_is_not_queued(
    desk: Client, editor: Any, show: Show, kind: str, django_capture_on_commit_callbacks: Any
) -> None:
    batch = batch_of(editor, kind=kind, plan={}, total=2, created_at=timezone.now() - timedelta(minutes=6))
    fresh = batch_of(editor, kind=kind, plan={}, total=2)
    edit_show(show.pk, {"override": "Y"}, Author(user=editor, batch_id=batch.pk))
    resume = reverse("admin:catalog_batch_resume", args=(batch.pk,))

    page, other = text_of(desk.get(page_of(batch))), text_of(desk.get(page_of(fresh)))
    with django_capture_on_commit_callbacks(execute=True):
        answer = desk.post(resume)

    assert answer.status_code == 403
    assert not OrmQ.objects.exists()
    assert "It was cut off" in page
    assert "1 changed" in page
    assert reverse("admin:catalog_batch_revert", args=(batch.pk,)) in page
    assert resume not in page
    assert "It was cut off" not in other
    assert "cut off" in text_of(desk.get(reverse("admin:catalog_batch_changelist")))


def test_the_page_says_what_was_done_whatever_the_kind(desk: Client, editor: Any, show: Show) -> None:
    cells, merge = batch_of(editor, kind="cells", status="done"), batch_of(editor, kind="merge", status="done")
    edit_show(show.pk, {"override": "Y"}, Author(user=editor, batch_id=cells.pk))
    source = Show.objects.create(name="Twin")
    edit_show(source.pk, {"override": "Y"}, Author(user=editor, batch_id=merge.pk))
    Show.objects.filter(pk=source.pk).update(merged_into=show, deleted_at=timezone.now())
    revert = batch_of(editor, kind="revert", status="done", plan={"of": {"run": 7}})
    file = batch_of(editor, kind="import", status="done", plan={"file": "shows.csv"})

    pages = [text_of(desk.get(page_of(batch))) for batch in (cells, merge, revert, file)]

    for page, words in zip(
        pages, ("Override of 1 show", "Twin into Below Deck", "the run 7", "shows.csv"), strict=True
    ):
        assert words in page
