"""Drift that the peers' generator planted against what is found.

    python3 benches/drift_truth.py BINARY FILE TRUTH

BINARY is the program, FILE a .spans file of the generator's OTLP, TRUTH its truth_N.json. Prints the agents that drifted,
by which metrics, and how far `change_at` is from the day on which the generator changed them; exits with 1 when another
agent is named, one of them is not, or a time is off by more than half a day.
"""

import datetime
import json
import subprocess
import sys

HALF_A_DAY = 0.5


def main():
    binary, file, truth = sys.argv[1:4]
    with open(truth) as f:
        truth = json.load(f)
    sql = "SELECT agent_name, metric, ratio, p_adj, change_at FROM drift WHERE verdict = 'drift'"
    found = json.loads(subprocess.run([binary, file, "-json", sql], check=True, capture_output=True).stdout)
    began = datetime.datetime.fromtimestamp(truth["day20"] / 1e9, datetime.timezone.utc)
    good = {row["agent_name"] for row in found} == set(truth["drift"]["agents"])
    for row in found:
        change = datetime.datetime.fromisoformat(row["change_at"][:26].rstrip("Z") + "+00:00")
        off = (change - began).total_seconds() / 86400
        good &= abs(off) <= HALF_A_DAY
        print(f"{row['agent_name']:12} {row['metric']:12} ratio {row['ratio']}, p {row['p_adj']:.1e}, {off:+.2f} days off")
    print("as planted" if good else f"not as planted: {truth['drift']['agents']}")
    sys.exit(0 if good else 1)


main()
