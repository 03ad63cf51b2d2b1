"""Rebuilds, watched and steered on /replay, with a dashboard beside."""

import os
import re
import tempfile
from datetime import datetime, timezone

from browser import access_line, eventually
from case import BrowserTest, chromium


class Replay(BrowserTest):
    def test_finishes_and_the_numbers_stay(self):
        for n in range(30):
            self.tracker.post_batch([{"name": "pageview", "url": f"{self.tracker.url}page-{n % 7}"}] * 50)
        self.open("/?period=today")
        self.wait_for_tile("views", "1,500")
        pages = self.rows("pages")
        chromium.js("window.notReloaded = true")

        replay = chromium.tab()
        self.open("/replay")
        self.click("#start")
        eventually(lambda: self.text("#rebuild-state") == "done", lambda: f"the rebuild is done: {self.text('#rebuild')}")
        self.assertIn("readers see the new rows", self.text("#rebuild-outcome"))
        self.assertEqual(chromium.js("return document.getElementById('rebuild-bar').value"), 1)

        chromium.show(self.dashboard)
        self.assertTrue(chromium.js("return window.notReloaded === true"))
        self.assertEqual((self.tile("views"), self.rows("pages")), ("1,500", pages))
        self.tracker.post("/page-0")
        self.wait_for_tile("views", "1,501")
        chromium.driver.refresh()
        chromium.ready()
        self.wait_for_tile("views", "1,501")
        # The outcome stays for those who come later.
        chromium.show(replay)
        self.open("/replay")
        self.assertIn("readers see the new rows", self.text("#rebuild-outcome"))

    def test_rebuilds_what_was_chosen(self):
        self.tracker.post("/one")
        self.open("/replay")
        name = self.text("#rows tr:nth-child(2) th")
        self.click("#rows tr:nth-child(2) input")
        self.assertEqual(self.text("#start"), "Rebuild 1 projection")
        self.click("#start")
        eventually(lambda: "Rebuilt 1 projection " in self.text("#rebuild-outcome"), "one projection is rebuilt")
        self.assertEqual(self.text("#rebuild-names"), name)


# Looks at what is shown again and again, since a rebuild does not wait for a test to ask; nor for one to cancel it: with
# `cancelAt`, the first look that it accepts does so, as somebody at the keyboard would.
_WATCH = """
  window.looks = [];
  const number = (text) => Number(text.replaceAll(",", ""));
  setInterval(() => {
    const facts = Object.fromEntries([...document.querySelectorAll("#rebuild-facts div")].map((pair) => [...pair.children].map((c) => c.textContent)));
    if (!facts.Events) return;
    const [events, total] = facts.Events.split(" of ").map(number);
    const look = {state: document.getElementById("rebuild-state").textContent, events, total, left: facts["Time left"] ?? "",
      done: facts.Done, bar: document.getElementById("rebuild-bar").value};
    looks.push(look);
    if (window.cancelAt?.(look)) {
      window.cancelAt = null;
      window.canceledWith = {startDisabled: document.getElementById("start").disabled};
      document.getElementById("cancel").focus();
      document.getElementById("cancel").click();
    }
  }, 20);
"""


class LongReplay(BrowserTest):
    EVENTS = 600_000  # of as many visitors: rows are what takes time
    PAGES = 20_000

    def setUp(self):
        file, log = tempfile.mkstemp(prefix="access-", suffix=".log")
        self.addCleanup(os.remove, log)
        time = datetime.now(timezone.utc)
        with os.fdopen(file, "w") as lines:
            for n in range(self.EVENTS):
                lines.write(access_line(time, f"/page-{n % self.PAGES}", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"))
        self.OPTIONS = ("--import", log)
        super().setUp()

    def looks(self):
        return chromium.js("return looks.splice(0)")

    def assert_goes_forward(self, looks):
        for before, after in zip(looks, looks[1:]):
            self.assertGreaterEqual(after["events"], before["events"])
            self.assertGreaterEqual(after["total"], before["total"])
            self.assertGreaterEqual(after["bar"], before["bar"])

    def test_is_canceled_and_begun_again(self):
        self.open("/?period=all")
        all_of_them = f"{self.EVENTS:,}"
        tiles = lambda: (self.tile("hits"), self.tile("visitors"), set(self.rows("pages").values()))
        imported = (all_of_them, all_of_them, {f"{self.EVENTS // self.PAGES}"})
        eventually(lambda: tiles() == imported, lambda: f"all is imported: {tiles()}", 120)
        chromium.js("window.notReloaded = true")

        replay = chromium.tab()
        self.open("/replay")
        chromium.js(_WATCH)
        # Running, with a bar and the time left.
        chromium.js("window.cancelAt = (l) => l.state === 'running' && l.bar > 0 && l.bar < 1 && /^\\d+[smhd]/.test(l.left)")
        self.click("#start")
        eventually(lambda: chromium.js("return window.canceledWith"), lambda: f"the time left and the bar are shown: {self.looks()}")
        self.assertTrue(chromium.js("return canceledWith.startDisabled"))
        eventually(lambda: self.text("#rebuild-state") == "canceled", lambda: f"it is canceled: {self.text('#rebuild')}")
        self.assertIn("The old rows stay in use", self.text("#rebuild-outcome"))
        self.assertLess(chromium.js("return document.getElementById('rebuild-bar').value"), 1)
        self.assertFalse(chromium.js("return document.getElementById('cancel').checkVisibility()"))
        self.assertEqual(chromium.js("return document.activeElement.id"), "start")
        self.assert_goes_forward(self.looks())
        generations = "return [...document.querySelectorAll('#rows tr')].map((row) => row.cells[7].textContent)"
        self.assertEqual(set(chromium.js(generations)), {"1"})

        chromium.show(self.dashboard)
        self.assertEqual(tiles(), imported)
        self.tracker.post("/page-0")
        self.wait_for_tile("hits", f"{self.EVENTS + 1:,}")

        chromium.show(replay)
        self.looks()
        self.click("#start")
        eventually(lambda: self.text("#rebuild-state") == "done", lambda: f"it is done: {self.text('#rebuild')}", 120)
        looks = [look for look in self.looks() if look["state"] == "running"]
        self.assert_goes_forward(looks)
        self.assertEqual([look for look in looks if look["done"] == "100 %"], [], "the swap is not made yet")
        self.assertEqual([look for look in looks if not re.fullmatch(r"–|(\d+[smhd] ?)+", look["left"])], [])
        self.assertEqual(set(chromium.js(generations)), {"2"})

        chromium.show(self.dashboard)
        self.tracker.post("/page-0")
        self.wait_for_tile("hits", f"{self.EVENTS + 2:,}")
        self.assertTrue(chromium.js("return window.notReloaded === true"))
