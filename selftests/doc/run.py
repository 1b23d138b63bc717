# SPDX-License-Identifier: GPL-2.0-only
"""Runs the commands that pages show and compares what they print.

    run.py SKIP-TABLE PAGE...

TAP on standard output, one test for each command; see doc_test.sh.
"""
import fnmatch
import os
import shutil
import subprocess
import sys
import tempfile

from blocks import blocks, commands, is_part_of
from shape import fits
from shell import Hangs, NOBODY, Shell

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PINS = "/sys/fs/bpf"


class Tap:
    def __init__(self):
        self.number = self.failed = 0

    def result(self, good, name, why=()):
        self.number += 1
        self.failed += not good
        print(f"{'' if good else 'not '}ok {self.number} {name}")
        for line in () if good else why:
            print(f"# {line}")
        sys.stdout.flush()
        return good


class Skips:
    """Commands that are not run: "PAGE | PATTERN | REASON" a line.

    PATTERN is a glob for the command, "code " and a glob for the first line
    of a block of C, or "-" where the page shows no command at all.
    """

    def __init__(self, path):
        self.entries, self.used = [], set()
        with open(path, encoding="utf-8") as table:
            for line in table:
                if line.strip() and not line.startswith("#"):
                    entry = [word.strip() for word in line.split(" | ")]
                    if len(entry) != 3 or not all(entry):
                        raise ValueError(f"{path}: no reason: {line.strip()}")
                    self.entries.append(tuple(entry))

    def reason(self, page, text):
        text = " ".join(text.replace("\\\n", " ").split())
        for entry in self.entries:
            if entry[0] == page and fnmatch.fnmatchcase(text, entry[1]):
                self.used.add(entry)
                return entry[2]
        return None

    def unused(self, pages):
        return [" | ".join(entry) for entry in self.entries
                if entry[0] in pages and entry not in self.used]


def check_code(tap, skips, page, block):
    """A block of C must be a file's, which the build compiles."""
    if not block.source and (not block.is_c() or
                             skips.reason(page, "code " + block.first())):
        return
    name = f"{page}:{block.line} code of {block.source or 'no file'}"
    path = os.path.join(TOP, block.source or "")
    good = os.path.isfile(path) and is_part_of(block, path)
    tap.result(good, name, ["the page shows what is not in the file"
                            if block.source else
                            "say which by '.. from FILE' before it"])


def page_name(path):
    return os.path.splitext(os.path.basename(path))[0]


class Page:
    """The shells of one page, and the folder that they are in."""

    def __init__(self, path):
        self.name = page_name(path)
        self.folder = tempfile.mkdtemp(prefix="doc-", dir="/tmp")
        os.chmod(self.folder, 0o1777)
        self.pins = set(os.listdir(PINS)) if os.path.isdir(PINS) else set()
        self.root = self.user = None

    def set_up(self):
        env = dict(os.environ, TOP=TOP, BASH_ENV="", LC_ALL="C.UTF-8")
        self.root = Shell(self.folder, env)
        for name in ("prelude", self.name):
            script = os.path.join(HERE, name + ".sh")
            if os.path.exists(script):
                status, lines = self.root.run(f". {script}")
                if status:
                    raise Hangs(f"{script} failed:\n" + "\n".join(lines))

    def shell(self, user):
        if user == "#":
            return self.root
        if not self.user:
            env = self.root.environment()
            env.update(HOME=self.folder, USER="nobody")
            self.user = Shell(self.folder, env, NOBODY)
        return self.user

    def close(self):
        for shell in (self.user, self.root):
            if shell:
                shell.close()
        if os.path.isdir(PINS):
            for pin in set(os.listdir(PINS)) - self.pins:
                subprocess.run(["rm", "-rf", f"{PINS}/{pin}"], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def check_command(tap, page, command):
    shell = page.shell(command.user)
    status, lines = shell.run(command.text)
    if command.text.endswith("&"):
        shell.run("! declare -F settled >/dev/null || settled")
    shown = [line for line in command.output if line.strip()]
    name = f"{page.name}:{command.line} {command.title()}"
    if shown:
        return tap.result(fits(shown, lines), name,
                          ["shown:", *shown, f"printed (exit {status}):",
                           *lines])
    return tap.result(status == 0, name,
                      [f"exit {status}, and no output is shown", *lines])


def check_page(tap, skips, path):
    page = Page(path)
    shown = run = 0
    try:
        for block in blocks(path):
            check_code(tap, skips, page.name, block)
            for command in commands(block) if block.is_session() else ():
                shown += 1
                reason = skips.reason(page.name, command.text)
                if reason:
                    print(f"# {page.name}:{command.line} not run, {reason}: "
                          f"{command.title()}")
                    continue
                if not run:
                    page.set_up()
                run += 1
                check_command(tap, page, command)
    except (Hangs, ValueError) as error:
        tap.result(False, f"{page.name}: all of it was run",
                   str(error).split("\n"))
    finally:
        page.close()
    if not shown:
        tap.result(skips.reason(page.name, "-"),
                   f"{page.name} shows no command",
                   ["give an example, or a reason in doc_skip"])


def main():
    tap, skips = Tap(), Skips(sys.argv[1])
    print("TAP version 13")
    for path in sys.argv[2:]:
        check_page(tap, skips, path)
    unused = skips.unused([page_name(path) for path in sys.argv[2:]])
    tap.result(not unused, "every entry of doc_skip is needed", unused)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


sys.exit(main())
