"""Checks the repository against one rule, or against all of them.

usage: tidy.py ROOT [RULE...]      without a rule: every rule
       tidy.py --list              the rules' names
"""

import sys

import rules_code
import rules_includes
import rules_text
from source import Tree

RULES = {
    rule.__name__: rule
    for rule in (
        rules_includes.arrows,
        rules_includes.third_party_homes,
        rules_includes.public_headers,
        rules_code.threads,
        rules_code.file_calls,
        rules_code.no_mmap,
        rules_code.manners,
        rules_code.sleeps,
        rules_code.macros,
        rules_code.coroutine_traps,
        rules_code.hidden_constants,
        rules_text.file_length,
        rules_text.forbidden_words,
        rules_text.header_comments,
        rules_text.reference_documents,
        rules_text.document_links,
        rules_text.readme_quickstart,
        rules_text.golden_files,
    )
}


def main(arguments):
    if arguments == ["--list"]:
        print("\n".join(RULES))
        return 0
    tree = Tree.load(arguments[0])
    findings = [finding for name in arguments[1:] or RULES for finding in RULES[name](tree)]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
