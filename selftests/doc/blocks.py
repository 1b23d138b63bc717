# SPDX-License-Identifier: GPL-2.0-only
"""What a page shows: literal blocks, and the commands in them.

A page is reStructuredText or Markdown.  A literal block follows a line that
ends with "::", or a "code-block" directive, or stands between ``` fences, or
(Markdown only) is indented by four.
"""
import re
import textwrap

PROMPT = re.compile(r"[#$] ")
C_CODE = re.compile(r".*;\s*$|#include\b|SEC\(")
FROM = re.compile(r"\s*(?:\.\.|<!--) from (\S+)(?: -->)?\s*$")
DIRECTIVE = re.compile(r"\s*\.\. (?:code-block|code|sourcecode)::\s*(\S*)\s*$")


class Block:
    """Lines of a literal block, where it is, its language, its file."""

    def __init__(self, line, text, language="", source=None):
        self.line = line
        self.lines = textwrap.dedent("\n".join(text)).split("\n")
        self.language = language
        self.source = source

    def first(self):
        return next((line for line in self.lines if line.strip()), "")

    def is_session(self):
        return self.language in ("", "console") and any(
            PROMPT.match(line) for line in self.lines)

    def is_c(self):
        return self.language in ("", "c") and not self.is_session() and any(
            C_CODE.match(line) for line in self.lines)


class Command:
    """A command with the output that is shown below it."""

    def __init__(self, line, user, text):
        self.line = line
        self.user = user        # "#" root, "$" somebody else
        self.text = text
        self.output = []

    def title(self):
        title = " ".join(self.text.replace("\\\n", " ").split())
        return title if len(title) <= 72 else title[:69] + "..."


def indent(line):
    return len(line) - len(line.lstrip())


def indented(lines, start, depth):
    """The lines from start on that are blank or indented by more than depth."""
    end = start
    while end < len(lines) and (not lines[end].strip() or
                                indent(lines[end]) > depth):
        end += 1
    return lines[start:end]


def rst_blocks(lines):
    source, i = None, 0
    while i < len(lines):
        line = lines[i]
        found = FROM.match(line)
        directive = DIRECTIVE.match(line)
        i += 1
        if found:
            source = found.group(1)
        elif directive or (line.rstrip().endswith("::") and
                           not line.lstrip().startswith(".. ")):
            text = indented(lines, i, indent(line))
            yield Block(i + 1, text, directive.group(1) if directive else "",
                        source)
            source = None
            i += len(text)


def markdown_blocks(lines):
    source, i = None, 0
    while i < len(lines):
        line = lines[i]
        found = FROM.match(line)
        i += 1
        if found:
            source = found.group(1)
        elif line.startswith("```"):
            end = i + lines[i:].index("```")
            yield Block(i + 1, lines[i:end], line[3:].strip(), source)
            source, i = None, end + 1
        elif line.startswith("    ") and not lines[i - 2].strip():
            text = indented(lines, i - 1, 3)
            yield Block(i, text, "", source)
            source = None
            i += len(text) - 1


def blocks(path):
    """All literal blocks of a page."""
    with open(path, encoding="utf-8") as page:
        lines = page.read().expandtabs().split("\n")
    return list(markdown_blocks(lines) if path.endswith(".md") else
                rst_blocks(lines))


def commands(block):
    """The commands of a session; what comes before the first is a mistake."""
    found, more = [], False
    for number, line in enumerate(block.lines, block.line):
        if more or (found and not found[-1].output and line.startswith("> ")):
            found[-1].text += "\n" + (line if more else line[2:])
            more = line.endswith("\\")
        elif PROMPT.match(line):
            found.append(Command(number, line[0], line[2:]))
            more = line.endswith("\\")
        elif found:
            found[-1].output.append(line)
        elif line.strip():
            raise ValueError(f"line {number}: output of no command")
    return found


def is_part_of(block, path):
    """Is the block in that file, as it is?  A line "..." leaves lines out."""
    with open(path, encoding="utf-8") as file:
        have = file.read().expandtabs().rstrip("\n").split("\n")
    part, parts = [], []
    for line in block.lines + ["..."]:
        if line.strip() != "...":
            part.append(line.rstrip())
            continue
        part = textwrap.dedent("\n".join(part)).strip("\n").split("\n")
        if part != [""]:
            parts.append(part)
        part = []
    at = 0
    for part in parts:
        while at < len(have):
            there = textwrap.dedent("\n".join(have[at:at + len(part)]))
            if there.split("\n") == part:
                break
            at += 1
        else:
            return False
        at += len(part)
    return bool(parts)
