# SPDX-License-Identifier: GPL-2.0-only
"""A shell that is given commands one by one, and what they print."""
import os
import select
import signal
import subprocess
import time

MARK = "==== the command has ended:"
# A debug kernel takes its time.
SLOWNESS = int(os.environ.get("MEMGATE_SLOWNESS", "1"))
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
          "--inh-caps=-all", "--bounding-set=-all"]


class Hangs(Exception):
    pass


class Shell:
    """bash, whose standard output and error are one stream."""

    def __init__(self, folder, environment, wrap=()):
        self.script = os.path.join(folder, f".command{os.getpid()}")
        self.bash = subprocess.Popen(
            [*wrap, "bash", "--norc", "--noprofile"], cwd=folder,
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)

    def run(self, text, limit=60):
        """The exit status and the lines that came."""
        with open(self.script, "w", encoding="utf-8") as script:
            script.write(text + "\n")
        os.chmod(self.script, 0o644)
        self.bash.stdin.write(
            f'eval "$(cat {self.script})" </dev/null; '
            f'printf "\\n%s %d\\n" "{MARK}" $?\n'.encode())
        self.bash.stdin.flush()
        output = self.read(time.monotonic() + limit * SLOWNESS)
        lines, _, status = output.partition("\n" + MARK)
        return int(status), lines.split("\n")

    def read(self, deadline):
        """All that comes before the mark, and the line of the mark."""
        output = b""
        out = self.bash.stdout.fileno()
        while MARK.encode() not in output or not output.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise Hangs("it did not end in time, after:\n" +
                            output.decode(errors="replace"))
            got = os.read(out, 65536)
            if not got:
                raise Hangs("it ended the shell, after:\n" +
                            output.decode(errors="replace"))
            output += got
        return output.decode(errors="replace")

    def environment(self):
        """What a shell of somebody else inherits."""
        _, lines = self.run("env -0 | tr '\\n\\0' ' \\n'")
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def close(self):
        """With an end of input first, for its EXIT trap."""
        self.bash.stdin.close()
        try:
            self.bash.wait(10)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.bash.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.bash.wait()
