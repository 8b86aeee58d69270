"""Pictures of the page, for the documentation if `--pictures FOLDER` says where: `make pictures`."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from support.scene import Scene

from web.server import Server

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    wanted = request.config.getoption("--pictures")
    chosen = Path(wanted) if wanted else tmp_path_factory.mktemp("pictures")
    chosen.mkdir(exist_ok=True)
    return chosen


def opened(browser: Browser, server: Server, size: dict[str, int], theme: str) -> Page:
    context = browser.new_context(viewport=size, color_scheme=theme, device_scale_factor=1, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(server.page)
    page.wait_for_selector(".card .chip")
    page.wait_for_selector(".run")
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("device", "size"), [("desktop", DESKTOP), ("phone", PHONE)])
def test_the_page_is_a_picture(
    browser: Browser, server: Server, folder: Path, device: str, size: dict[str, int], theme: str
) -> None:
    page = opened(browser, server, size, theme)
    page.wait_for_selector(".spark svg")
    picture = page.screenshot(path=folder / f"{device}-{theme}.png")
    assert len(picture) > 20_000
    if device == "phone":
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.context.close()


def test_a_window_and_a_selection_are_pictures(browser: Browser, server: Server, made: Scene, folder: Path) -> None:
    page = opened(browser, server, DESKTOP, "light")
    page.get_by_role("group", name="States of bannerclicked").get_by_role("button", name="missing").click()
    page.wait_for_selector("#bar:not([hidden])")
    page.screenshot(path=folder / "selection.png")
    page.get_by_role("button", name="Export 3").click()
    page.get_by_role("button", name="Send 3 requests").wait_for()
    page.screenshot(path=folder / "preview.png")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("article", name="refunds").locator(".gap").nth(3).click()
    page.wait_for_selector(".drawer dl")
    page.screenshot(path=folder / "window.png")
    page.context.close()
