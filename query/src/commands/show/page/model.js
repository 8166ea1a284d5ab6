// The run as the page was given it, its tree, and texts for people.
// Texts come from anywhere: they reach the page through textContent only, never as markup.

const { run, spans, loops, texts } = JSON.parse(document.getElementById("run").textContent);

const el = (tag, classes, text) => {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text !== undefined) made.textContent = text;
  return made;
};
const drawn = (tag, attributes, text) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
};
const by = (id) => document.getElementById(id);
const known = (value) => value !== undefined && value !== null;

// What a page would act on or hide is shown as its code: controls, marks that turn the direction of what follows.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const visible = (text) => text.replace(HIDDEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
const oneLine = (text) => visible(text.replace(/\s+/g, " "));

// Whole numbers above 2^53 come as strings.
const grouped = (n) => String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
const total = (values) => {
  const there = values.filter(known);
  return there.length ? there.reduce((sum, v) => sum + BigInt(v), 0n) : undefined;
};

// Pico-dollars, a string, as dollars: rounded half to even at no more than six decimals.
const USD = 1000000000000n;
const dollars = (pico) => {
  const amount = BigInt(pico);
  const size = amount < 0n ? -amount : amount;
  let decimals = 2;
  for (let scaled = size * 10n, zeros = 0; size > 0n && scaled < USD && zeros < 6; scaled *= 10n) {
    zeros += 1;
    decimals = Math.min(zeros + 3, 6);
  }
  const unit = 10n ** BigInt(12 - decimals);
  let whole = size / unit;
  const twice = (size % unit) * 2n;
  if (twice > unit || (twice === unit && whole % 2n === 1n)) whole += 1n;
  if (whole === 0n && size > 0n) return `<$0.${"1".padStart(decimals, "0")}`;
  const digits = whole.toString().padStart(decimals + 1, "0");
  const sign = amount < 0n ? "-" : "";
  return `${sign}$${grouped(digits.slice(0, -decimals))}.${digits.slice(-decimals)}`;
};
const exactDollars = (pico) => {
  const digits = BigInt(pico).toString().replace("-", "").padStart(13, "0");
  const rest = digits.slice(-12).replace(/0+$/, "");
  return `${BigInt(pico) < 0n ? "-" : ""}${digits.slice(0, -12)}${rest ? `.${rest}` : ""} USD`;
};

const time = (given) => {
  const ns = Number(given);
  if (ns < 1e6) return `${Math.round(ns / 1e3)} µs`;
  if (ns < 1e9) return `${Math.round(ns / 1e6)} ms`;
  if (ns < 60e9) return `${(ns / 1e9).toFixed(ns < 10e9 ? 2 : 1)} s`;
  const seconds = Math.floor(ns / 1e9);
  const two = (n) => String(n).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)} min`;
  return `${grouped(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)} h`;
};
const plural = (n, one, many) => `${grouped(n)} ${Number(n) === 1 ? one : many ?? `${one}s`}`;

const LETTERS = {
  agent: "A", workflow: "W", llm: "M", embedding: "E", tool: "T", retrieval: "R", reranker: "R", guardrail: "G",
  evaluator: "V", handoff: "H", approval: "P", agent_create: "A",
};
const kindMark = (kind) => {
  const mark = el("span", `kind k-${kind in LETTERS ? kind : "other"}`, LETTERS[kind] ?? "·");
  mark.title = kind;
  mark.setAttribute("aria-hidden", "true");
  return mark;
};

// Children, order and depth; a parent that is not there, or a circle of parents, makes a root.
const children = spans.map(() => []);
const roots = [];
spans.forEach((s, i) => (known(s.parent) && s.parent !== i && spans[s.parent] ? children[s.parent] : roots).push(i));
const order = [];
const level = new Int32Array(spans.length);
const up = new Int32Array(spans.length).fill(-1);
const place = new Int32Array(spans.length).fill(-1);
const descend = (root) => {
  const open = [root];
  while (open.length) {
    const i = open.pop();
    if (place[i] >= 0) continue;
    place[i] = order.push(i) - 1;
    for (let c = children[i].length - 1; c >= 0; c -= 1) {
      const child = children[i][c];
      if (place[child] >= 0) continue;
      [up[child], level[child]] = [i, level[i] + 1];
      open.push(child);
    }
  }
};
roots.forEach(descend);
spans.forEach((_, i) => place[i] < 0 && descend(i));
// The place after the last descendant of each span.
const after = new Int32Array(spans.length);
for (let p = order.length - 1; p >= 0; p -= 1) {
  const i = order[p];
  after[i] = Math.max(after[i], p + 1);
  if (up[i] >= 0) after[up[i]] = Math.max(after[up[i]], after[i]);
}

const steps = spans.map((_, i) => i).filter((i) => known(spans[i].step));
steps.sort((a, b) => spans[a].step - spans[b].step);
const stepPlace = new Map(steps.map((i, at) => [i, at]));
const errors = spans.filter((s) => s.failed).length;
const begin = spans.reduce((least, s) => Math.min(least, Number(s.start ?? 0)), 0);
const end = spans.reduce((most, s) => Math.max(most, Number(s.start ?? 0) + Number(s.took ?? 0)), begin + 1);

const TEXTS = [
  ["system", "System prompt"], ["args", "Arguments"], ["input", "Input"], ["result", "Result"], ["output", "Output"],
];
const textOf = (span, part) => (known(span[part]) ? texts[span[part]] : undefined);
const called = (s) => s.title ?? s.name ?? s.kind;
const loopOf = (s) => (s.loop ? loops.find((l) => l.number === s.loop[0]) : undefined);

// What the search box says: words and fields, all of which must hold.
const parsed = (query) => {
  const terms = [];
  for (const [, minus, field, quoted, word] of query.matchAll(/(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/gi)) {
    const value = (quoted ?? word ?? "").toLowerCase();
    const isField = field && FIELDS[field.toLowerCase()];
    const text = isField ? value : `${field ? `${field}:` : ""}${value}`.toLowerCase();
    if (text) terms.push({ not: minus === "-", test: isField ? FIELDS[field.toLowerCase()](text) : anywhere(text) });
  }
  return terms;
};
const has = (get) => (text) => (s) => (get(s) ?? "").toLowerCase().includes(text);
const STATES = {
  error: (s) => Boolean(s.failed), failed: (s) => Boolean(s.failed), loop: (s) => Boolean(s.loop),
  critical: (s) => Boolean(s.critical), step: (s) => known(s.step),
};
const FIELDS = {
  kind: (text) => (s) => s.kind === text,
  agent: (text) => (s) => (s.agent ?? "").toLowerCase() === text || (text.length > 2 && has((x) => x.agent)(text)(s)),
  model: has((s) => s.model),
  tool: has((s) => s.tool),
  name: has((s) => s.name),
  id: has((s) => s.id),
  loop: (text) => (s) => Boolean(s.loop) && String(s.loop[0]) === text,
  is: (text) => STATES[text] ?? (() => false),
};
// Texts are many times the rest and often the same: each is looked at once per word.
const anywhere = (word) => {
  const pattern = new RegExp(word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
  const hits = texts.map((t) => pattern.test(t));
  return (s) =>
    [s.name, s.kind, s.agent, s.model, s.tool, s.error, s.id].some((t) => known(t) && pattern.test(t)) ||
    TEXTS.some(([part]) => known(s[part]) && hits[s[part]]);
};

// What is looked at now. Panes draw themselves anew when it changes.
const state = { at: -1, pane: "waterfall", query: "", hits: null, folded: new Set(), from: begin, to: end, playing: 0 };
const panes = [];
const changed = (what) => panes.forEach((draw) => draw(what));
