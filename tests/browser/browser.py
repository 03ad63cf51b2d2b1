"""A web tracker that a test started, and the headless Chromium that looks at it."""

import base64
import json
import os
import re
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request
from contextlib import closing, contextmanager

from selenium import webdriver
from selenium.webdriver.chrome.service import Service as DriverService

# The program's options, in one place: how a test gets sessions that end while it waits.
OPTIONS = ["--rate-limit", "0", "--funnel", "/demo/,/demo/menu.html,/demo/cart.html"]
SHORT_SESSIONS = ["--session-timeout", "4", "--lateness", "0"]

# The tracker takes headless browsers and scripts for bots, whose pages are no views.
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
OTHER_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

WAIT_SECONDS = 30
_SERVES = re.compile(r"web-tracker: (http://127\.0\.0\.1:(\d+)/)")

# Runs before the page's own scripts: what must not happen is written down, and when the page said that it is ready.
_WITNESS = """
  window.witness = {alerts: [], violations: [], ready: null};
  for (const name of ["alert", "confirm", "prompt"]) window[name] = (text) => { witness.alerts.push(String(text)); };
  addEventListener("securitypolicyviolation", (e) => witness.violations.push(e.violatedDirective + " " + e.blockedURI));
  new MutationObserver(() => {
    if (witness.ready === null && document.documentElement.dataset.ready) witness.ready = performance.now();
  }).observe(document, {attributes: true, subtree: true, attributeFilter: ["data-ready"]});
"""


def access_line(time, page, visitor="192.0.2.1"):
    """A line of an access log; `time` is a datetime of UTC."""
    return f'{visitor} - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "GET {page} HTTP/1.1" 200 9 "-" "{OTHER_BROWSER}"\n'


def eventually(condition, what, seconds=WAIT_SECONDS):
    """Asks until `condition()` is true. Fails with `what` and the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.05)


class Tracker:
    """The program on a data directory of its own; it can be stopped and started again on the same port."""

    def __init__(self, program, *options):
        self.program = program
        self.options = options
        self.folder = tempfile.TemporaryDirectory(prefix="tracker-")
        self.port = 0
        self.process = None
        self.start()

    def start(self):
        command = [self.program, "--data", os.path.join(self.folder.name, "data"), "--port", str(self.port), *OPTIONS, *self.options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        eventually(lambda: self._address() or self.process.poll() is not None, lambda: f"the service is up: {self.lines}")
        if self._address() is None:
            raise AssertionError(f"the program ended with {self.process.returncode}: {self.lines}")
        self.url, self.port = self._address()

    def _read(self, process):
        for line in process.stderr:
            self.lines.append(line)

    def _address(self):
        for line in list(self.lines):
            match = _SERVES.search(line)
            if match:
                return match.group(1), int(match.group(2))
        return None

    def stop(self):
        self.process.terminate()
        status = self.process.wait(timeout=WAIT_SECONDS)
        self.reader.join()
        self.process.stderr.close()
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        self.folder.cleanup()

    def post(self, path, name="pageview", referrer=None, props=None):
        """One event, as a program sends it. Returns when it is durable."""
        event = {"name": name, "url": self.url.rstrip("/") + path, "referrer": referrer}
        if props is not None:
            event["props"] = props
        self.post_batch([event])

    def post_batch(self, events):
        headers = {"Content-Type": "application/json", "User-Agent": OTHER_BROWSER}
        request = urllib.request.Request(self.url + "api/event", json.dumps(events).encode(), headers)
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
            if answer.status != 204:
                raise AssertionError(f"POST /api/event answered {answer.status}")

    @contextmanager
    def rows_held_up(self):
        """Meanwhile another program writes to the store of the rows, and the read models have to wait."""
        with closing(sqlite3.connect(os.path.join(self.folder.name, "data", "views.db"), isolation_level=None, timeout=WAIT_SECONDS)) as store:
            store.execute("BEGIN IMMEDIATE")
            yield
            store.execute("ROLLBACK")

    def get(self, path):
        with urllib.request.urlopen(self.url + path.lstrip("/"), timeout=WAIT_SECONDS) as answer:
            return answer.headers, answer.read()


class Chromium:
    """One headless browser; each test opens its tabs anew."""

    driver = None

    def start(self):
        """Once, with the first test."""
        if self.driver is not None:
            return
        self.profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en",
                 f"--user-agent={BROWSER}")
        for flag in (*flags, f"--user-data-dir={self.profile.name}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=DriverService("/usr/bin/chromedriver"))

    def quit(self):
        if self.driver is None:
            return
        self.driver.quit()
        self.profile.cleanup()

    def tab(self):
        """A new tab, in front."""
        self.driver.switch_to.new_window("tab")
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WITNESS})
        self.size(1280, 900)
        return self.driver.current_window_handle

    def close_tabs(self):
        """All but the first, which stays empty: without a tab the browser would end."""
        for handle in self.driver.window_handles[1:]:
            self.driver.switch_to.window(handle)
            self.driver.close()
        self.driver.switch_to.window(self.driver.window_handles[0])

    def open(self, url):
        """Opens a page in the tab and waits until it says that it is ready."""
        self.driver.get(url)
        self.ready()

    def ready(self):
        eventually(lambda: self.js("return document.documentElement.dataset.ready === 'true'"), "the page is ready")

    def show(self, handle):
        self.driver.switch_to.window(handle)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def size(self, width, height):
        self.window = (width, height)
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def dark(self, on):
        value = "dark" if on else "light"
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": value}]})

    def screenshot(self, path):
        """The whole page, below the fold too: in a window as high as it is, since what scrolls is not painted outside of one."""
        width, height = self.window
        self.size(width, max(height, int(self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["height"])))
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {})
        self.size(width, height)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def complaints(self):
        """What the console said since the last call and is a fault: errors, and reports of the content security policy."""
        entries = self.driver.get_log("browser")
        return [e["message"] for e in entries if e["level"] == "SEVERE" or "Content Security Policy" in e["message"]]
