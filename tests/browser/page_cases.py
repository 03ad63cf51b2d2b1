"""How the pages look and are used, whatever they show: widths, colours, names, targets, focus."""

import os

from selenium.webdriver.common.keys import Keys

from browser import eventually
from case import SCREENSHOTS, BrowserTest, chromium
from page_checks import FAINT_GRAPHICS, FOCUSED, LOW_CONTRAST, OUTLINE_FAULTS, SMALL_TARGETS


class PageTest(BrowserTest):
    def check(self, name, width):
        """What must hold for every page in every state; keeps a picture of it."""
        eventually(lambda: chromium.js("return !document.getAnimations().some((a) => a instanceof CSSTransition)"), "colours have settled")
        folder = SCREENSHOTS or self.tracker.folder.name
        os.makedirs(folder, exist_ok=True)
        chromium.screenshot(os.path.join(folder, f"{name}.png"))
        self.assertLessEqual(chromium.js("return document.documentElement.scrollWidth"), width)
        self.assertEqual(chromium.js(LOW_CONTRAST), [])
        if width < 600:
            self.assertEqual(chromium.js(SMALL_TARGETS), [])


class Pages(PageTest):
    PATHS = {"dashboard": "/?period=today", "replay": "/replay", "events": "/events", "demo": "/demo/menu.html", "demo-product": "/demo/guji.html",
             "demo-guide": "/demo/guide.html", "demo-checkout": "/demo/checkout.html"}

    def setUp(self):
        super().setUp()
        for n, page in enumerate(("/demo/", "/demo/menu.html", "/demo/guji.html", "/a-very-long-address/" + "of-a-page-" * 20)):
            for _ in range(5 - n):
                self.tracker.post(page, referrer="https://news.example/" if n == 0 else None)
        self.tracker.post("/demo/guji.html", name="Add to cart", props={"coffee": "Guji", "price": 14.5})

    def look_at(self, path):
        chromium.driver.get(self.tracker.url + path.lstrip("/"))
        if "demo" not in path:
            chromium.ready()
        if path.startswith("/?"):
            eventually(lambda: self.tile("views").isdigit() and int(self.tile("views")) >= 14, "what was sent is counted")
        if path == "/events":
            eventually(lambda: chromium.js("return document.querySelectorAll('#events button').length > 0"), "events are listed")
            self.click("#events button")
            eventually(lambda: chromium.js("return !document.getElementById('event').hidden"), "an event is shown")

    def test_fit_their_window_in_light_and_dark(self):
        for layout, width, height in (("desktop", 1280, 900), ("phone", 390, 844), ("small", 320, 640)):
            for mode in ("light", "dark"):
                chromium.size(width, height)
                chromium.dark(mode == "dark")
                for name, path in self.PATHS.items():
                    with self.subTest(layout=layout, mode=mode, page=name):
                        self.look_at(path)
                        self.check(f"{name}-{layout}-{mode}", width)

    def test_have_landmarks_headings_in_order_and_named_controls(self):
        for name, path in self.PATHS.items():
            with self.subTest(page=name):
                self.look_at(path)
                self.assertEqual(chromium.js(OUTLINE_FAULTS), [])

    def test_show_the_focus_in_the_order_of_the_page(self):
        for width in (1280, 390):
            chromium.size(width, 844)
            for name, path in self.PATHS.items():
                with self.subTest(page=name, width=width):
                    self.look_at(path)
                    chromium.js("document.activeElement.blur(); scrollTo(0, 0)")
                    seen = []
                    for _ in range(80):
                        chromium.driver.switch_to.active_element.send_keys(Keys.TAB)
                        focused = chromium.js(FOCUSED)
                        if focused is None or (seen and focused["at"] <= seen[-1]["at"]):
                            break
                        seen.append(focused)
                    self.assertGreater(len(seen), 6)
                    self.assertEqual([f["what"] for f in seen if not f["painted"] or not f["seen"]], [])

    def test_draw_what_can_be_seen(self):
        for dark in (False, True):
            with self.subTest(dark=dark):
                chromium.dark(dark)
                self.open("/?period=today")
                self.assertEqual(chromium.js(FAINT_GRAPHICS), [])

    def test_stand_still_where_motion_is_unwanted(self):
        chromium.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]})
        self.open("/?period=today")
        self.tracker.post("/moves")
        eventually(lambda: "/moves" in self.rows("pages"), "the change is shown")
        self.assertEqual(chromium.js("return document.getAnimations().length"), 0)


class States(PageTest):
    """Pages that have nothing to show, or something sad."""

    EXPECTED_COMPLAINTS = ("ERR_CONNECTION_REFUSED", "WebSocket connection", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "status of 400")
    LAYOUTS = (("desktop", 1280, 900), ("small", 320, 640))

    def check_all(self, name):
        """The page stays as it is: what it shows may not come twice."""
        for layout, width, height in self.LAYOUTS:
            for mode in ("light", "dark"):
                chromium.size(width, height)
                chromium.dark(mode == "dark")
                with self.subTest(layout=layout, mode=mode, page=name):
                    self.check(f"{name}-{layout}-{mode}", width)

    def test_fit_their_window_too(self):
        self.open("/")
        eventually(lambda: self.text("#empty-title") == "No visits yet", "it is empty")
        self.check_all("empty")
        self.open("/?from=2026-02-30&to=2026-03-01")
        self.check_all("wrong-address")
        self.tracker.post("/")
        self.open("/?period=today")
        self.wait_for_tile("hits", "1")
        with self.tracker.rows_held_up():
            self.tracker.post("/")
            eventually(lambda: self.text("#stopped") != "", "the page says that rows wait")
            self.check_all("stopped")
        self.wait_for_tile("hits", "2")
        self.open("/replay")
        self.click("#start")
        eventually(lambda: self.text("#rebuild-state") == "done", "the rebuild is done")
        self.check_all("rebuilt")
        self.open("/?period=today")
        self.tracker.stop()
        eventually(lambda: self.text("#lost") != "", "the page says that it is not connected")
        self.check_all("disconnected")


class Login(PageTest):
    OPTIONS = ("--password-file", __file__)  # its first line is the password

    def test_fits_its_window(self):
        for layout, width, height in States.LAYOUTS:
            for mode in ("light", "dark"):
                chromium.size(width, height)
                chromium.dark(mode == "dark")
                with self.subTest(layout=layout, mode=mode):
                    chromium.driver.get(self.tracker.url + "login?wrong")
                    eventually(lambda: chromium.js("return document.getElementById('wrong')?.checkVisibility()"), "it says that it was wrong")
                    self.check(f"login-{layout}-{mode}", width)

    def test_leads_back_to_where_one_was(self):
        with open(__file__, encoding="utf-8") as file:
            password = file.readline().rstrip("\n")
        chromium.driver.get(self.tracker.url + "?period=7d")
        eventually(lambda: chromium.js("return location.pathname") == "/login", "the dashboard asks for the password")
        field = chromium.driver.find_element("css selector", "input[type=password]")
        field.send_keys("wrong\n")
        eventually(lambda: chromium.js("return document.getElementById('wrong')?.checkVisibility()"), "it says that it was wrong")
        chromium.driver.find_element("css selector", "input[type=password]").send_keys(password + "\n")
        eventually(lambda: chromium.js("return location.pathname + location.search") == "/?period=7d", "the dashboard is there")
        self.wait_for_tile("hits", "0")
