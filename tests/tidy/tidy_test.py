"""Each rule finds the violation that is planted for it, and accepts the right form beside it."""

import contextlib
import hashlib
import io
import os
import tempfile
import unittest

import check_results
from source import Tree
from tidy import RULES

OK_DOCUMENTS = ("README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "docs/README.md", "docs/reference/directory.md")

# rule: (files that violate it, files that do not)
PLANTED = {
    "hidden_constants": [
        (
            {"log/a.cpp": "constexpr std::size_t kCrcAt = 2;\n", "log/b.hpp": "inline constexpr std::size_t kCrcAt = 17;\n"},
            {"log/a.cpp": "int f(int x = kCrcAt);\n", "log/b.hpp": "inline constexpr int kCrcAt = 17;\n", "samples/c.cpp": "constexpr int kCrcAt = 2;\n"},
        )
    ],
    "arrows": [
        ({"log/a.cpp": "#include <lungo/framework/event.hpp>\n"}, {"framework/a.cpp": "#include <lungo/log/types.hpp>\n"}),
        ({"framework/a.cpp": '#include "segment.hpp"\n', "log/segment.hpp": ""}, {"log/a.cpp": '#include "segment.hpp"\n', "log/segment.hpp": ""}),
        ({"projections/a.cpp": "#include <lungo/cluster/client.hpp>\n"}, {"samples/x/main.cpp": "#include <lungo/cluster/client.hpp>\n"}),
        (
            {"cluster/tools/copy.cpp": '#include "log/tools/cli.hpp"\n', "log/tools/cli.hpp": "#pragma once\n"},
            {"cluster/tools/main.cpp": '#include "log/tools/cli.hpp"\n', "log/tools/cli.hpp": "#pragma once\n"},
        ),
        (
            {"cluster/tools/main.cpp": '#include "log/segment.hpp"\n', "log/segment.hpp": "#pragma once\n"},
            {"cluster/tools/main.cpp": "#include <lungo/log/types.hpp>\n"},
        ),
        ({"samples/a.cpp": '#include "tests/support/x.hpp"\n'}, {"tests/a.cpp": '#include "tests/support/x.hpp"\n'}),
    ],
    "third_party_homes": [
        ({"framework/a.cpp": "#include <sqlite3.h>\n"}, {"projections/a.cpp": "#include <sqlite3.h>\n"}),
        ({"cluster/client/rdk_producer.cpp": "#include <librdkafka/rdkafka.h>\n"}, {"cluster/client/rdk_handles.hpp": "#include <librdkafka/rdkafka.h>\n"}),
        (
            {"cluster/client/rdk_handles.hpp": "", "cluster/client/writer.cpp": '#include "client/rdk_handles.hpp"\n'},
            {"cluster/client/rdk_handles.hpp": "", "cluster/client/rdk_producer.cpp": '#include "client/rdk_handles.hpp"\n'},
        ),
        ({"log/a.cpp": "#include <boost/asio.hpp>\n"}, {"cluster/net/a.cpp": "#include <boost/asio.hpp>\n"}),
    ],
    "public_headers": [
        ({"log/include/lungo/log/a.hpp": "#include <spdlog/spdlog.h>\n"}, {"log/include/lungo/log/a.hpp": "#include <vector>\n"}),
        ({"log/include/lungo/log/a.hpp": '#include "segment.hpp"\n'}, {"log/include/lungo/log/a.hpp": "#include <boost/system/result.hpp>\n"}),
    ],
    "threads": [({"log/flusher.cpp": "std::thread t;\n"}, {"log/runner_posix.cpp": "std::thread t;\n", "log/a.cpp": "// std::thread\n"})],
    "file_calls": [
        ({"log/segment.cpp": "int fd = ::open(path, 0);\n"}, {"log/storage_posix.cpp": "int fd = ::open(path, 0);\n"}),
        ({"projections/sinks/file.cpp": "fdatasync(fd);\n"}, {"log/a.cpp": "storage.open(path); file->sync(); Log::open(x);\n"}),
        ({"framework/a.cpp": "std::ofstream out(path);\n"}, {"framework/a.cpp": 'text = "std::ofstream";\n'}),
    ],
    "no_mmap": [({"log/a.cpp": "void* p = mmap(0, n, 1, 2, fd, 0);\n"}, {"log/a.cpp": "// never mmap(\n"})],
    "manners": [({"log/a.cpp": "std::abort();\n"}, {"samples/x/main.cpp": "std::signal(SIGINT, f);\n"})],
    "sleeps": [({"framework/a.cpp": "std::this_thread::sleep_for(1s);\n"}, {"framework/a.cpp": "executor.wait_until(done, deadline);\n"})],
    "macros": [
        ({"log/a.cpp": "#define TRY(x) x\n"}, {"log/a.cpp": "// #define TRY\n"}),
        ({"log/a.hpp": "// A header.\n"}, {"log/a.hpp": "// A header.\n#pragma once\n"}),
    ],
    "coroutine_traps": [
        ({"cluster/a.cpp": "auto r = co_await call([x] { return x; });\n"}, {"cluster/a.cpp": "auto r = co_await call([] { return 1; });\n"}),
        ({"cluster/a.cpp": "auto r = co_await call(Fetch{from});\n"}, {"cluster/a.cpp": "Fetch f{from};\nauto r = co_await call(std::move(f));\n"}),
        ({"cluster/a.cpp": "auto r = co_await call({.from = from});\n"}, {"cluster/a.cpp": "auto r = co_await call(rows[from]);\n"}),
        ({"cluster/a.cpp": "spawn([&x]() -> Task<void> { co_await x.run(); });\n"}, {"cluster/a.cpp": "spawn([](X& x) -> Task<void> { co_await x.run(); }(x));\n"}),
    ],
    "file_length": [({"log/a.cpp": "\n" * 501}, {"log/a.cpp": "\n" * 500, "docs/a.md": "\n" * 900})],
    "forbidden_words": [
        ({"log/a.cpp": "// TO" "DO: later\n"}, {"log/a.cpp": "// nothing left to do\n"}),
        ({"docs/a.md": "see /wo" "rk/shared\n"}, {"docs/a.md": "see docs/wo" "rk/shared\n"}),
        ({"tests/peers/fetch": "https://repo1.mav" "en.org\n"}, {"tests/peers/fetch": "mvn dependency:copy-dependencies\n"}),
    ],
    "header_comments": [({"log/a.hpp": "#pragma once\n"}, {"log/a.hpp": "// Segments.\n#pragma once\n"})],
    "reference_documents": [
        ({path: "" for path in OK_DOCUMENTS if path != missing}, dict.fromkeys(OK_DOCUMENTS, "")) for missing in OK_DOCUMENTS
    ],
    "document_links": [({"docs/a.md": "[b](b.md)"}, {"docs/a.md": "[b](../log/b.md#x)", "log/b.md": ""})],
    "readme_quickstart": [
        (
            {"README.md": "```cpp\nint main() {}\n```", "samples/quickstart/main.cpp": "int main() { }\n"},
            {"README.md": "```cpp\nint main() {}\n```", "samples/quickstart/main.cpp": "int main() {}\n"},
        )
    ],
}


class EveryRule(unittest.TestCase):
    def test_finds_its_planted_violation(self):
        for name, cases in PLANTED.items():
            for bad, good in cases:
                with self.subTest(rule=name, bad=bad):
                    self.assertNotEqual(list(RULES[name](Tree(bad))), [])
                    self.assertEqual([str(finding) for finding in RULES[name](Tree(good))], [])

    def test_has_a_planted_violation(self):
        self.assertEqual(set(PLANTED) | {"golden_files"}, set(RULES))


class GoldenFiles(unittest.TestCase):
    def test_a_changed_missing_or_unlisted_file_is_found(self):
        with tempfile.TemporaryDirectory() as root:
            folder = os.path.join(root, "tests/golden/v1")
            os.makedirs(folder)
            digest = hashlib.sha256(b"bytes").hexdigest()
            tree = Tree({"tests/golden/SHA256SUMS": f"{digest}  v1/log\n"}, root)
            findings = lambda: len(list(RULES["golden_files"](tree)))

            self.assertEqual(findings(), 1)
            self._write(folder, "log", b"bytes")
            self.assertEqual(findings(), 0)
            self._write(folder, "log", b"byteS")
            self.assertEqual(findings(), 1)
            self._write(folder, "other", b"bytes")
            self.assertEqual(findings(), 2)

    @staticmethod
    def _write(folder, name, content):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)


class ResultsOfTests(unittest.TestCase):
    RESULTS = """<testsuite>
      <testcase name="Ran" status="run"/> <testcase name="Off" status="disabled"/>
      <testcase name="Skipped" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>
    </testsuite>"""
    FAILED = """<testsuite>
      <testcase name="Lost" status="fail" time="2.5"><failure/><system-out>why it failed\n</system-out></testcase>
    </testsuite>"""

    def told(self, results, *allowed):
        """(Exit status, what it says) for one file with these results."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("allowed.txt", "# why\n" + "\n".join(allowed)), ("results.xml", results)):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            with contextlib.redirect_stderr(io.StringIO()) as said:
                status = check_results.main(os.path.join(folder, "allowed.txt"), [os.path.join(folder, "results.xml")])
        return status, said.getvalue()

    def test_only_listed_ones_may_be_skipped(self):
        self.assertEqual(self.told(self.RESULTS, "Skipped", "Off"), (0, ""))
        self.assertEqual(self.told(self.RESULTS, "Skipped"), (1, "skipped, but not allowed to be: Off\n"))
        self.assertEqual(self.told(self.RESULTS, "Off", "Ran")[0], 1)

    def test_failures_are_told_with_what_they_said(self):
        self.assertEqual(self.told(self.FAILED), (1, "failed after 2.5 s: Lost\n    why it failed\n"))

    def test_no_results_at_all_are_a_failure(self):
        for files in ([], ["not-there.xml"]):
            with contextlib.redirect_stderr(io.StringIO()):
                self.assertEqual(check_results.main(os.devnull, files), 1)


if __name__ == "__main__":
    unittest.main()
