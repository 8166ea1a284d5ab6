"""CPU time of an ingest, in all and by thread: one decodes and normalises, and ends the import; one settles, derives, seals
and commits.

    python3 benches/threads.py [-n ROUNDS] INPUT OUTPUT BINARY [BINARY ...]

BINARY is `spanfile`, or the example `ingest` of the store's package. OUTPUT is replaced. Several binaries (say, of two
commits) run in turns, and each round's ratio to the first one's CPU is taken: on a busy machine that says more than the
seconds. INPUT is read once before, for reading a file that is not in memory costs CPU too. By thread from /proc
(Linux), where the last fiftieth of a second may be missing.
"""

import argparse
import os
import statistics
import subprocess
import time


def ingest(binary, source, target):
    """CPU seconds, those of each thread, peak memory in MB, size of the file."""
    if os.path.exists(target):
        os.remove(target)
    child = subprocess.Popen([binary, "ingest", "-q", target, source], stdout=subprocess.DEVNULL)
    seen = {}
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        try:
            for thread in os.listdir(f"/proc/{child.pid}/task"):
                with open(f"/proc/{child.pid}/task/{thread}/schedstat") as f:
                    seen[thread] = int(f.read().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            pass  # it ended meanwhile
        time.sleep(0.02)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{binary} ended with {child.returncode}")
    threads = [seconds for seconds in seen.values() if seconds > 0.1]
    return used.ru_utime + used.ru_stime, threads, used.ru_maxrss / 1024, os.path.getsize(target)


def told(seconds, threads, memory, size):
    parts = " + ".join(f"{t:.2f}" for t in threads)
    return f"{seconds:.2f} s CPU ({parts}), peak {memory:.0f} MB, file {size:,} bytes"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("-n", type=int, default=3)
    options.add_argument("input")
    options.add_argument("output")
    options.add_argument("binary", nargs="+")
    options = options.parse_args()
    with open(options.input, "rb") as f:
        while f.read(1 << 20):
            pass
    runs = {binary: [] for binary in options.binary}
    for number in range(options.n):
        # Whoever comes second does so every other time.
        for binary in options.binary if number % 2 == 0 else reversed(options.binary):
            runs[binary].append(ingest(binary, options.input, options.output))
            print(binary, told(*runs[binary][-1]), flush=True)
    first = runs[options.binary[0]]
    for binary, found in runs.items():
        threads = [statistics.median(t) for t in zip(*(r[1] for r in found))]
        medians = [statistics.median(r[i] for r in found) for i in (0, 2, 3)]
        ratio = statistics.median(b[0] / a[0] for a, b in zip(first, found))
        print(f"median of {binary}: {told(medians[0], threads, *medians[1:])}; {ratio:.3f} of the first")


main()
