"""The shell on a pseudo-terminal: how long until its prompt, a completion, a prompt after Ctrl-C, a drawn run.

    python3 benches/shell.py BINARY FILE

Prints least and median milliseconds of wall time, as a person waits for them, of several rounds; the machine's other
work is in them. Runs are drawn without a terminal, of a made-up file, and CPU time is that of the whole process. Needs no
package.
"""

import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

PROMPT = b"spanfile> "
END = b"\x1b[?2026l"  # of what the editor draws at once
LONG = (
    "select count(a.span_id || b.span_id) from (select span_id, kind from spans limit 20000) a "
    "join (select span_id, kind from spans limit 200000) b on a.kind = b.kind;"
)


class Shell:
    def __init__(self, binary, path, home):
        self.begun = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = {"HOME": home, "TERM": "xterm", "PATH": os.environ["PATH"], "PAGER": "cat", "NO_COLOR": "1"}
            os.execve(binary, [binary, path], env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))

    def until(self, done, patience=120):
        text, end = b"", time.perf_counter() + patience
        while not done(text):
            if time.perf_counter() > end:
                sys.exit(f"waited in vain; the shell wrote {text[-300:]!r}")
            if select.select([self.fd], [], [], 0.5)[0]:
                text += os.read(self.fd, 65536)
        return text

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def end(self):
        self.type("\x04")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def ms(begun):
    return (time.perf_counter() - begun) * 1e3


def report(what, times):
    print(f"{what:<44} least {min(times):7.1f}  median {statistics.median(times):7.1f}  of {len(times)}")


def main():
    binary, path = os.path.abspath(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as home:
        starts = []
        for _ in range(11):
            shell = Shell(binary, path, home)
            shell.until(lambda t: PROMPT in t)
            starts.append(ms(shell.begun))
            shell.end()
        report("start to prompt", starts)

        shell = Shell(binary, path, home)
        shell.until(lambda t: PROMPT in t)
        time.sleep(5)  # names are read in the background
        for typed, wanted in [
            ("select duration_", b"duration_ns"),
            ("select * from cost_per_r", b"cost_per_run"),
            ("select count(*) from spans where agent_name = '", b"'"),
            ("select * from spans where trace_id = '00", b"00"),
        ]:
            times = []
            for _ in range(9):
                shell.type(typed)
                shell.until(lambda t: typed.encode()[-8:] in t)
                time.sleep(0.1)
                begun = time.perf_counter()
                shell.type("\t")
                shell.until(lambda t: wanted in t)
                times.append(ms(begun))
                time.sleep(0.1)
                shell.type("\x03")
                shell.until(lambda t: t.endswith(END))
                time.sleep(0.1)
            report(f"Tab after {typed[-28:]!r}", times)

        times = []
        for _ in range(5):
            shell.type(LONG + "\r")
            shell.until(lambda t: b"Ctrl-C" in t)
            begun = time.perf_counter()
            shell.type("\x03")
            shell.until(lambda t: PROMPT in t.partition(b"interrupted")[2])
            times.append(ms(begun))
        report("prompt after Ctrl-C in a join", times)
        shell.end()

        # One run of 10,000 spans: 2,000 turns of an agent, each a model call and three tools of other arguments.
        spans = []
        for i in range(10_000):
            tool = i % 5 > 1
            attributes = {
                "gen_ai.operation.name": "invoke_agent" if i == 0 else "execute_tool" if tool else "chat",
                "gen_ai.agent.name": "long",
                **({"gen_ai.tool.name": f"tool_{i % 7}", "gen_ai.tool.call.arguments": json.dumps({"n": i})} if tool else {}),
                **({"gen_ai.request.model": "gpt-5-mini", "gen_ai.usage.input_tokens": 100} if not tool and i else {}),
            }
            spans.append({
                "traceId": "0" * 31 + "1", "spanId": f"{i + 1:016x}", "name": f"step {i}",
                **({"parentSpanId": f"{1:016x}"} if i else {}),
                "startTimeUnixNano": str(10**18 + i * 10**7),
                "endTimeUnixNano": str(10**18 + (10_000 if i == 0 else i + 1) * 10**7),
                "attributes": [{"key": k, "value": {"stringValue": v} if isinstance(v, str) else {"intValue": str(v)}}
                               for k, v in attributes.items()],
            })
        lines = os.path.join(home, "long.jsonl")
        with open(lines, "w") as f:
            for at in range(0, len(spans), 500):
                part = {"resourceSpans": [{"scopeSpans": [{"spans": spans[at:at + 500]}]}]}
                f.write(json.dumps(part) + "\n")
        long = os.path.join(home, "long.spans")
        subprocess.run([binary, "ingest", long, lines, "--quiet"], check=True)
        drawn = subprocess.run([binary, "show", long, "last"], capture_output=True, text=True).stdout
        print(f"a run of {query(binary, long, 'select spans from runs')} spans: {len(drawn.splitlines())} lines")
        for options in ([], ["--expand"], ["--io"], ["--html", os.path.join(home, "run.html")]):
            times = []
            for _ in range(7):
                used = os.times()
                subprocess.run([binary, "show", long, "last", *options], capture_output=True)
                now = os.times()
                times.append((now.children_user - used.children_user + now.children_system - used.children_system) * 1e3)
            report(f"show {' '.join(options[:1])}, a whole process, CPU", times)


def query(binary, path, sql):
    return subprocess.run([binary, path, "-csv", "-noheader", sql], capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
