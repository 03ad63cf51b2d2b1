"""Whether `run` tells each fault from the others: on a tree of a few files, whose product are two texts and whose test program a
script."""

import pathlib
import shutil
import subprocess
import tempfile
import textwrap
import unittest

HERE = pathlib.Path(__file__).resolve().parent

SETUP = """\
lungo_build() {
  ! grep -q 'no program' log/thing.txt && mkdir -p build/release/tests && install -m 755 program build/release/tests/toy
}
"""
# Passes while the text says "right"; a crash and another test are there to be told apart.
PROGRAM = """\
#!/bin/bash
[[ $1 == --gtest_filter=Thing.* ]] || exit 0
echo '[ RUN      ] Thing.IsRight'
grep -q crash log/thing.txt && kill -SEGV $$
grep -q right log/thing.txt && grep -q fine log/other.txt || { echo '[  FAILED  ] Thing.IsRight (0 ms)'; exit 1; }
echo '[       OK ] Thing.IsRight (0 ms)'
"""


def also(find, replace):
    return textwrap.dedent(f"""\
        [[mutant.also]]
        file = "log/other.txt"
        find = "{find}"
        replace = "{replace}"
        """)


def mutant(name, find, replace, test="Thing.IsRight"):
    return textwrap.dedent(f"""\
        [[mutant]]
        name = "{name}"
        what = "a bug"
        file = "log/thing.txt"
        find = "{find}"
        replace = "{replace}"
        program = "toy"
        test = "{test}"
        """)


class Runner(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for path, text in {"cmake/setup.sh": SETUP, "program": PROGRAM, "log/thing.txt": "all is right and well\n",
                           "log/other.txt": "fine\n"}.items():
            (self.root / path).parent.mkdir(exist_ok=True)
            (self.root / path).write_text(text)
        (self.root / "tests/mutants").mkdir(parents=True)
        shutil.copy(HERE / "run", self.root / "tests/mutants/run")

    def run_with(self, *mutants):
        (self.root / "tests/mutants/mutants.toml").write_text("\n".join(mutants))
        done = subprocess.run([self.root / "tests/mutants/run"], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_a_further_test_has_to_find_it_by_itself(self):
        also = 'found_by = [{ program = "toy", test = "Other.Blind" }]\n'
        status, out = self.run_with(mutant("wrong", "right", "wrong") + also)
        self.assertNotEqual(status, 0, out)
        self.assertIn("no such test", out)
        status, out = self.run_with(mutant("wrong", "right", "wrong") + also.replace("Other.Blind", "Thing.IsRight"))
        self.assertEqual(status, 0, out)
        self.assertIn("wrong_2", out)

    def test_each_is_found_and_the_tree_stays_as_it_is(self):
        status, out = self.run_with(mutant("wrong", "right", "wrong"), mutant("crashes", "well", "crash"))
        self.assertEqual(status, 0, out)
        self.assertIn("2 of 2 planted bugs were found", out)
        self.assertEqual((self.root / "log/thing.txt").read_text(), "all is right and well\n")
        self.assertFalse((self.root / "build").exists())

    def test_what_is_not_found_is_told_and_the_next_is_planted_alone(self):
        status, out = self.run_with(mutant("harmless", "well", "good"), mutant("wrong", "right", "wrong"))
        self.assertEqual(status, 1, out)
        self.assertRegex(out, r"harmless +NOT FOUND")
        self.assertRegex(out, r"wrong +found")

    def test_an_edit_that_does_not_apply_is_told(self):
        for find in ("gone", "l"):  # nowhere, and in several places
            status, out = self.run_with(mutant("old", find, "x"))
            self.assertEqual(status, 1, out)
            self.assertIn("the edit does not apply", out)

    def test_a_bug_may_take_several_edits(self):
        two = mutant("both", "well", "good") + also("fine", "broken")
        status, out = self.run_with(two, mutant("alone", "well", "good"))
        self.assertRegex(out, r"both +found")
        self.assertRegex(out, r"alone +NOT FOUND")
        status, out = self.run_with(mutant("both", "well", "good") + also("gone", "x"))
        self.assertEqual(status, 1, out)
        self.assertIn("the edit does not apply: what it looks for stands 0 times in log/other.txt", out)

    def test_an_edit_that_does_not_compile_is_no_bug_that_was_found(self):
        status, out = self.run_with(mutant("nonsense", "right", "no program"))
        self.assertEqual(status, 1, out)
        self.assertIn("it does not compile", out)

    def test_the_tests_have_to_be_there_and_to_pass_before(self):
        status, out = self.run_with(mutant("wrong", "right", "wrong", "Other.IsRight"))
        self.assertEqual(status, 1, out)
        self.assertIn("Other.IsRight: no such test in toy", out)
        (self.root / "log/thing.txt").write_text("all is wrong\n")
        status, out = self.run_with(mutant("wrong", "wrong", "worse"))
        self.assertEqual(status, 1, out)
        self.assertIn("Thing.IsRight fails without any edit: Thing.IsRight", out)


if __name__ == "__main__":
    unittest.main()
