"""The follower reports whatever is not as a page says, with page and line; and it follows what is right."""

import contextlib
import io
import os
import sys
import tempfile
import time
import unittest

import follow
from pages import PageError, matches, parse

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
from kafka_cluster import is_alive  # noqa: E402

PAGE = "page.md"


class Fences(unittest.TestCase):
    """What a page may hold."""

    def fault(self, text):
        with self.assertRaises(PageError) as raised:
            parse(PAGE, text)
        return str(raised.exception)

    def test_files_changes_commands_and_outputs_become_steps(self):
        steps = parse(PAGE, "Text.\n\n**`a.cpp`**\n\n```cpp\nint a;\n```\n**`a.cpp`**\n```diff\n-int a;\n```\n\n```sh\ntrue\n```\n\n```text\n\n```\n")
        self.assertEqual([(step.kind, step.line, step.name) for step in steps], [("file", 5, "a.cpp"), ("diff", 9, "a.cpp"), ("run", 13, "")])
        self.assertEqual((steps[2].expected, steps[2].expected_line), ([""], 17))

    def test_an_unknown_fence_is_an_error(self):
        self.assertTrue(self.fault("one\n\n```python\n```\n").startswith("page.md:3: nobody knows what a fence ```python asks for"))
        self.assertTrue(self.fault("```\nno language\n```\n").startswith("page.md:1: nobody knows"))

    def test_code_without_the_name_of_its_file_is_an_error(self):
        for language in ("cpp", "cmake", "diff"):
            self.assertIn(f"page.md:2: a ```{language} fence needs its file's name", self.fault(f"Look:\n```{language}\n```\n"))

    def test_a_name_without_its_fence_is_an_error(self):
        self.assertEqual(self.fault("**`a.cpp`**\n\nis missing\n"), "page.md:1: no fence follows the file's name a.cpp")
        self.assertEqual(self.fault("\n**`a.cpp`**\n"), "page.md:2: no fence follows the file's name a.cpp")
        self.assertIn("page.md:2: the fence of the file a.cpp must be", self.fault("**`a.cpp`**\n```sh\n```\n"))

    def test_output_of_nothing_is_an_error(self):
        for text in ("```text\n```\n", "```sh\ntrue\n```\nprints\n```text\n```\n", "```sh\ntrue\n```\n```text\n```\n```text\n```\n"):
            line = text.count("\n") - 1
            self.assertEqual(self.fault(text), f"page.md:{line}: a ```text fence must follow a ```sh fence, whose output it is")

    def test_code_that_hides_from_the_follower_is_an_error(self):
        self.assertIn("page.md:3: an indented block", self.fault("Type\n\n    rm -rf data\n"))
        self.assertIn("page.md:1: a fence is three backticks", self.fault("  ```sh\n  ```\n"))
        self.assertIn("page.md:1: a fence is three backticks", self.fault("~~~\n~~~\n"))
        self.assertIn("page.md:1: the fence has no end", self.fault("```sh\ntrue\n"))

    def test_a_file_outside_of_the_folder_is_an_error(self):
        for name in ("/etc/passwd", "../a.cpp", "~/a.cpp"):
            self.assertIn("page.md:1:", self.fault(f"**`{name}`**\n```cpp\n```\n"))


class Outputs(unittest.TestCase):
    """When what was printed is what the page says."""

    def test_all_lines_are_compared_exactly(self):
        self.assertTrue(matches(["a+b", ""], ["a+b", ""]))
        for printed in (["a+b"], ["a+b", "", "c"], ["aab", ""], []):
            self.assertFalse(matches(["a+b", ""], printed), printed)
        self.assertTrue(matches([], []))

    def test_dots_stand_for_what_differs(self):
        self.assertTrue(matches(["in ... s"], ["in 0.1 s"]))
        self.assertFalse(matches(["in ... s"], ["in 0.1 ms", " s"]))
        self.assertTrue(matches(["a", "...", "z"], ["a", "b", "", "z"]))
        self.assertTrue(matches(["a", "...", "z"], ["a", "z"]))
        self.assertFalse(matches(["a", "...", "z"], ["a", "b"]))


class Following(unittest.TestCase):
    """What happens in the reader's home."""

    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = home.name
        self.follower = follow.Follower(self.home, {"PATH": follow.PATH}, timeout=20)

    def fault(self, text):
        with self.assertRaises(PageError) as raised:
            self.follower.follow(PAGE, text)
        return str(raised.exception)

    def test_a_wrong_output_is_reported_with_both(self):
        fault = self.fault("One.\n\n```sh\necho two; echo three >&2\n```\n```text\ntwo\n3\n```\n")
        self.assertTrue(fault.startswith("page.md:6: this is not what was printed:\n"), fault)
        self.assertIn("\n two\n-3\n+three", fault)

    def test_a_command_that_fails_is_reported_with_its_line(self):
        fault = self.fault("One.\n```sh\ntrue\necho so far\nfalse\necho never\n```\n")
        self.assertEqual(fault, "page.md:5: the command ended with status 1; it printed:\nso far\n")
        self.assertTrue(self.fault("```sh\ntrue\nfalse | cat\n```\n").startswith("page.md:3: the command ended with status 1"))
        self.assertIn("page.md:1: the command ended with status 1", self.fault("```sh\necho $NOBODY_SET_THIS\n```\n"))
        self.assertIn("page.md:1: the command ended with status 1", self.fault("```sh\nexit 0\n```\n"))

    def test_a_command_that_does_not_end_is_reported(self):
        self.follower = follow.Follower(self.home, {"PATH": follow.PATH}, timeout=0.5)
        self.assertIn("page.md:1: the command took longer than 0.5 s", self.fault("```sh\ntail -f /dev/null\n```\n"))

    def test_what_lacks_a_variable_is_left_out_and_counted(self):
        page = "```sh\necho $KAFKA\n```\n```text\nnothing like it\n```\n```sh\necho here >here\n```\n"
        self.assertEqual(self.follower.follow(PAGE, page, ["KAFKA"]), 1)
        self.assertTrue(os.path.exists(os.path.join(self.home, "here")))
        self.assertTrue(self.fault(page).startswith("page.md:1: the command ended with status 1"))

    def test_what_a_page_leaves_running_ends_with_it(self):
        self.follower.follow(PAGE, "```sh\nsleep 60 >/dev/null 2>&1 &\necho $! >pid\n```\n```sh\nkill -0 $(cat pid)\n```\n")
        self.follower.end()
        with open(os.path.join(self.home, "pid"), encoding="ascii") as file:
            pid = int(file.read())
        deadline = time.monotonic() + 20
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(is_alive(pid))

    def test_a_page_goes_on_where_the_one_before_ended(self):
        self.follower.follow("1.md", "```sh\nmkdir ~/shop\ncd ~/shop\nexport DRINK='flat white'\n```\n**`a/b.cpp`**\n```cpp\nint a;\nint b;\n```\n")
        self.follower.follow("2.md", "```sh\npwd | sed \"s,^$HOME,~,\"\necho $DRINK\ncat a/b.cpp\n```\n```text\n~/shop\nflat white\nint a;\nint b;\n```\n")

    def test_a_change_is_made_where_it_says(self):
        self.follower.follow(PAGE, "**`a.cpp`**\n```cpp\none\ntwo\n\nthree\n```\n**`a.cpp`**\n```diff\n-one\n+1\n@@\n\n three\n+four\n```\n")
        self.follower.follow(PAGE, "```sh\ncat a.cpp\n```\n```text\n1\ntwo\n\nthree\nfour\n```\n")

    def test_a_change_that_fits_nowhere_or_twice_is_reported(self):
        self.follower.follow(PAGE, "**`a.cpp`**\n```cpp\none\ntwo\none\n```\n")
        for change, place, message in (
            ("-two\n+2\n@@\n-three", 6, "this place was found 0 times in a.cpp, not once"),
            ("-one", 3, "this place was found 2 times in a.cpp, not once"),
            (" one\ntwo", 4, "a line of a ```diff begins with ' ', '+' or '-', not: two"),
        ):
            self.assertEqual(self.fault(f"**`a.cpp`**\n```diff\n{change}\n```\n"), f"page.md:{place}: {message}")
        self.assertIn("page.md:2: there is no file b.cpp to change", self.fault("**`b.cpp`**\n```diff\n-a\n```\n"))

    def test_the_program_names_the_page_and_fails(self):
        tutorial, sources = os.path.join(self.home, "tutorial"), os.path.join(self.home, "sources")
        for folder in (tutorial, os.path.join(sources, "build"), os.path.join(sources, "log", "build")):
            os.makedirs(folder)
        for name, text in (("README.md", "First."), ("02.md", "```sh\nfalse\n```\n"), ("01.md", "```sh\nfind lungo\n```\n```text\nlungo\nlungo/log\nlungo/log/build\n```\n")):
            with open(os.path.join(tutorial, name), "w", encoding="utf-8") as file:
                file.write(text)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self.assertEqual(follow.main(tutorial, sources), 1)
        self.assertRegex(printed.getvalue(), r"^README\.md: .*\n01\.md: .*\n\S*/tutorial/02\.md:2: the command ended with status 1")


if __name__ == "__main__":
    unittest.main()
