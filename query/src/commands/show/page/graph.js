// The execution graph: models, agents and tools in columns, with how often each called which.

const NODE = { height: 64, gap: 12, top: 56, side: 20, least: 480 };

const graphOf = () => {
  const nodes = new Map();
  const edges = new Map();
  const node = (column, kind, name) => {
    const key = `${column}\n${name}`;
    if (!nodes.has(key)) {
      nodes.set(key, { key, column, kind, name, calls: 0, ns: 0, timed: false, costs: [], failed: 0, again: 0, spans: [] });
    }
    return nodes.get(key);
  };
  const count = (n, s, i) => {
    n.calls += 1;
    if (known(s.took)) [n.ns, n.timed] = [n.ns + Number(s.took), true];
    if (known(s.cost)) n.costs.push(s.cost);
    if (s.failed) n.failed += 1;
    if (s.loop) n.again += 1;
    n.spans.push(i);
  };
  const edge = (from, to, kind, i) => {
    const key = `${from.key}\n${to.key}\n${kind}`;
    if (!edges.has(key)) edges.set(key, { from, to, kind, calls: 0, spans: [] });
    const e = edges.get(key);
    e.calls += 1;
    e.spans.push(i);
  };
  const nobody = run.workflow ?? "run";
  const agentOf = (s) => (known(s.agent) ? node("agent", "agent", s.agent) : node("agent", "workflow", nobody));

  // Who had the run's first step stands first.
  steps.forEach((i) => {
    const s = spans[i];
    const agent = agentOf(s);
    count(agent, s, i);
    if (s.kind === "handoff") {
      if (known(s.handoff)) edge(agent, node("agent", "agent", s.handoff), "handoff", i);
      return;
    }
    const model = s.kind === "llm" || s.kind === "embedding" || s.kind === "reranker";
    const callee = model
      ? node("model", s.kind, s.model ?? "model not recorded")
      : node("tool", s.kind, s.tool ?? called(s));
    count(callee, s, i);
    edge(agent, callee, model ? "model" : "tool", i);
  });
  spans.forEach((s, i) => {
    if (known(s.step) || !known(s.model) || s.kind !== "embedding") return;
    const model = node("model", s.kind, s.model);
    count(model, s, i);
    edge(agentOf(s), model, "model", i);
  });

  // An agent within another was called by it; agents that take turns beside each other handed off.
  const outer = (i) => {
    let top = i;
    while (up[top] >= 0 && (spans[up[top]].agent ?? spans[i].agent) === spans[i].agent) top = up[top];
    return up[top];
  };
  const within = (i, agent) => {
    for (let above = outer(i); above >= 0; above = outer(above)) if (spans[above].agent === agent) return true;
    return false;
  };
  // Frameworks open several spans for one call of an agent: those of its own kind count, where there are any.
  const entered = spans.map((s, i) => i).filter((i) => {
    const above = up[i] >= 0 ? spans[up[i]].agent : undefined;
    return known(above) && known(spans[i].agent) && above !== spans[i].agent && nodes.has(`agent\n${spans[i].agent}`);
  });
  const named = new Set(entered.filter((i) => spans[i].kind === "agent").map((i) => spans[i].agent));
  entered.forEach((i) => {
    if (spans[i].kind === "agent" || !named.has(spans[i].agent)) edge(agentOf(spans[up[i]]), agentOf(spans[i]), "calls", i);
  });
  steps.forEach((i, at) => {
    const [before, now] = [spans[steps[at - 1]], spans[i]];
    if (!before || !known(before.agent) || !known(now.agent) || before.agent === now.agent) return;
    // Told by its own span already.
    if (before.kind === "handoff" && known(before.handoff)) return;
    if (within(i, before.agent) || within(steps[at - 1], now.agent)) return;
    edge(agentOf(before), agentOf(now), "handoff", i);
  });
  // Agents in the order in which they are met in the tree.
  const met = new Map();
  order.forEach((i, at) => met.has(agentOf(spans[i]).key) || met.set(agentOf(spans[i]).key, at));
  const shown = [...nodes.values()].filter((n) => n.calls || [...edges.values()].some((e) => e.from === n || e.to === n));
  shown.sort((a, b) => (met.get(a.key) ?? 0) - (met.get(b.key) ?? 0));
  return { nodes: shown, edges: [...edges.values()] };
};

const graph = graphOf();
// Nodes and edges that each step lights up.
const lights = new Map();
[...graph.nodes, ...graph.edges].forEach((part) =>
  part.spans.forEach((i) => (lights.get(i) ?? lights.set(i, []).get(i)).push(part)));

const arrange = (width) => {
  const columns = ["model", "agent", "tool"].map((c) => graph.nodes.filter((n) => n.column === c)).filter((c) => c.length);
  const [nodes, gaps] = [columns.length, columns.length - 1];
  // Arcs from agent to agent need room also where no column is beside them.
  const arcs = graph.edges.some((e) => e.from.column === e.to.column);
  const [before, behind] = [columns[0], columns.at(-1)].map((c) => (arcs && c?.[0].column === "agent" ? 64 : NODE.side));
  const room = width - before - behind;
  const wide = Math.max(130, Math.min(240, room / (nodes + gaps * 0.45)));
  const gap = gaps ? Math.min(260, (room - nodes * wide) / gaps) : 0;
  const left = before + (room - nodes * wide - gaps * gap) / 2;
  const agents = graph.nodes.filter((n) => n.column === "agent");
  agents.forEach((n, at) => (n.at = at));
  // Others stand beside the agents that call them.
  const pull = (n) => {
    const calls = graph.edges.filter((e) => e.to === n);
    return calls.reduce((sum, e) => sum + e.from.at * e.calls, 0) / Math.max(1, calls.reduce((sum, e) => sum + e.calls, 0));
  };
  columns.filter((c) => c[0].column !== "agent").forEach((c) => c.sort((a, b) => pull(a) - pull(b)));
  const sight = by("graph-scroll").clientHeight;
  const tall = (c) => c.length * (NODE.height + NODE.gap) - NODE.gap;
  const most = Math.max(0, ...columns.map(tall));
  const above = Math.max(NODE.top, Math.min(120, (sight - most) / 3));
  columns.forEach((c, at) => {
    // In the middle of what is beside it, unless that is far below.
    const top = above + Math.min((most - tall(c)) / 2, 200);
    c.forEach((n, row) => Object.assign(n, { x: left + at * (wide + gap), y: top + row * (NODE.height + NODE.gap), wide }));
  });
  return { columns, gap, height: above + most + 28 };
};

const curve = (e, gap) => {
  const middle = NODE.height / 2;
  const { from, to } = e;
  if (from.column === to.column) {
    const down = to.at > from.at;
    const side = down ? from.x + from.wide : from.x;
    const far = Math.min(Math.max(60, gap * 0.62), 26 + 16 * Math.abs(to.at - from.at)) * (down ? 1 : -1);
    const [y1, y2] = [from.y + middle + (down ? 10 : -10), to.y + middle + (down ? -10 : 10)];
    return { path: `M${side} ${y1}C${side + far} ${y1} ${side + far} ${y2} ${side} ${y2}`, x: side + far * 0.75, y: (y1 + y2) / 2, tip: [side, y2, down ? -1 : 1] };
  }
  const right = to.x > from.x;
  const [x1, x2] = right ? [from.x + from.wide, to.x] : [from.x, to.x + to.wide];
  const [y1, y2] = [from.y + middle, to.y + middle];
  const half = (x2 - x1) / 2;
  // Where the curve is after 62 % of its way.
  const t = 0.62, u = 1 - t;
  const x = u ** 3 * x1 + 3 * u * u * t * (x1 + half) + 3 * u * t * t * (x2 - half) + t ** 3 * x2;
  const y = u ** 3 * y1 + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t ** 3 * y2;
  return { path: `M${x1} ${y1}C${x1 + half} ${y1} ${x2 - half} ${y2} ${x2} ${y2}`, x, y, tip: [x2, y2, right ? 1 : -1] };
};

const fitting = (text, room) => {
  const most = Math.max(3, Math.floor(room / 8));
  const letters = [...oneLine(text)];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : letters.join("");
};
const nodeQuery = (n) => {
  if (n.kind === "workflow" || (n.column === "model" && n.name === "model not recorded")) return "";
  const field = n.column === "tool" && n.kind !== "tool" ? "name" : n.column;
  return `${field}:"${n.name.replaceAll('"', "")}"`;
};

const drawGraph = () => {
  const box = by("graph-scroll");
  if (!box.clientWidth && !printing) return;
  const width = Math.max(NODE.least, box.clientWidth);
  const { columns, gap, height } = arrange(width);
  const svg = drawn("svg", { width: box.clientWidth || width, height: height * Math.min(1, (box.clientWidth || width) / width), viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Execution graph" });
  const titles = { model: "Models", agent: "Agents", tool: "Tools" };
  columns.forEach((c) => svg.append(drawn("text", { x: c[0].x, y: 26, class: "heading" }, `${titles[c[0].column]} ${c.length}`)));
  const most = Math.max(1, ...graph.edges.map((e) => e.calls));
  const labels = [];
  graph.edges.forEach((e) => {
    const { path, x, y, tip } = curve(e, gap);
    const thick = 1 + 3.5 * Math.sqrt(e.calls / most);
    const line = drawn("path", { d: path, class: `edge ${e.kind} k-${e.kind === "handoff" ? "handoff" : e.to.kind}`, "stroke-width": thick.toFixed(2) });
    line.append(drawn("title", {}, `${visible(e.from.name)} → ${visible(e.to.name)}: ${plural(e.calls, e.kind === "handoff" ? "handoff" : "call")}`));
    const [tx, ty, way] = tip;
    const arrow = drawn("path", { d: `M${tx} ${ty}l${-9 * way} -4.5v9z`, class: `tip ${e.kind} k-${e.kind === "handoff" ? "handoff" : e.to.kind}` });
    const label = drawn("text", { x, y: y + 4, "text-anchor": "middle", class: "count" }, `${grouped(e.calls)}×`);
    e.drawn = [line, arrow, label];
    svg.append(line, arrow);
    labels.push(label);
  });
  svg.append(...labels);
  const first = graph.nodes.find((n) => n.column === "agent");
  if (first) {
    const x = first.x + first.wide / 2;
    svg.append(drawn("circle", { cx: x, cy: first.y - 16, r: 4, class: "start" }), drawn("path", { d: `M${x} ${first.y - 12}v8`, class: "edge" }));
    svg.lastChild.previousSibling.append(drawn("title", {}, "The run begins here"));
  }
  const longest = new Map(columns.map((c) => [c[0].column, Math.max(1, ...c.map((n) => n.ns))]));
  graph.nodes.forEach((n) => svg.append(drawNode(n, longest.get(n.column))));
  box.replaceChildren(graph.nodes.length ? svg : el("p", "nothing", "No step of this run was recorded."));
  graph.nodes.forEach((n, at) => n.drawn[0].setAttribute("tabindex", at ? -1 : 0));
  lightGraph();
};

const drawNode = (n, longest) => {
  const cost = total(n.costs);
  const facts = [n.calls ? plural(n.calls, n.column === "agent" ? "step" : "call") : "no steps of its own", n.timed && time(n.ns), known(cost) && dollars(cost)].filter(Boolean);
  const spoken = [`${n.column} ${visible(n.name)}`, ...facts, n.failed && plural(n.failed, "error"), n.again && `${n.again} in loops`];
  const g = drawn("g", { class: `node k-${n.kind}`, role: "button", transform: `translate(${n.x} ${n.y})`, "aria-label": spoken.filter(Boolean).join(", ") });
  g.append(
    drawn("title", {}, visible(n.name)),
    drawn("rect", { class: "box", width: n.wide, height: NODE.height, rx: 8 }),
    drawn("rect", { class: "stripe", x: 0, y: 9, width: 3.5, height: NODE.height - 18, rx: 1.5 }),
    drawn("text", { class: "title", x: 14, y: 21 }, fitting(n.name, n.wide - (n.again ? 42 : 26))),
    drawn("text", { class: "stats", x: 14, y: 37 }, facts[0]),
    drawn("text", { class: "stats", x: 14, y: 52 }, facts.slice(1).join(" · ")),
    drawn("rect", { class: "share", x: 14, y: NODE.height - 5, width: Math.max(1, (n.wide - 28) * (n.ns / longest)), height: 2, rx: 1 }),
  );
  if (n.failed) g.append(drawn("text", { class: "alert", x: n.wide - 10, y: 37, "text-anchor": "end" }, plural(n.failed, "error")));
  if (n.again && n.column !== "agent") g.append(drawn("text", { class: "again", x: n.wide - 10, y: 21, "text-anchor": "end" }, "↻"));
  n.drawn = [g];
  const pick = () => {
    const query = nodeQuery(n);
    if (query) search(query === state.query ? "" : query);
  };
  g.addEventListener("click", pick);
  g.addEventListener("keydown", (event) => {
    const near = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (event.key === "Enter" || event.key === " ") pick();
    else if (near) beside(n, ...near)?.drawn[0].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return g;
};

// The next node in the column, or the nearest of the column beside.
const beside = (n, across, along) => {
  const side = graph.nodes.filter((o) => (across ? Math.sign(o.x - n.x) === across : o.x === n.x && Math.sign(o.y - n.y) === along));
  const far = (o) => Math.abs(o.x - n.x) * 4 + Math.abs(o.y - n.y);
  return side.sort((a, b) => far(a) - far(b))[0];
};

const lightGraph = () => {
  const lit = new Set(lights.get(state.at) ?? []);
  const found = state.hits ? new Set(steps.filter((i) => state.hits[i]).flatMap((i) => lights.get(i) ?? [])) : null;
  [...graph.nodes, ...graph.edges].forEach((part) => {
    (part.drawn ?? []).forEach((shape) => {
      shape.classList.toggle("lit", lit.has(part));
      shape.classList.toggle("faded", Boolean(found) && !found.has(part));
      if (part.column) {
        const picked = state.query !== "" && nodeQuery(part) === state.query;
        shape.classList.toggle("picked", picked);
        shape.setAttribute("aria-pressed", picked);
      }
    });
  });
};
panes.push((what) => (what === "size" ? drawGraph() : lightGraph()));
