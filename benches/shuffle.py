#!/usr/bin/env python3
"""Shuffles the spans of an OTLP JSON lines file: shuffle.py IN OUT [SEED]

Every span goes to a random place; requests of 100 spans are built anew, grouped by resource as a collector would.
Holds the file in memory.
"""
import json
import random
import sys


def main():
    source, target = sys.argv[1:3]
    spans = []
    heads = {}
    for line in open(source, encoding="utf-8"):
        for rs in json.loads(line)["resourceSpans"]:
            for ss in rs["scopeSpans"]:
                head = json.dumps([rs["resource"], ss["scope"]])
                number = heads.setdefault(head, len(heads))
                spans += ((number, json.dumps(s)) for s in ss["spans"])
    heads = [json.loads(h) for h in heads]
    random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1).shuffle(spans)
    with open(target, "w", encoding="utf-8") as out:
        for first in range(0, len(spans), 100):
            groups = {}
            for number, text in spans[first : first + 100]:
                groups.setdefault(number, []).append(text)
            parts = []
            for number, texts in groups.items():
                resource, scope = heads[number]
                parts.append(
                    '{"resource":%s,"scopeSpans":[{"scope":%s,"spans":[%s]}]}'
                    % (json.dumps(resource), json.dumps(scope), ",".join(texts))
                )
            out.write('{"resourceSpans":[%s]}\n' % ",".join(parts))


if __name__ == "__main__":
    main()
