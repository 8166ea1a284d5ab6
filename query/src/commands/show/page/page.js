// The head, the player, keys and what ties the panes together.

const SPEEDS = [0.5, 1, 2, 5, 10, 25];
let speed = 1;

const say = (text) => (by("said").textContent = text);

// The span that is looked at, in all panes.
const choose = (i, spoken = true) => {
  if (i === undefined || i < 0 || i >= spans.length) return;
  state.at = i;
  changed("at");
  drawPlayer();
  const s = spans[i];
  if (spoken) say(`${known(s.step) ? `Step ${s.step} of ${steps.length}` : "Span"}: ${s.kind} ${oneLine(called(s))}${s.failed ? ", failed" : ""}`);
};

// Steps to walk through: those that were searched for, or all.
const walk = () => (state.hits ? steps.filter((i) => state.hits[i]) : steps);
// Where a span lies among steps: at it, or after the last one before it.
const nearest = (list, i) => {
  const at = list.indexOf(i);
  return at >= 0 ? { at, on: true } : { at: list.filter((o) => place[o] < place[i]).length - 1, on: false };
};
const move = (by) => {
  const list = walk();
  if (!list.length) return false;
  const { at, on } = nearest(list, state.at);
  const to = Math.max(0, Math.min(list.length - 1, on || by > 0 ? at + by : at));
  if (on && to === at) return false;
  choose(list[to]);
  return true;
};
const edge = (last) => choose(walk().at(last ? -1 : 0));
const seek = (wanted) => {
  const from = state.at < 0 ? -1 : place[state.at];
  const next = [...order.slice(from + 1), ...order.slice(0, from + 1)].find((i) => wanted(spans[i]));
  if (next !== undefined) choose(next);
};

const play = (on) => {
  clearTimeout(state.playing);
  state.playing = 0;
  const tick = () => {
    state.playing = 0;
    if (move(1)) state.playing = setTimeout(tick, 1000 / speed);
    drawPlayer();
  };
  if (on) {
    const list = walk();
    if (nearest(list, state.at).at === list.length - 1) edge(false);
    state.playing = setTimeout(tick, 1000 / speed);
  }
  drawPlayer();
};
const atSpeed = (to) => {
  speed = to;
  by("speed").value = String(to);
  if (state.playing) play(true);
};

const icon = (path) => {
  const svg = drawn("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
  svg.append(drawn("path", { d: path }));
  return svg;
};
const ICONS = {
  first: "M3 3h2v10H3zM13 3v10L6 8z", back: "M11 3v10L4 8z", next: "M5 3v10l7-5z", play: "M4 2.5v11l9.5-5.5z", pause: "M4 3h3v10H4zM9 3h3v10H9z",
};

// Where the replay is. The strip itself changes with the search, its size and colours only.
const drawPlayer = () => {
  const list = walk();
  const { at, on } = nearest(list, state.at);
  const where = by("where");
  where.replaceChildren(el("b", "", list.length ? (on ? at + 1 : at < 0 ? "before 1" : `after ${at + 1}`) : "0"), ` of ${plural(list.length, state.hits ? "match" : "step", state.hits ? "matches" : undefined)}`);
  const button = by("play");
  if (button.dataset.on !== String(Boolean(state.playing))) {
    button.dataset.on = Boolean(state.playing);
    button.replaceChildren(icon(state.playing ? ICONS.pause : ICONS.play));
    button.setAttribute("aria-label", state.playing ? "Pause" : "Play");
  }
  const strip = by("strip");
  const values = { valuemin: 1, valuemax: Math.max(1, steps.length), valuenow: (stepPlace.get(state.at) ?? Math.max(0, nearest(steps, state.at).at)) + 1 };
  Object.entries(values).forEach(([name, value]) => strip.setAttribute(`aria-${name}`, value));
  strip.setAttribute("aria-valuetext", state.at >= 0 ? oneLine(called(spans[state.at])) : "");
  const head = by("strip-at");
  const here = stepPlace.get(state.at);
  head.hidden = here === undefined;
  head.style.left = `${((here ?? 0) / Math.max(1, steps.length)) * 100}%`;
  head.style.width = `${100 / Math.max(1, steps.length)}%`;
};
// Every step as a cell, loops beneath, errors above.
const probe = el("span", "unseen");
const drawStrip = () => {
  const canvas = by("strip-drawn");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const pen = canvas.getContext("2d");
  if (!width || !pen) return;
  const scale = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [width * scale, height * scale];
  pen.scale(scale, scale);
  const colour = (name) => ((probe.style.color = `var(--${name})`), getComputedStyle(probe).color);
  const colours = Object.fromEntries(["agent", "llm", "tool", "retrieval", "handoff", "guard", "other", "error", "loop"].map((c) => [c, colour(c)]));
  const kinds = { embedding: "retrieval", reranker: "retrieval", guardrail: "guard", evaluator: "guard", approval: "guard", agent_create: "handoff" };
  const cell = width / Math.max(1, steps.length);
  const gap = cell > 5 ? 1.5 : cell > 3 ? 0.5 : 0;
  const wide = Math.max(1, cell - gap);
  const x = (at) => at * cell;
  steps.forEach((i, at) => {
    const s = spans[i];
    pen.globalAlpha = state.hits && !state.hits[i] ? 0.18 : 1;
    pen.fillStyle = colours[kinds[s.kind] ?? s.kind] ?? colours.other;
    const model = s.kind === "llm";
    pen.beginPath();
    pen.roundRect(x(at), model ? 8 : 5, wide, height - (model ? 17 : 14), Math.min(2.5, wide / 3));
    pen.fill();
    if (s.loop) {
      pen.fillStyle = colours.loop;
      pen.fillRect(x(at), height - 5, Math.max(cell, 1), 3);
    }
  });
  pen.globalAlpha = 1;
  pen.fillStyle = colours.error;
  steps.forEach((i, at) => spans[i].failed && pen.fillRect(x(at), 1, Math.max(wide, 2), 2.5));
};
const seekStrip = (event) => {
  const area = by("strip").getBoundingClientRect();
  const at = Math.floor(((event.clientX - area.left) / area.width) * steps.length);
  choose(steps[Math.max(0, Math.min(steps.length - 1, at))]);
};

const search = (query) => {
  state.query = query;
  if (by("search").value !== query) by("search").value = query;
  const terms = parsed(query);
  state.hits = terms.length ? spans.map((s) => terms.every((t) => t.test(s) !== t.not)) : null;
  const found = state.hits ? state.hits.filter(Boolean).length : 0;
  by("found").textContent = state.hits ? `${grouped(found)} of ${grouped(spans.length)}` : "";
  document.querySelectorAll(".chip").forEach((c) => c.setAttribute("aria-pressed", c.dataset.query === query));
  if (state.hits && found && !state.hits[state.at]) state.at = walk()[0] ?? state.hits.indexOf(true);
  changed("found");
  drawPlayer();
  drawStrip();
};

const show = (pane, focus = true) => {
  state.pane = pane;
  document.body.dataset.pane = pane;
  if (pane !== "replay") document.body.dataset.left = pane;
  document.querySelectorAll("[role=tab]").forEach((tab) => {
    tab.setAttribute("aria-selected", tab.dataset.to === pane);
    tab.tabIndex = tab.dataset.to === pane ? 0 : -1;
  });
  changed("size");
  if (focus) by({ graph: "graph-scroll", waterfall: "rows", replay: "replay-scroll" }[pane]).focus({ preventScroll: true });
};

const isDark = () => {
  const chosen = document.documentElement.style.colorScheme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
const drawTheme = () => {
  by("theme").textContent = isDark() ? "Light" : "Dark";
  drawStrip();
};
const turn = () => {
  document.documentElement.style.colorScheme = isDark() ? "light" : "dark";
  drawTheme();
};

const KEYS = [
  ["j k", "next and previous step, anywhere"], ["↓ ↑", "next and previous row or step"], ["→ ←", "unfold and fold; next and previous step"],
  ["Home End", "first and last"], ["Enter Space", "unfold what is chosen"], ["p", "play and pause"], [", .", "slower and faster"],
  ["e l", "next error, next span of a loop"], ["c", "only the critical path"], ["/", "search"], ["g w r", "graph, waterfall, replay"],
  ["+ - 0 z", "time closer, wider, whole; that of the span"], ["t", "dark or light"], ["? Esc", "these keys; close, clear"],
];
const help = () => (by("help").open ? by("help").close() : by("help").showModal());
const ACTS = {
  j: () => move(1), k: () => move(-1), p: () => play(!state.playing), e: () => seek((s) => s.failed), l: () => seek((s) => s.loop),
  c: () => search(state.query === "is:critical" ? "" : "is:critical"), "/": () => by("search").select(), g: () => show("graph"), w: () => show("waterfall"),
  r: () => show("replay"), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => look(begin, end), z: () => zoomTo(state.at),
  t: turn, "?": help, ",": () => atSpeed(SPEEDS[Math.max(0, SPEEDS.indexOf(speed) - 1)]),
  ".": () => atSpeed(SPEEDS[Math.min(SPEEDS.length - 1, SPEEDS.indexOf(speed) + 1)]),
  Escape: () => (state.playing ? play(false) : search("")),
};
const stepKeys = (event) => {
  const acts = {
    ArrowDown: () => move(1), ArrowRight: () => move(1), ArrowUp: () => move(-1), ArrowLeft: () => move(-1),
    Home: () => edge(false), End: () => edge(true), Enter: toggleTexts, " ": toggleTexts,
  };
  if (!acts[event.key]) return false;
  acts[event.key]();
  return true;
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || by("help").open && event.key !== "?") return;
  const on = event.target;
  if (on === by("search")) {
    if (event.key === "Escape") search("");
    if (event.key === "Escape" || event.key === "Enter") show(state.pane);
    return;
  }
  const native = on.matches?.("select") || (on.matches?.("button") && (event.key === "Enter" || event.key === " "));
  if (native) return;
  if (on.matches?.("[role=tab]") && event.key.startsWith("Arrow")) {
    const tabs = [...document.querySelectorAll("[role=tab]")].filter((t) => t.offsetParent);
    const to = tabs[(tabs.indexOf(on) + (event.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
    show(to.dataset.to, false);
    to.focus();
  } else if (Object.hasOwn(ACTS, event.key)) ACTS[event.key]();
  else {
    // Arrows belong to the pane that has the focus.
    const inside = on.closest?.(".pane")?.id ?? (on === by("strip") ? "replay" : state.pane);
    const done = inside === "waterfall" ? rowKeys(event) : inside === "graph" && !["Home", "End"].includes(event.key) ? nodeKeys(event) : stepKeys(event);
    if (!done) return;
  }
  event.preventDefault();
});
const nodeKeys = (event) => {
  if (!event.key.startsWith("Arrow") && event.key !== "Enter") return false;
  (graph.nodes.find((n) => n.drawn[0].classList.contains("lit") && n.column === "agent") ?? graph.nodes[0])?.drawn[0].focus();
  return true;
};

const drawHead = () => {
  const agents = (run.agents ?? []).map(oneLine);
  const title = oneLine(run.workflow ?? run.name ?? "") || agents.join(", ") || "run";
  by("title").textContent = title;
  document.title = `${title} · ${run.id ? visible(run.id).slice(0, 8) : "run"}`;
  const about = by("about");
  if (run.outcome) about.append(el("span", `pill ${run.outcome === "failed" ? "bad" : run.outcome === "completed" ? "good" : ""}`, oneLine(run.outcome)));
  if (known(run.error) && run.outcome === "failed") about.append(el("span", "why", oneLine(run.error).slice(0, 400)));
  if (agents.length && agents.join(", ") !== title) about.append(el("span", "", agents.length > 4 ? `${agents.slice(0, 4).join(", ")} and ${agents.length - 4} more` : agents.join(", ")));
  const began = new Date(known(run.started) ? Number(BigInt(run.started) / 1000000n) : NaN);
  if (!Number.isNaN(began.getTime())) about.append(el("span", "", began.toISOString().replace("T", " ").replace("Z", " UTC")));
  [["session", run.session], ["user", run.user], ["in", run.environment], ["", run.service]].forEach(
    ([what, name]) => known(name) && about.append(el("span", "long", `${what} ${oneLine(name)}`.trim())));
  if (run.id) about.append(el("span", "mono long", visible(run.id)));
  const totals = by("totals");
  const add = (name, value, classes, small, hint) => {
    const one = el("div", classes);
    const dd = el("dd", "", value ?? "–");
    if (small) dd.append(el("small", "", small));
    one.title = hint ?? (known(value) ? "" : "not recorded");
    one.append(el("dt", "", name), dd);
    totals.append(one);
  };
  add("duration", known(run.took) ? time(run.took) : undefined);
  add("steps", known(run.steps) ? grouped(run.steps) : undefined, "", `of ${plural(spans.length, "span")}`);
  add("tokens", known(run.tokens) ? grouped(run.tokens) : undefined);
  const whole = run.cost_complete !== false;
  add("cost", known(run.cost) ? `${whole ? "" : "≥ "}${dollars(run.cost)}` : undefined, "", "",
    known(run.cost) ? `${exactDollars(run.cost)}${whole ? "" : "; some calls have no price"}` : "not known");
  add("errors", grouped(errors), errors ? "bad" : "");
  add("loops", grouped(loops.length), loops.some((l) => l.severity !== "info") ? "loop" : "");
};
const drawChips = () => {
  const chip = (classes, text, query, hint) => {
    const made = el("button", `chip ${classes}`);
    made.type = "button";
    made.append(el("i"), text);
    made.dataset.query = query;
    made.title = hint ?? query;
    made.setAttribute("aria-pressed", false);
    made.addEventListener("click", () => search(state.query === query ? "" : query));
    by("chips").append(made);
  };
  if (errors) chip("error", plural(errors, "error"), "is:error");
  if (spans.some((s) => s.critical)) chip("critical", "critical path", "is:critical");
  loops.slice(0, 40).forEach((l) => {
    const waste = [known(l.tokens) && Number(l.tokens) > 0 && `${grouped(l.tokens)} tokens`, known(l.cost) && l.cost !== "0" && `${l.cost_complete ? "" : "≥ "}${dollars(l.cost)}`].filter(Boolean);
    chip("loop", `${l.kind.replaceAll("_", " ")}${l.repeats ? ` ×${grouped(l.repeats)}` : ""}${waste.length ? `, wasted ${waste.join(", ")}` : ""}`, `loop:${l.number}`, visible(l.evidence ?? ""));
  });
};

const starting = () => {
  drawHead();
  drawChips();
  KEYS.forEach(([keys, what]) => {
    const dt = el("dt");
    keys.split(" ").forEach((k) => dt.append(el("kbd", "", k), " "));
    by("keys").append(dt, el("dd", "", what));
  });
  document.body.append(probe);
  ["first", "back", "next"].forEach((b) => by(b).append(icon(ICONS[b])));
  by("first").addEventListener("click", () => edge(false));
  by("back").addEventListener("click", () => move(-1));
  by("next").addEventListener("click", () => move(1));
  by("play").addEventListener("click", () => play(!state.playing));
  SPEEDS.forEach((s) => {
    const option = el("option", "", `${s} / s`);
    option.value = String(s);
    by("speed").append(option);
  });
  atSpeed(1);
  by("speed").addEventListener("change", () => atSpeed(Number(by("speed").value)));
  by("theme").addEventListener("click", turn);
  by("ask").addEventListener("click", help);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTheme);
  let typed = 0;
  by("search").addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => search(by("search").value.trim()), 120);
  });
  document.querySelectorAll("[role=tab]").forEach((tab) => tab.addEventListener("click", () => show(tab.dataset.to)));
  let held = false;
  by("strip").addEventListener("pointerdown", (event) => ((held = true), by("strip").setPointerCapture(event.pointerId), seekStrip(event)));
  by("strip").addEventListener("pointermove", (event) => held && seekStrip(event));
  ["pointerup", "pointercancel"].forEach((n) => by("strip").addEventListener(n, () => (held = false)));
  const printed = (on) => {
    printing = on;
    listRows();
    changed("size");
    by("printed").textContent = rows.length > PRINTED ? `The first ${grouped(PRINTED)} of ${grouped(rows.length)} rows are printed.` : "";
  };
  window.addEventListener("beforeprint", () => printed(true));
  window.addEventListener("afterprint", () => printed(false));
  state.at = steps[0] ?? order[0] ?? -1;
  listRows();
  show("waterfall", false);
  changed("at");
  drawTheme();
  drawPlayer();
  new ResizeObserver(() => (changed("size"), drawStrip())).observe(document.querySelector("main"));
};
starting();
