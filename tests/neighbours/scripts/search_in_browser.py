"""Open images in the page of examples/browser and search for one: CHROMIUM URL HOW PATH SCREENSHOT.

HOW is "synthetic" (the button; PATH is unused), "choose" (a folder, by the button) or "drop".
"""

import json
import sys
import time

from playwright.sync_api import Page, sync_playwright

BLOCKED = """new Promise((resolve) => {
  addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
  fetch("http://localhost:9/").catch(() => {});
})"""
"""Return the directive by which the browser refuses a connection to another server."""

DONE = "#status:has-text('Select a person'), #error:not([hidden])"


def drop(page: Page, path: str) -> None:
    """Drop a folder on the page, as a file manager does."""
    session = page.context.new_cdp_session(page)
    for event in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [path], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": event, "x": 300, "y": 200, "data": data})


def searched(page: Page) -> list[list]:
    """Return name and similarity of the images that are nearest to the selected one."""
    items = page.locator("#nearest li").all()
    return [
        [item.locator("img").get_attribute("alt"), float(item.locator(".similarity").inner_text())]
        for item in items
    ]


chromium, url, how, path, screenshot = sys.argv[1:]
with sync_playwright() as playwright:
    # Chromium's own sandbox does not work for root, or in most containers.
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    requests, errors = [], []
    page.on("request", lambda request: requests.append([request.method, request.url]))
    page.on("pageerror", lambda error: errors.append(str(error)))
    started = time.perf_counter()
    page.goto(url)
    page.wait_for_selector("#model:not(:empty), #error:not([hidden])")
    seconds = time.perf_counter() - started
    loaded = len(requests)
    if how == "synthetic":
        page.click("#synthetic")
    elif how == "choose":
        page.set_input_files("#folder", path)
    else:
        drop(page, path)
    page.wait_for_selector(DONE, timeout=300_000)
    result = {
        "browser": browser.version,
        "seconds_to_load": seconds,
        "model": page.inner_text("#model"),
        "status": page.inner_text("#status"),
        "error": page.inner_text("#error"),
        "skipped": page.locator("#skipped li").all_text_contents(),
        "vectors": page.evaluate("people.map(({ name, vector }) => [name, [...vector]])"),
        "urls": [url for _, url in requests],
        "methods": sorted({method for method, _ in requests}),
        "later": [url for _, url in requests[loaded:]],
        "page_errors": errors,
    }
    if result["vectors"]:
        page.locator("label.person").nth(1).click()
        result["by_click"] = searched(page)
        page.keyboard.press("ArrowRight")
        result["by_key"] = searched(page)
        result["found"] = page.inner_text("#status")
    page.screenshot(path=screenshot)
    result["blocked_by"] = page.evaluate(BLOCKED)
    browser.close()
print(json.dumps(result))
