"""A real browser at the web tracker: the demo shop is visited, and the dashboard, the replay and the event browser are looked at.

usage: dashboard_test.py [PROGRAM] [unittest's own arguments]; or the program in LUNGO_WEB_TRACKER
LUNGO_SCREENSHOTS names a directory that keeps the screenshots.
"""

import os
import signal
import sys
import tempfile
import unittest
from datetime import datetime, timedelta, timezone

from selenium.webdriver.common.keys import Keys

from browser import SHORT_SESSIONS, access_line, eventually
from case import BrowserTest, chromium
from page_cases import Login, Pages, States
from replay_cases import LongReplay, Replay

HOSTILE_NAME = "<img src=x onerror=alert(1)>"
HOSTILE_PROP = "</script><script>alert(2)</script>"
HOSTILE_PAGE = "/<svg/onload=alert(3)>"


class Visit(BrowserTest):
    OPTIONS = SHORT_SESSIONS

    def test_arrives_on_the_open_dashboard_and_its_session_ends(self):
        self.open("/?period=today")
        self.assertTrue(chromium.js("return !document.getElementById('empty').hidden"))
        chromium.js("window.notReloaded = true")

        chromium.tab()
        chromium.driver.get(self.tracker.url + "demo/")
        self.click("main a[href='menu.html']")
        self.click(".coffee a[href='guji.html']")
        self.click("[data-coffee]")

        chromium.show(self.dashboard)
        self.wait_for_tile("views", "3")
        self.wait_for_rows("pages", {"/demo/": "1", "/demo/menu.html": "1", "/demo/guji.html": "1"})
        self.wait_for_rows("events", {"Add to cart": "1"})
        self.wait_for_rows("entry_pages", {"/demo/": "1"})
        self.wait_for_tile("visitors", "1")
        eventually(lambda: self.text("#live") == "1 live visitor", lambda: f"one is live: {self.text('#live')}")
        # The session's end comes by itself, when its time is over.
        self.wait_for_rows("exit_pages", {"/demo/guji.html": "1"})
        self.wait_for_tile("sessions", "1")
        self.wait_for_tile("bounce", "0 %")
        self.wait_for_tile("pages", "3.0")
        self.assertTrue(chromium.js("return window.notReloaded === true"))
        self.assertTrue(chromium.js("return document.getElementById('empty').hidden"))


class Beacon(BrowserTest):
    def wait_for_barrier(self):
        """Events of one visitor keep their order: when this one is counted, all before it are."""
        chromium.js("window.lungo('Barrier')")
        chromium.show(self.dashboard)
        eventually(lambda: "Barrier" in self.rows("events"), "the barrier is counted")

    def test_follows_single_page_navigation_once_per_path(self):
        self.open("/?period=today")
        chromium.tab()
        chromium.driver.get(self.tracker.url + "demo/guide.html")
        chromium.js("window.notReloaded = true")
        for name in ("guide-filter.html", "guide-espresso.html"):
            self.click(f".tabs a[href='{name}']")
            eventually(lambda: chromium.driver.current_url.endswith(name), f"the address is {name}")
        chromium.driver.back()
        eventually(lambda: self.text("#guide h2") == "Pour-over", "the text before is back")
        chromium.js("history.replaceState(null, '', '?the=same')")
        chromium.js("history.pushState(null, '', '#place')")
        self.assertTrue(chromium.js("return window.notReloaded === true"))
        self.wait_for_barrier()
        self.wait_for_rows("pages", {"/demo/guide.html": "1", "/demo/guide-filter.html": "2", "/demo/guide-espresso.html": "1"})
        self.assertEqual(self.tile("views"), "4")

    def test_sends_what_was_queued_before_it_was_loaded(self):
        self.open("/?period=today")
        chromium.tab()
        script = "window.lungo = function () { (lungo.q = lungo.q || []).push(arguments); }; lungo('Early', {props: {size: 3}});"
        chromium.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        chromium.driver.get(self.tracker.url + "demo/")
        chromium.show(self.dashboard)
        self.wait_for_rows("events", {"Early": "1"})

    def test_is_silent_when_privacy_is_asked_for(self):
        self.open("/?period=today")
        for property in ("doNotTrack", "globalPrivacyControl"):
            chromium.tab()
            script = f"Object.defineProperty(Navigator.prototype, '{property}', {{get: () => '1'}})"
            chromium.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
            chromium.driver.get(self.tracker.url + "demo/menu.html")
            self.click("[data-coffee]")
            eventually(lambda: self.text("[data-cart-said]") != "", "the shop works all the same")
        self.tracker.post("/barrier")
        chromium.show(self.dashboard)
        self.wait_for_rows("pages", {"/barrier": "1"})
        self.assertEqual((self.tile("views"), self.rows("events")), ("1", {}))

    def test_is_about_a_kilobyte(self):
        _, body = self.tracker.get("/js/script.js")
        self.assertLessEqual(len(body), 1200)


class Dashboard(BrowserTest):
    def test_says_how_to_begin_while_it_is_empty(self):
        self.open("/")
        eventually(lambda: self.text("#empty-title") == "No visits yet", "it knows that there is nothing at any time")
        self.assertEqual(self.text("#snippet"), f'<script defer src="{self.tracker.url}js/script.js"></script>')
        self.assertEqual(chromium.js("return document.querySelector('#empty a.button').pathname"), "/demo/")
        self.tracker.post("/first")
        self.wait_for_rows("pages", {"/first": "1"})
        # A quiet period is another thing: all time is offered.
        self.open("/?from=2020-01-01&to=2020-01-31")
        self.assertEqual(self.text("#empty-title"), "Nothing to show for this choice")
        self.click("#all-time")
        self.wait_for_rows("pages", {"/first": "1"})

    def test_is_interactive_within_a_second(self):
        for n in range(20):
            self.tracker.post_batch([{"name": "pageview", "url": f"{self.tracker.url}page-{n}"}] * 20)
        times = []
        for _ in range(3):
            self.open("/?period=today")
            times.append(eventually(lambda: chromium.js("return witness.ready"), "the time is known"))
        print(f"interactive after {', '.join(f'{t:.0f}' for t in times)} ms", file=sys.stderr)
        self.assertLess(sorted(times)[1], 1000)

    def test_keeps_its_filter_in_the_address(self):
        self.tracker.post("/here")
        self.tracker.post("/there")
        self.open("/?period=today")
        self.wait_for_rows("pages", {"/here": "1", "/there": "1"})
        chromium.js("document.querySelectorAll('[data-list=pages] button').forEach((b) => b.textContent === '/there' && b.click())")
        self.wait_for_rows("pages", {"/there": "1"})
        self.assertEqual(self.text("#page-name"), "/there")
        chromium.driver.refresh()
        chromium.ready()
        self.wait_for_rows("pages", {"/there": "1"})
        chromium.driver.back()
        self.wait_for_rows("pages", {"/here": "1", "/there": "1"})
        self.assertTrue(chromium.js("return document.getElementById('chips').hidden"))

    def test_keeps_the_focus_on_a_row_that_moves(self):
        self.tracker.post_batch([{"name": "pageview", "url": self.tracker.url + page} for page in ("a", "a", "b", "c")])
        self.open("/?period=today")
        self.wait_for_rows("pages", {"/a": "2", "/b": "1", "/c": "1"})
        chromium.js("[...document.querySelectorAll('[data-list=pages] button')].find((b) => b.textContent === '/c').focus()")
        for _ in range(2):
            self.tracker.post("/c")
        self.wait_for_rows("pages", {"/c": "3", "/a": "2", "/b": "1"})
        names = chromium.js("return [...document.querySelectorAll('[data-list=pages] button')].map((b) => b.textContent)")
        self.assertEqual(names, ["/c", "/a", "/b"])
        self.assertEqual(chromium.js("return document.activeElement.textContent"), "/c")

    def test_fills_the_gaps_of_a_series(self):
        self.open("/")
        chromium.driver.set_script_timeout(10)

        def filled(filter, unit, *points):
            script = """const [filter, unit, keys, done] = arguments;
                import("/assets/dashboard_series.js").then(({filled}) => {
                  const points = keys.map((at) => ({at, hits: 7, views: 5}));
                  done(filled(filter, {unit, points}).map(({at, hits}) => `${at}=${hits}`));
                });"""
            return chromium.driver.execute_async_script(script, filter, unit, points)

        past = {"period": None, "from": "2024-02-28", "to": "2024-03-01"}
        self.assertEqual(filled(past, "day", "2024-02-29"), ["2024-02-28=0", "2024-02-29=7", "2024-03-01=0"])
        hours = filled({**past, "to": "2024-02-28"}, "hour", "2024-02-28 23")
        self.assertEqual((len(hours), hours[0], hours[-1]), (24, "2024-02-28 00=0", "2024-02-28 23=7"))
        months = filled({"period": None, "from": "2023-11-20", "to": "2024-02-10"}, "month", "2024-01")
        self.assertEqual(months, ["2023-11=0", "2023-12=0", "2024-01=7", "2024-02=0"])
        self.assertEqual(len(filled({"period": "30m", "from": None, "to": None}, "minute")), 30)
        # What lies outside of the period is shown too: a log's clock may be ahead of ours.
        self.assertEqual(filled(past, "day", "2024-03-03")[-2:], ["2024-03-02=0", "2024-03-03=7"])
        self.assertEqual(filled({"period": "all", "from": None, "to": "2024-01-03"}, "day", "2024-01-01"),
                         ["2024-01-01=7", "2024-01-02=0", "2024-01-03=0"])

    def test_is_used_by_the_keyboard_alone(self):
        self.tracker.post("/only")
        self.open("/?period=7d")
        self.wait_for_rows("pages", {"/only": "1"})
        self.tab_to("input[name=period]")
        self.press(Keys.ARROW_LEFT)
        eventually(lambda: "period=today" in chromium.driver.current_url, "the period left of it is chosen")
        self.wait_for_rows("pages", {"/only": "1"})
        self.tab_to("[data-list=pages] button")
        self.assertNotEqual(chromium.js("return getComputedStyle(document.activeElement).outlineStyle"), "none")
        self.press(Keys.ENTER)
        eventually(lambda: "page=%2Fonly" in chromium.driver.current_url, "the page is the filter")
        # A change that arrives meanwhile does not take the focus away.
        self.wait_for_rows("pages", {"/only": "1"})
        self.tracker.post("/only")
        self.wait_for_rows("pages", {"/only": "2"})
        self.assertTrue(chromium.js("return document.activeElement.matches('[data-list=pages] button')"))
        self.tab_to("#page-chip", Keys.SHIFT + Keys.TAB)
        self.press(Keys.ENTER)
        eventually(lambda: "page=" not in chromium.driver.current_url, "the filter is gone")

    def press(self, keys):
        chromium.driver.switch_to.active_element.send_keys(keys)

    def tab_to(self, selector, key=Keys.TAB):
        for _ in range(60):
            if chromium.js("return document.activeElement.matches(arguments[0])", selector):
                return
            self.press(key)
        self.fail(f"{selector} is not reached by Tab")


class Comparison(BrowserTest):
    def setUp(self):
        self.today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0)
        self.log = tempfile.NamedTemporaryFile("w", prefix="access-", suffix=".log")
        self.addCleanup(self.log.close)
        for days_ago, hits in ((8, 2), (7, 40), (1, 3), (0, 50)):
            for _ in range(hits):
                self.log.write(access_line(self.today - timedelta(days=days_ago), "/"))
        self.log.flush()
        self.OPTIONS = ("--import", self.log.name)
        super().setUp()

    def change(self, name):
        return chromium.js("return document.querySelector(`[data-tile=${arguments[0]}] + .change`).title", name)

    def test_leaves_out_what_is_not_over(self):
        self.open("/?period=7d")
        self.wait_for_tile("hits", "53")  # today is among them
        self.assertIn("Today is not over and left out.", self.text("#compared"))
        # Of the week before the last day, which is today's counterpart, is left out too.
        before = [f"{(self.today - timedelta(days=ago)).day}" for ago in (13, 8)]
        words = self.change("hits")
        self.assertTrue(words.startswith("up 50 % against "), words)
        self.assertTrue(all(day in words for day in before), words)
        self.assertIn(words.removeprefix("up 50 % against "), self.text("#compared"))
        self.open("/?period=today")
        self.wait_for_tile("hits", "50")
        self.assertEqual(self.change("visitors"), "")
        if datetime.now(timezone.utc).hour > 0:
            self.assertIn("the same hours of", self.change("hits"))
            self.assertTrue(self.change("hits").startswith("up 999+ %"), self.change("hits"))
        self.open("/?period=all")
        self.assertEqual((self.change("hits"), self.text("#compared")), ("", ""))


class WrongAddress(BrowserTest):
    EXPECTED_COMPLAINTS = ("status of 400",)

    def is_shown(self, selector):
        return chromium.js("return document.querySelector(arguments[0]).checkVisibility()", selector)

    def test_is_told_and_leads_back(self):
        self.tracker.post("/here")
        self.open("/?from=2026-02-30&to=2026-03-01")
        eventually(lambda: self.is_shown("#way-back"), "there is a way back")
        self.assertIn("from: should be a day like 2026-11-25", self.text("#failed"))
        self.assertFalse(self.is_shown("#figures"))
        self.assertFalse(self.is_shown("#retry"), "the answer would be the same")
        self.assertEqual(chromium.js("return document.getElementById('main').ariaBusy"), "false")
        self.click("#way-back")
        self.wait_for_rows("pages", {"/here": "1"})
        self.assertIn("period=30d", chromium.driver.current_url)
        self.assertFalse(self.is_shown("#failed"))
        # Back again: no other choice's figures under the wrong address, even when the connection comes and goes.
        chromium.driver.back()
        eventually(lambda: self.is_shown("#way-back"), "there is a way back")
        self.assertFalse(self.is_shown("#figures"))
        chromium.driver.forward()
        eventually(lambda: self.is_shown("#figures") and not self.is_shown("#failed"), "the figures are back")
        self.wait_for_rows("pages", {"/here": "1"})


class Stopped(BrowserTest):
    def test_read_models_are_told_of_until_they_are_well(self):
        self.tracker.post("/before")
        self.open("/?period=today")
        self.wait_for_rows("pages", {"/before": "1"})
        self.assertEqual(self.text("#stopped"), "")
        with self.tracker.rows_held_up():
            self.tracker.post("/meanwhile")
            eventually(lambda: "Some figures may be old" in self.text("#stopped"), "the page says that rows wait")
            self.assertIn("Nothing is lost", self.text("#stopped"))
            self.assertEqual(chromium.js("return document.getElementById('stopped').role"), "status")
            self.assertEqual(chromium.js("return document.querySelector('#stopped a').pathname"), "/replay")
            self.assertEqual(self.rows("pages"), {"/before": "1"})
        self.wait_for_rows("pages", {"/before": "1", "/meanwhile": "1"})
        eventually(lambda: self.text("#stopped") == "", "the banner is gone")


    def test_names_those_that_are_broken_rather_than_those_that_wait(self):
        self.open("/?period=today")
        chromium.driver.set_script_timeout(10)

        def shown(*phases):
            script = """const [phases, done] = arguments;
                import("/assets/dashboard_health.js").then(({HealthView}) => {
                  const all = phases.map((phase, n) => ({name: `P${n}\u202e`, phase, error: phase === "live" ? null : "why"}));
                  new HealthView(() => false).show(all);
                  done(document.getElementById("stopped").textContent);
                });"""
            return chromium.driver.execute_async_script(script, phases)

        self.assertIn("1 of 3 projections (P1⟨U+202E⟩) has stopped.", shown("live", "failed", "stalled"))
        self.assertIn("2 of 3 projections (P0⟨U+202E⟩, P2⟨U+202E⟩) wait and try again.", shown("stalled", "live", "stalled"))
        self.assertIn("all projections have stopped.", shown("failed", "failed"))
        self.assertEqual(shown("live"), "")


class Restart(BrowserTest):
    EXPECTED_COMPLAINTS = ("ERR_CONNECTION_REFUSED", "WebSocket connection", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")

    def test_of_the_server_loses_nothing_on_an_open_dashboard(self):
        self.tracker.post("/before")
        self.open("/?period=today")
        self.wait_for_rows("pages", {"/before": "1"})
        chromium.js("window.notReloaded = true")
        self.tracker.stop()
        eventually(lambda: "Reconnecting" in self.text("#lost"), "the page says that it is not connected")
        self.assertEqual(self.rows("pages"), {"/before": "1"})
        self.tracker.start()
        for _ in range(5):
            self.tracker.post("/after")
        self.wait_for_rows("pages", {"/after": "5", "/before": "1"})
        eventually(lambda: self.text("#lost") == "", "the banner is gone")
        self.tracker.post("/live-again")
        self.wait_for_rows("pages", {"/after": "5", "/before": "1", "/live-again": "1"})
        self.assertTrue(chromium.js("return window.notReloaded === true"))


class Silence(BrowserTest):
    EXPECTED_COMPLAINTS = ("WebSocket connection", "WebSocket is closed", "ERR_", "signal timed out")

    def test_of_a_server_that_hangs_is_told_and_ends(self):
        self.tracker.post("/before")
        self.open("/?period=today")
        self.wait_for_rows("pages", {"/before": "1"})
        self.tracker.process.send_signal(signal.SIGSTOP)
        try:
            eventually(lambda: "Reconnecting" in self.text("#lost"), "the page says that it is not connected", 40)
        finally:
            self.tracker.process.send_signal(signal.SIGCONT)
        eventually(lambda: self.text("#lost") == "", "the banner is gone", 40)
        self.tracker.post("/after")
        self.wait_for_rows("pages", {"/after": "1", "/before": "1"})


class Hostile(BrowserTest):
    def test_texts_are_shown_as_texts(self):
        self.tracker.post(HOSTILE_PAGE, referrer="https://evil.example/<script>alert(4)</script>")
        self.tracker.post("/\u202egnp.exe?x=<b>")
        self.tracker.post("/" + "long" * 400)
        self.tracker.post("/x", name=HOSTILE_NAME, props={HOSTILE_NAME: HOSTILE_PROP, "rtl": "\u202eabc"})

        self.open("/?period=today")
        eventually(lambda: len(self.rows("pages")) == 3, lambda: f"three pages: {self.rows('pages')}")
        self.wait_for_rows("events", {HOSTILE_NAME: "1"})
        self.assert_nothing_was_injected()
        self.assertNotIn("\u202e", chromium.js("return document.documentElement.textContent"))
        self.assertLessEqual(chromium.js("return document.documentElement.scrollWidth"), 1280)

        chromium.tab()
        self.open("/events?topic=events")
        eventually(lambda: chromium.js("return document.querySelectorAll('#events tr').length") >= 4, "four events are listed")
        for row in range(1, 5):
            self.click(f"#events tr:nth-child({row}) button")
            eventually(lambda: chromium.js("return document.querySelector('#events tr:nth-child(%d)').ariaCurrent" % row) == "true", "it opens")
            payload = self.text("#payload")
            if HOSTILE_NAME in payload:
                self.assertIn(HOSTILE_PROP, payload)
                self.assertIn("\\u202e", payload)
                break
        else:
            self.fail("no event has the hostile name in its payload")
        self.assert_nothing_was_injected()
        # An address leads to the same event.
        address = chromium.driver.current_url
        chromium.driver.get(address)
        chromium.ready()
        self.assertEqual(self.text("#payload"), payload)

    def test_address_is_shown_as_text(self):
        self.open("/?period=today&page=" + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
        self.assertEqual(self.text("#page-name"), HOSTILE_NAME)
        self.assert_nothing_was_injected()

    def assert_nothing_was_injected(self):
        foreign = """return [...document.querySelectorAll("img, svg, script, iframe, object, embed, base, b, a")]
            .filter((e) => e.src && !e.src.startsWith(location.origin + "/assets/") || e.attributes.onload || e.attributes.onerror
              || ["SVG", "IFRAME", "B", "OBJECT", "EMBED", "BASE"].includes(e.tagName.toUpperCase())
              || e.protocol && e.protocol !== "http:").map((e) => e.outerHTML)"""
        self.assertEqual(chromium.js(foreign), [])


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and os.access(sys.argv[1], os.X_OK):
        BrowserTest.PROGRAM = sys.argv.pop(1)
    if not BrowserTest.PROGRAM:
        sys.exit(__doc__)
    try:
        unittest.main()
    finally:
        chromium.quit()
