"""What a person does on the page, in a real browser."""

import calendar
import re
from datetime import datetime

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from support.scene import Scene

from producer.queue_view import read_queue
from web.server import Server


def states(page: Page, job: str) -> Locator:
    return page.get_by_role("group", name=f"States of {job}")


def test_the_state_of_everything_is_said_in_words_at_the_top(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"\d+ windows need you"))
    expect(page.locator("#details")).to_contain_text("In 3 of 5 jobs")
    expect(page.locator("#details")).to_contain_text("4 dead")
    expect(page).to_have_title(re.compile(r"^\(\d+\) Tailrace$"))


def test_running_exports_have_bars_and_dead_letters_have_advice(page: Page) -> None:
    expect(page.locator(".run")).to_have_count(2)
    expect(page.locator(".run progress").first).to_be_visible()
    expect(page.locator(".run").first).to_contain_text("rows")
    group = page.locator(".group")
    expect(group).to_contain_text("TableMissing")
    expect(group).to_contain_text("Create the table or correct the job")


def test_what_audits_and_drills_have_proven_is_said_of_each_job(page: Page, made: Scene) -> None:
    card = page.get_by_role("article", name="bannerclicked")
    expect(card).to_contain_text(f"Verified through{made.day(24)}, audited 9 h ago")
    expect(card).to_contain_text("Last proven restorable20 h ago")
    refunds = page.get_by_role("article", name="refunds")
    expect(refunds).to_contain_text("Last proven restorablenever")
    expect(refunds).to_contain_text(f"Not coveredrows from {made.day(400)} on")
    expect(card).not_to_contain_text("Not covered")


def test_a_window_opens_its_receipt_and_its_proof(page: Page, made: Scene) -> None:
    heat = page.get_by_role("application", name="countries")
    heat.focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("countries")
    expect(drawer).to_contain_text("rows")
    expect(drawer.get_by_role("link")).to_have_attribute("href", re.compile(r"countries/\d{4}/\d\d/\d\d\.csv\.gz$"))
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    page.locator(".gap").filter(has_text="foreign").click()
    expect(drawer).to_contain_text("a blob without a receipt has this name")
    expect(drawer).to_contain_text(made.starts["foreign"])


def test_windows_are_selected_by_dragging_and_narrowed_by_state(page: Page) -> None:
    box = page.get_by_role("application", name="bannerclicked").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 10, box["y"] + 40, steps=12)
    page.mouse.move(box["x"] + box["width"] - 34, box["y"] + 60, steps=4)
    page.mouse.up()
    bar = page.get_by_role("region", name="Selected windows")
    expect(bar).to_contain_text(re.compile(r"\d+ windows of bannerclicked"))
    bar.get_by_role("button", name="3 missing").click()
    expect(bar).to_contain_text("3 windows of bannerclicked")
    bar.get_by_role("button", name="Clear").click()
    expect(bar).to_be_hidden()


def test_what_is_missing_in_a_month_is_selected_by_its_name_and_by_the_state(page: Page, made: Scene) -> None:
    month = datetime.fromisoformat(made.starts["missing"])
    box = page.get_by_role("application", name="bannerclicked").bounding_box()
    assert box
    bar = page.get_by_role("region", name="Selected windows")
    for x in range(int(box["x"] + box["width"]) - 5, int(box["x"]), -12):
        page.mouse.click(x, box["y"] + 8)
        if bar.is_visible() and bar.get_by_role("button", name="missing").is_visible():
            break
    days = calendar.monthrange(month.year, month.month)[1]
    expect(bar.locator("strong").first).to_have_text(re.compile(rf"^({days}|{made.now.day}) windows of bannerclicked$"))
    bar.get_by_role("button", name="missing").click()
    expect(bar).to_contain_text("3 windows of bannerclicked")


def test_keys_alone_select_windows_and_say_what_they_are(page: Page) -> None:
    heat = page.get_by_role("application", name="bannerclicked")
    heat.focus()
    page.keyboard.press("End")
    expect(page.get_by_role("status").first).to_contain_text("not due")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("status").first).to_contain_text("running")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.get_by_role("region", name="Selected windows")).to_contain_text("8 windows of bannerclicked")
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Selected windows")).to_be_hidden()


def test_hours_become_days_by_zooming_out_and_hours_again(page: Page) -> None:
    heat = page.get_by_role("application", name="pageviews")
    heat.focus()
    for _ in range(4):
        page.keyboard.press("-")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("status").first).to_contain_text("24 there")
    page.keyboard.press("Enter")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("status").first).to_contain_text(re.compile(r"\d\d:\d\d: there"))


def test_the_preview_is_what_is_sent_and_its_progress_is_shown(page: Page, made: Scene) -> None:
    states(page, "bannerclicked").get_by_role("button", name="missing").click()
    page.get_by_role("button", name="Export 3").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"3 requests will be sent to the queue: {made.day(22)} to {made.day(20)}.")
    before = len(read_queue(made.settings, None).live)
    dialog.get_by_role("button", name="Send 3 requests").click()
    expect(dialog).to_contain_text("3 requests sent.")
    assert len(read_queue(made.settings, None).live) == before + 3
    expect(dialog).to_contain_text("0 of 3 windows are there; 3 waiting.")
    dialog.get_by_role("button", name="Close").click()
    expect(states(page, "bannerclicked")).to_contain_text("5 waiting")


def test_what_is_there_is_exported_again_after_the_warning_that_it_is_replaced(page: Page) -> None:
    page.get_by_role("application", name="orders").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Export it again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 window is exported again: 2990000.")
    expect(dialog).to_contain_text("This replaces the blobs that are there")
    dialog.get_by_role("button", name="Replace 1 blob").click()
    expect(dialog).to_contain_text("0 of 1 done, 1 wait.")
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("region", name="Backfills")).to_contain_text("0 of 1 done, 1 wait")


def test_the_focus_stays_where_it_is_when_the_page_looks_again(page: Page) -> None:
    for button in (states(page, "refunds").get_by_role("button", name="missing"), page.locator(".group button").first):
        button.focus()
        with page.expect_response("**/api/backfills"):  # the last call of a look
            page.evaluate("document.getElementById('refresh').click()")
        expect(button).to_be_focused()


def test_dead_letters_are_dropped_only_after_the_preview(page: Page, made: Scene) -> None:
    page.get_by_role("article", name="refunds").locator(".gap").nth(3).click()
    page.get_by_role("dialog").get_by_role("button", name="Drop").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 dead letter will be deleted for good")
    assert len(read_queue(made.settings, None).dead) == 4
    dialog.get_by_role("button", name="Drop 1").click()
    expect(dialog).to_contain_text("1 dead letter dropped.")
    assert len(read_queue(made.settings, None).dead) == 3


def test_a_wrong_key_is_asked_for_and_the_right_one_opens_the_page(browser: Browser, server: Server) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{server.address}/api/ui#key=wrong")
        field = page.get_by_label("Key", exact=True)
        expect(page.get_by_role("dialog")).to_contain_text("The key of this server is missing or wrong")
        field.fill(server.key)
        with page.expect_response("**/api/status"):  # the looks go on meanwhile
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(field).to_have_value(server.key)
        page.get_by_role("button", name="Go on").click()
        expect(page.locator(".card")).to_have_count(5)
        assert server.key not in page.url


def test_a_server_that_went_away_is_said_and_its_return_is_noticed(browser: Browser, server: Server) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.page)
        page.wait_for_selector(".card .chip")
        page.route("**/api/**", lambda route: route.abort())
        page.get_by_role("button", name="Look again now").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The server does not answer")
        expect(page.locator("#details")).to_contain_text(
            "Start it again; this page goes on by itself. What is below was"
        )
        page.unroute("**/api/**")
        expect(page.get_by_role("heading", level=1)).to_contain_text("need you")


def test_a_job_is_found_by_a_part_of_its_name(page: Page) -> None:
    page.get_by_label("Show jobs whose name contains").fill("ref")
    expect(page.locator(".card")).to_have_count(1)
    page.get_by_label("Show jobs whose name contains").fill("nothing like it")
    expect(page.locator("#jobs")).to_contain_text("No job has “nothing like it” in its name.")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_is_accessible(browser: Browser, server: Server, theme: str, width: int, axe: str) -> None:
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(server.page)
        page.wait_for_selector(".run")
        page.evaluate(axe)
        assert violations(page) == []
        states(page, "bannerclicked").get_by_role("button", name="too old").click()
        assert violations(page) == []
        page.get_by_role("button", name="Export 2").click()
        page.get_by_role("button", name="Send 2 requests").wait_for()
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.locator(".gap").filter(has_text="foreign").first.click()
        page.wait_for_selector(".drawer dl")
        assert violations(page) == []


def violations(page: Page) -> list[str]:
    found = page.evaluate("axe.run(document)")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]
