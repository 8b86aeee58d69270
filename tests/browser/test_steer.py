"""Pauses, backfills and cancels on the page."""

from playwright.sync_api import Page, expect
from support.scene import Scene

from operations.pauses import pauses
from producer.queue_view import read_queue


def test_a_job_is_paused_with_a_reason_and_resumed(page: Page, made: Scene) -> None:
    card = page.get_by_role("article", name="pageviews")
    card.get_by_role("button", name="Pause").click()
    page.get_by_label("Why").fill("the table is being rebuilt")
    page.get_by_role("button", name="Pause it").click()
    expect(card).to_contain_text("the table is being rebuilt")
    assert list(pauses(made.settings)) == ["pageviews"]
    card.get_by_role("button", name="Resume").click()
    expect(card.get_by_role("button", name="Pause")).to_be_visible()
    assert list(pauses(made.settings)) == []


def test_a_backfill_shows_how_far_it_is_and_is_cancelled(page: Page, made: Scene) -> None:
    page.locator(".gap").filter(has_text="3 missing").first.click()
    page.get_by_role("button", name="Export 3").click()
    page.get_by_role("button", name="Send 3 requests").click()
    expect(page.get_by_role("dialog")).to_contain_text("3 requests sent.")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    panel = page.get_by_role("region", name="Backfills")
    expect(panel).to_contain_text("0 of 3 done, 3 wait")
    panel.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel 3").click()
    expect(page.get_by_role("dialog")).to_contain_text("3 messages cancelled.")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(panel).to_contain_text("cancelled")
    assert len(read_queue(made.settings, None).live) == 4


def test_what_waits_is_cancelled_by_its_state(page: Page, made: Scene) -> None:
    states = page.get_by_role("group", name="States of bannerclicked")
    states.get_by_role("button", name="waiting").click()
    page.get_by_role("region", name="Selected windows").get_by_role("button", name="Cancel 2").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 messages will be completed without an export")
    dialog.get_by_role("button", name="Cancel 2").click()
    expect(dialog).to_contain_text("2 messages cancelled.")
    assert len(read_queue(made.settings, None).live) == 2
