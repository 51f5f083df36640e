"""The Chromium of the system, headless, as a person's browser: it loads nothing but the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_FLAGS: Final = (
    "--no-sandbox",  # tests may run as root, where the sandbox refuses to
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP: Final = {"width": 1280, "height": 860}
PHONE: Final = {"width": 360, "height": 760}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it; skip, or fail where it is required, when it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        reason = "the Debian package chromium is not installed"
        if os.environ.get("ICAM_REQUIRE_CHROMIUM"):
            pytest.fail(f"ICAM_REQUIRE_CHROMIUM is set, but {reason}")
        pytest.skip(reason)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield browser
        browser.close()


class Reader:
    """One page, with all that it asked for and complained of."""

    def __init__(self, browser: Browser, address: str, **context: Any) -> None:
        self._context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **context})
        self.page: Page = self._context.new_page()
        self.address = address
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, language: str = "en") -> Page:
        """Open the page and wait until it shows figures."""
        self.page.goto(f"{self.address}/?lang={language}")
        self.page.locator("body[data-link=live] .funnel li").first.wait_for()
        self.page.locator("#signals .signal").first.wait_for()
        return self.page

    def picture(self, path: Path, **options: Any) -> None:
        """Save what is seen; nothing that has the focus is marked."""
        self.page.screenshot(path=path, animations="disabled", **options)

    def close(self) -> None:
        self._context.close()
