"""CPU time of an ingest by thread: one decodes and normalises, one settles, derives, seals and commits.

    python3 benches/threads.py BINARY INPUT OUTPUT [BINARY ...]

OUTPUT is replaced. With several binaries (say, of two commits) they run in turns, three times each. Read from /proc
(Linux); the last fiftieth of a second may be missing.
"""

import os
import subprocess
import sys
import time


def threads_of(binary, source, target):
    if os.path.exists(target):
        os.remove(target)
    ingest = subprocess.Popen([binary, "ingest", "-q", target, source])
    seen = {}
    while ingest.poll() is None:
        try:
            for thread in os.listdir(f"/proc/{ingest.pid}/task"):
                with open(f"/proc/{ingest.pid}/task/{thread}/schedstat") as f:
                    seen[thread] = int(f.read().split()[0]) / 1e9
        except FileNotFoundError:
            pass  # it ended meanwhile
        time.sleep(0.02)
    return [f"{seconds:.2f}" for seconds in seen.values() if seconds > 0.1]


def main():
    first, source, target, *others = sys.argv[1:]
    for _ in range(3 if others else 1):
        for binary in [first, *others]:
            print(binary, "CPU seconds per thread:", ", ".join(threads_of(binary, source, target)))


main()
