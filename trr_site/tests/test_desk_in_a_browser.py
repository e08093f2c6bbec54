"""An editor's day at the desk, in a real browser before a real server."""

from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from catalog.models import Change, Show
from demo.upstream import Upstream
from ingestion.options import Options
from ingestion.sync import sync_shows
from ingestion.tests.worlds import world
from trr_site.tests.browser import Browser, work_off_queue

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180), pytest.mark.once]


@pytest.fixture
def desk(browser: Browser, editor: Any) -> Browser:
    browser.log_in("anna", "anna's secret")
    return browser


def cell(show: Show, field: str) -> str:
    return f"#result_list tr[data-row='{show.pk}'] [data-field='{field}']"


def wait_for(browser: Browser, what: Any) -> None:
    browser.wait(lambda: what() or None, "the database never held it")


def names_on_page(browser: Browser) -> list[str]:
    return [link.text for link in browser.all("#result_list tbody [data-field='name'] a")]


def test_an_editor_logs_in_filters_and_finds_a_show(desk: Browser, shows: list[Show]) -> None:
    desk.open("catalog_show_changelist")
    assert len(names_on_page(desk)) == 6

    desk.press("/")
    desk.press("vanderp", Keys.ENTER)
    desk.wait(lambda: names_on_page(desk) == ["Vanderpump Rules"])

    desk.open("catalog_show_changelist", query="?status=Ended")
    assert sorted(names_on_page(desk)) == ["Ridiculousness", "Summer House", "Teen Mom"]

    desk.open("catalog_show_changelist", query="?q=tt900100")
    assert len(names_on_page(desk)) == 6


def test_a_cell_is_edited_with_the_keyboard_alone(desk: Browser, shows: list[Show]) -> None:
    show = shows[0]
    desk.open("catalog_show_changelist")
    desk.focus(cell(show, "override"))
    desk.click(cell(show, "override"))

    desk.press("skip", Keys.ENTER)

    wait_for(desk, lambda: Show.objects.get(pk=show.pk).override == "SKIP")
    desk.wait(lambda: desk.find(cell(show, "override")).text == "SKIP")
    change = Change.objects.get()
    assert (change.user.username, change.fields["override"]) == ("anna", ["", "SKIP"])

    desk.chord(Keys.CONTROL, "z")
    wait_for(desk, lambda: Show.objects.get(pk=show.pk).override == "")


def test_a_value_that_can_not_be_is_refused_at_its_cell_and_nothing_is_saved(desk: Browser, shows: list[Show]) -> None:
    desk.open("catalog_show_changelist")
    desk.click(cell(shows[1], "override"))

    desk.press("often", Keys.ENTER)

    desk.wait(lambda: "is-refused" in desk.find(cell(shows[1], "override")).get_attribute("class"))
    assert desk.shows("Write SKIP, Y, ")
    assert not Change.objects.exists()


def test_twenty_cells_are_pasted_in_one_step_and_reverted_as_one(
    desk: Browser, transactional_db: None, editor: Any
) -> None:
    shows = [Show.objects.create(name=f"Show {number:02}") for number in range(20)]
    desk.open("catalog_show_changelist")
    desk.click(cell(shows[0], "override"))
    lines = "\\n".join(str(number + 1) for number in range(20))

    desk.driver.execute_script(
        "const data = new DataTransfer(); data.setData('text/plain', '" + lines + "');"
        "document.activeElement.dispatchEvent("
        "new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}))"
    )

    wait_for(desk, lambda: Change.objects.count() == 20)
    overrides = list(Show.objects.order_by("name").values_list("override", flat=True))
    assert overrides == [str(number + 1) for number in range(20)]
    batches = set(Change.objects.values_list("batch_id", flat=True))
    assert len(batches) == 1
    desk.open("catalog_batch_revert", batches.pop())
    desk.click_text("Revert 20 shows")
    wait_for(desk, lambda: not Show.objects.exclude(override="").exists())


def test_two_windows_on_one_row(desk: Browser, shows: list[Show]) -> None:
    show = shows[2]
    desk.open("catalog_show_changelist")
    desk.new_window()
    desk.open("catalog_show_changelist")
    desk.click(cell(show, "override"))
    desk.press("5", Keys.ENTER)
    wait_for(desk, lambda: Show.objects.get(pk=show.pk).override == "5")

    desk.window(0)
    desk.click(cell(show, "override"))
    desk.press("SKIP", Keys.ENTER)

    desk.wait(lambda: "is-refused" in desk.find(cell(show, "override")).get_attribute("class"))
    assert desk.shows("anna")
    assert Show.objects.get(pk=show.pk).override == "5"
    desk.click("#grid-problems li button")
    wait_for(desk, lambda: Show.objects.get(pk=show.pk).override == "SKIP")


def test_two_windows_on_one_show_page_are_merged_field_by_field(desk: Browser, shows: list[Show]) -> None:
    show = shows[0]
    desk.open("catalog_show_change", show.pk)
    desk.new_window()
    desk.open("catalog_show_change", show.pk)
    desk.fill("id_name", "Below Deck (US)")
    desk.fill("id_description", "At sea.")
    desk.click_text("Save and continue editing")
    wait_for(desk, lambda: Show.objects.get(pk=show.pk).name == "Below Deck (US)")

    desk.window(0)
    desk.fill("id_name", "Mine")
    desk.fill("id_reason", "as the network writes it")
    desk.click_text("Save")
    desk.find("input[name='choice-name'][value='mine']")
    assert Show.objects.get(pk=show.pk).name == "Below Deck (US)"
    desk.click("input[name='choice-name'][value='mine']")
    desk.click_text("Save")

    wait_for(desk, lambda: Show.objects.get(pk=show.pk).name == "Mine")
    show.refresh_from_db()
    assert show.description == "At sea."
    assert Change.objects.first().reason == "as the network writes it"


def test_an_edit_stands_through_a_sync_is_unlocked_and_reverted(upstream: Upstream, desk: Browser, editor: Any) -> None:
    show = world(upstream, 1)[0]
    assert sync_shows(Options(), kind="sync_shows").exit_code == 0
    desk.open("catalog_show_change", show.pk)
    desk.fill("id_name", "Mine")
    desk.click_text("Save and continue editing")
    padlock = "[data-side='name'] .show-lock"
    desk.wait(lambda: "locked. Unlock it" in desk.find(padlock).get_attribute("aria-label"))

    desk.click_text("Sync now")
    assert desk.shows("queued")
    assert work_off_queue() == 1
    desk.open("catalog_show_change", show.pk)
    assert desk.find("#id_name").get_attribute("value") == "Mine"
    assert desk.shows("Island 1001")  # what TMDb says stands beside it

    desk.fill("id_description", "Still typing")
    desk.click(padlock)
    desk.wait(lambda: desk.find("#id_name").get_attribute("value") == "Island 1001")
    assert desk.find("#id_description").get_attribute("value") == "Still typing"
    wait_for(desk, lambda: Show.objects.get(pk=show.pk).locked_fields == [])
    assert Show.objects.get(pk=show.pk).name == "Island 1001"

    edit = Change.objects.filter(user__username="anna").order_by("id").first()
    unlock = Change.objects.filter(user__username="anna").order_by("id").last()
    desk.driver.execute_script("window.onbeforeunload = null")
    desk.open("catalog_change_revert", unlock.pk)
    desk.click_text("Revert 1 show")
    wait_for(desk, lambda: Show.objects.get(pk=show.pk).name == "Mine")
    desk.open("catalog_change_revert", edit.pk)
    desk.click_text("Revert 1 show")
    wait_for(desk, lambda: Show.objects.get(pk=show.pk).name == "Island 1001")
    assert Show.objects.get(pk=show.pk).locked_fields == []


def test_duplicates_are_merged_and_the_merge_undone(desk: Browser, shows: list[Show]) -> None:
    stays, goes = shows[3], Show.objects.create(name="The Challenge", description="MTV's own.", tags=["sport"])
    desk.open("catalog_show_merge", query=f"?a={stays.pk}&b={goes.pk}")
    desk.click("input[name='pick_description'][value='source']")
    desk.fill("merge_reason", "the same show, twice in the old sheet")

    desk.click(".merge-form button.primary")

    wait_for(desk, lambda: Show.all_objects.get(pk=goes.pk).merged_into_id == stays.pk)
    assert Show.objects.get(pk=stays.pk).description == "MTV's own."
    desk.expected.append("410 (Gone)")
    desk.open("catalog_show_change", goes.pk)
    assert desk.shows("merged into")

    batch = Change.objects.filter(kind="merged").get().batch_id
    desk.open("catalog_show_unmerge", batch)
    desk.click_text("Undo the merge")
    wait_for(desk, lambda: Show.objects.filter(pk=goes.pk).exists())
    assert Show.objects.get(pk=stays.pk).description is None


def test_many_shows_are_edited_at_once_after_a_preview(desk: Browser, shows: list[Show]) -> None:
    desk.open("catalog_show_changelist", query="?status=Ended")
    desk.click("#action-toggle")
    desk.choose("select[name='action']", "Bulk edit…")
    desk.click_text("Run")
    desk.wait(lambda: "/bulk/" in desk.driver.current_url)
    desk.choose("select[name$='field']", "Tags")
    desk.choose("select[name$='action']", "Add")
    desk.find("[name$='value']").send_keys("finished")
    desk.fill("id_reason", "they have ended")
    desk.click_text("Preview")
    assert desk.shows("3 will change")
    assert not Change.objects.exists()

    desk.click_text("Apply to 3 shows")

    wait_for(desk, lambda: Show.objects.filter(tags=["finished"]).count() == 3)
    assert desk.shows("they have ended")
    assert set(Change.objects.values_list("reason", flat=True)) == {"they have ended"}


def test_a_doubtful_match_is_settled_in_the_inbox(desk: Browser, shows: list[Show]) -> None:
    lost = Show.objects.create(name="Lost at Sea", needs_tmdb_resolution=True)
    desk.open("catalog_show_review", query="?queue=unresolved")
    assert desk.shows("Lost at Sea")

    desk.click_text("Identify")
    desk.wait(lambda: "/identify/" in desk.driver.current_url)
    desk.open("catalog_show_change", lost.pk)
    desk.fill("id_tmdb_id", "4711")
    desk.click_text("Save")

    wait_for(desk, lambda: Show.objects.get(pk=lost.pk).tmdb_id == 4711)
    assert not Show.objects.get(pk=lost.pk).needs_tmdb_resolution
