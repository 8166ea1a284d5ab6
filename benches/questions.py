"""CPU time of questions over roll-ups, loops, drift and single traces, in one open session.

    python3 benches/questions.py BINARY FILE [REPEATS]

Each statement runs REPEATS times (7 unless told); first, least and median CPU of all threads are printed, in
milliseconds, read from /proc (Linux).
"""

import json
import os
import statistics
import subprocess
import sys

QUESTIONS = [
    "SELECT trace_id, root_name, llm_calls, tool_calls, total_tokens FROM runs ORDER BY total_tokens DESC LIMIT 20",
    "SELECT trace_id, sum(total_tokens) AS tokens FROM usage GROUP BY trace_id ORDER BY tokens DESC LIMIT 20",
    "SELECT agent_name, sum(total_tokens) AS tokens FROM usage GROUP BY agent_name ORDER BY tokens DESC",
    "SELECT agent_name, agent_version, sum(calls) AS calls, sum(input_tokens) AS input, sum(output_tokens) AS output"
    " FROM usage GROUP BY agent_name, agent_version",
    "SELECT count(*), sum(total_tokens), sum(llm_calls) FROM runs",
    "SELECT * FROM agents",
    "SELECT * FROM tools",
    "SELECT * FROM models",
    "SELECT * FROM sessions ORDER BY total_tokens DESC LIMIT 10",
    "SELECT count(*), sum(cost_usd) FROM cost_per_run",
    "SELECT trace_id, root_name, total_tokens, cost_usd, cost_complete FROM cost_per_run ORDER BY cost_usd DESC LIMIT 20",
    "SELECT * FROM cost_per_session ORDER BY cost_usd DESC LIMIT 20",
    "SELECT * FROM cost_per_user",
    "SELECT * FROM cost_by_agent",
    "SELECT * FROM cost_by_agent_version",
    "SELECT * FROM cost_by_workflow",
    "SELECT * FROM cost_by_model",
    "SELECT * FROM cost_by_tool",
    "SELECT * FROM cost_by_day",
    "SELECT * FROM cost_per_success",
    "SELECT * FROM cost_breakdown",
    "SELECT * FROM cost_audit LIMIT 20",
    "SELECT state, count(*) FROM budget_status GROUP BY state",
    "SELECT count(*), sum(cost_usd) FROM cost_as_of('2025-12-01')",
    "SELECT count(*), sum(cost_usd) FROM cost_what_if('gpt-5', 'gpt-5-mini')",
    "SELECT count(*) FROM loops",
    "SELECT * FROM loops",
    "SELECT * FROM loop_summary",
    "SELECT count(*) FROM agent_runs",
    "SELECT * FROM drift",
    "SELECT * FROM drift_points",
    "SELECT * FROM new_tools",
]


def cpu_ms(pid):
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
                total += int(f.read().split()[0])
        except FileNotFoundError:
            pass  # it ended meanwhile
    return total / 1e6


def main():
    binary, file = sys.argv[1:3]
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    shell = subprocess.Popen(
        [binary, file, "-jsonl", "-batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )

    def ask(sql, rows=None):
        before = cpu_ms(shell.pid)
        shell.stdin.write(f"{sql};\nSELECT 'end of rows' AS mark;\n")
        shell.stdin.flush()
        for line in shell.stdout:
            if '"mark":"end of rows"' in line:
                return cpu_ms(shell.pid) - before
            if rows is not None:
                rows.append(json.loads(line))
        sys.exit("the session ended")

    # Ids are random, so these lie all over the file.
    ten = []
    ask("SELECT trace_id FROM runs ORDER BY trace_id LIMIT 10", ten)
    ids = ", ".join(f"'{row['trace_id']}'" for row in ten)
    of_traces = f"SELECT * FROM spans WHERE trace_id IN ({ids})"

    print("first  least  median  statement")
    for sql in [*QUESTIONS, of_traces]:
        times = [ask(sql) for _ in range(repeats)]
        print(f"{times[0]:5.1f}  {min(times):5.1f}  {statistics.median(times):6.1f}  {sql}")


main()
