"""Real Jupyter servers on free loopback ports, and a real browser that drives them."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from .environments import KAGGLE
from .host_pages import HostNotebook, HostPage
from .lab import Lab, Notebook, Notebook7
from .server import serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

AnyNotebook = Notebook | HostNotebook
WAIT_MS = 60_000
SHUTDOWN_S = 60
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server."""
    with serve("jupyterlab", tmp_path_factory.mktemp("jupyterlab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def kaggle_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server with the widgets of Kaggle."""
    KAGGLE.make()
    with serve("jupyterlab", tmp_path_factory.mktemp("kaggle"), KAGGLE) as lab:
        yield lab


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Notebook 7 server."""
    with serve("notebook", tmp_path_factory.mktemp("notebook")) as lab:
        yield lab


@pytest.fixture(scope="module")  # Playwright runs an event loop in this thread, which other tests must not find
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


def launch(playwright: Playwright) -> Browser:
    """Start a Chromium without a window, from the system where it has one, else Playwright's."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    return playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A function that opens a browser window of its own."""
    contexts = []

    def new_page_(init_script: str = "", **options: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 1000}} | options))
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(init_script)
        contexts.append(context)
        return context.new_page()

    yield new_page_
    for context in contexts:
        context.close()


@pytest.fixture
def open_notebook(lab: Lab, new_page: Callable[..., Page]) -> Iterator[Callable[..., Notebook]]:
    """A function that opens a notebook of code cells in JupyterLab."""

    def open_(cells: list[str], **options: Any) -> Notebook:
        notebook = Notebook(new_page(**options), lab, lab.write(cells))
        notebook.open()
        return notebook

    yield open_
    _shut_kernels(lab)


@pytest.fixture
def open_in(request: pytest.FixtureRequest, new_page: Callable[..., Page]) -> Iterator[Callable[..., AnyNotebook]]:
    """A function that opens a notebook of code cells in a host: a `HostPage`, or the name of a server's fixture."""
    servers: list[Lab] = []

    def open_(host: HostPage | str, cells: list[str], **options: Any) -> AnyNotebook:
        lab: Lab = request.getfixturevalue(host if isinstance(host, str) else "lab")
        servers.append(lab)
        notebook: AnyNotebook
        if isinstance(host, HostPage):
            host.environment.make()
            notebook = HostNotebook(new_page(**options), lab, host, cells)
        elif host == "notebook7":
            notebook = Notebook7(new_page(**options), lab, lab.write(cells))
        else:
            kernel = KAGGLE.name if host == "kaggle_lab" else "python3"
            notebook = Notebook(new_page(**options), lab, lab.write(cells, kernel))
        notebook.open()
        return notebook

    yield open_
    for lab in servers:
        _shut_kernels(lab)


def _shut_kernels(lab: Lab) -> None:
    deadline = time.monotonic() + SHUTDOWN_S
    # A session's kernel goes with it; the pages of other hosts start kernels without one.
    while left := [
        (kind, each["id"]) for kind in ("sessions", "kernels") for each in json.loads(_request(lab, "GET", kind))
    ]:
        assert time.monotonic() < deadline, f"kernels were not shut down: {left}"
        with suppress(HTTPError):  # it is still starting, or ends already
            _request(lab, "DELETE", "/".join(left[0]))


def _request(lab: Lab, method: str, path: str) -> bytes:
    headers = {"Authorization": f"token {lab.token}"}
    request = urllib.request.Request(f"{lab.url}/api/{path}", headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return bytes(reply.read())
