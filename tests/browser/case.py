"""What the browser's tests share: a tracker of its own for each test, and questions to the page that is open."""

import os
import unittest

from browser import Chromium, Tracker, eventually

SCREENSHOTS = os.environ.get("LUNGO_SCREENSHOTS", "")

chromium = Chromium()


class BrowserTest(unittest.TestCase):
    PROGRAM = os.environ.get("LUNGO_WEB_TRACKER", "")
    OPTIONS = ()
    EXPECTED_COMPLAINTS = ()  # parts of console messages that the test itself provokes

    def setUp(self):
        chromium.start()
        self.tracker = Tracker(self.PROGRAM, *self.OPTIONS)
        self.addCleanup(self.tracker.close)
        self.addCleanup(chromium.close_tabs)
        self.dashboard = chromium.tab()
        chromium.complaints()

    def tearDown(self):
        for handle in chromium.driver.window_handles[1:]:
            chromium.show(handle)
            witness = chromium.js("return window.witness ?? {alerts: [], violations: []}")  # none: nothing was opened
            self.assertEqual(witness["alerts"], [])
            self.assertEqual(witness["violations"], [])
            complaints = [c for c in chromium.complaints() if not any(part in c for part in self.EXPECTED_COMPLAINTS)]
            self.assertEqual(complaints, [])

    def open(self, path):
        chromium.open(self.tracker.url + path.lstrip("/"))

    def tile(self, name):
        return chromium.js("return document.querySelector(`[data-tile=${arguments[0]}]`).textContent", name)

    def rows(self, name):
        """{what a list shows: its count}"""
        script = """return Object.fromEntries([...document.querySelectorAll(`[data-list=${arguments[0]}] tbody tr`)]
            .map((row) => [row.querySelector(".name").textContent, row.lastChild.textContent]))"""
        return chromium.js(script, name)

    def wait_for_tile(self, name, text):
        eventually(lambda: self.tile(name) == text, lambda: f"{name} is {text}; it is {self.tile(name)}")

    def wait_for_rows(self, name, rows):
        eventually(lambda: self.rows(name) == rows, lambda: f"{name} are {rows}; they are {self.rows(name)}")

    def click(self, selector):
        eventually(lambda: chromium.js("return document.querySelector(arguments[0]) !== null", selector), f"there is {selector}")
        chromium.driver.find_element("css selector", selector).click()

    def text(self, selector):
        return chromium.js("return document.querySelector(arguments[0]).innerText", selector)
