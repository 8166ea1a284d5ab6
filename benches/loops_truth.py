"""Holds the loops that spanfile finds in generated spans against those that the generator planted.

    python benches/loops_truth.py PROGRAM FILE.spans DATA_DIR SPANS

reads DATA_DIR/truth_SPANS.json and DATA_DIR/flat_SPANS.parquet, which gen.py wrote, and the .spans file that was made of
the same spans. Retry storms are not in the truth file: three or more calls in a row of one run with equal tool, arguments
and agent that all failed are looked for in the flat rows. Needs pyarrow.
"""

import json
import subprocess
import sys
from collections import defaultdict

import pyarrow.parquet as pq

program, file, data, spans = sys.argv[1:5]
KINDS = {"exact_repeat": "exact_repeat", "ab_cycle": "cycle", "pingpong": "handoff_ping_pong"}


def found(table):
    sql = f"SELECT trace_id, kind, period, steps, severity FROM {table}"
    out = subprocess.run([program, file, "-json", sql], check=True, capture_output=True).stdout
    return json.loads(out)


def score(name, got, want):
    hits = len(got & want)
    print(f"{name}: {len(want)} planted, {len(got)} found, precision {hits / max(1, len(got)):.4f}, "
          f"recall {hits / max(1, len(want)):.4f}")


planted = defaultdict(set)
for loop in json.load(open(f"{data}/truth_{spans}.json"))["loops"]:
    planted[KINDS[loop["kind"]]].add((loop["trace_id"], loop["len"]))

storms = set()
columns = ["trace_id", "start_time", "agent_name", "tool_name", "tool_args", "status", "name", "span_id"]
rows = pq.read_table(f"{data}/flat_{spans}.parquet", columns=columns).to_pylist()
rows.sort(key=lambda r: (r["trace_id"], r["start_time"], r["span_id"]))
last, run = None, 0
for r in rows + [None]:
    step = r and (r["tool_name"] or r["name"].startswith(("chat ", "retrieval ")))
    if r is not None and not step and last and r["trace_id"] == last[0]:
        continue  # no step of an agent
    failed = r is not None and r["tool_name"] and r["status"] == 2
    key = (r["trace_id"], r["agent_name"], r["tool_name"], r["tool_args"]) if failed else None
    if key is not None and key == last:
        run += 1
    else:
        if run >= 3:
            storms.add((last[0], run))
        run = 1
    last = key

# The generator gives each call another result: by default such repeats are polling, and loops where results do not count.
blind = found("loops(compare_results => false)")
for kind in ("exact_repeat", "cycle"):
    score(kind, {(r["trace_id"], r["steps"]) for r in blind if r["kind"] == kind}, planted[kind])
# Turns of agents hold steps of their own, of which the generator counts none: only the runs are compared.
turns = [r["trace_id"] for r in blind if r["kind"] == "handoff_ping_pong"]
assert len(turns) == len(set(turns)), "two ping-pongs in a run"
score("handoff_ping_pong", set(turns), {trace for trace, _ in planted["handoff_ping_pong"]})
score("retry_storm", {(r["trace_id"], r["steps"]) for r in blind if r["kind"] == "retry_storm"}, storms)
default = found("loops")
repeats = planted["exact_repeat"] | planted["cycle"]
score("polling, by default", {(r["trace_id"], r["steps"]) for r in default if r["kind"] == "polling"}, repeats)
others = defaultdict(int)
for r in default:
    others[(r["kind"], r["severity"])] += 1
print("by default:", dict(others))
