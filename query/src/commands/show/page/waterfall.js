// The waterfall: the tree of spans beside their time. Only rows in sight are in the page.

const ROW = 26;
const BEYOND = 12;
const LEVELS = 14;
const PRINTED = 2000;
let printing = false;
let rows = [];
const rowOf = new Int32Array(spans.length).fill(-1);
const box = by("rows");
const tall = by("rows-tall");

const isShown = (i) => !state.hits || state.hits[i];
const listRows = () => {
  listed += 1;
  rows = [];
  rowOf.fill(-1);
  if (state.hits) {
    const wanted = new Uint8Array(spans.length);
    spans.forEach((_, i) => {
      for (let above = state.hits[i] ? i : -1; above >= 0 && !wanted[above]; above = up[above]) wanted[above] = 1;
    });
    order.forEach((i) => wanted[i] && (rowOf[i] = rows.push(i) - 1));
  } else {
    for (let p = 0; p < order.length; p = state.folded.has(order[p]) ? after[order[p]] : p + 1) {
      rowOf[order[p]] = rows.push(order[p]) - 1;
    }
  }
  tall.style.height = `${rows.length * ROW}px`;
  box.setAttribute("aria-rowcount", rows.length);
};

const share = (ns) => ((Number(ns) - state.from) / (state.to - state.from)) * 100;

// Ticks at 1, 2 or 5 times a power of ten, about 70 pixels from each other.
const drawAxis = () => {
  const axis = by("axis");
  const width = axis.clientWidth || 400;
  const window = state.to - state.from;
  const rough = (window / width) * 70;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  // Minutes and hours are not tens of seconds.
  const minutes = [60e9, 120e9, 300e9, 600e9, 900e9, 1800e9, 3600e9, 7200e9, 14400e9, 43200e9, 86400e9];
  const tick = (rough > 30e9 && minutes.find((m) => m >= rough)) || [1, 2, 5, 10].map((m) => m * power).find((m) => m >= rough) || 10 * power;
  const first = Math.ceil(state.from / tick) * tick;
  axis.replaceChildren();
  for (let at = first; at < state.to && axis.childElementCount < 60; at += tick) {
    const mark = el("span", "", at === 0 ? "0" : time(at).replace(/\.?0+ s$/, " s").replace(/:00 /, " "));
    mark.style.left = `${share(at)}%`;
    if (share(at) < 92) axis.append(mark);
  }
  tall.style.setProperty("--tick", `${(tick / window) * width}px`);
  tall.style.setProperty("--tick0", `${((first - state.from) / window) * width}px`);
};

const drawRow = (i, at) => {
  const s = spans[i];
  const row = el("div", "row");
  row.id = `span-${i}`;
  row.style.top = `${at * ROW}px`;
  row.setAttribute("role", "row");
  row.setAttribute("aria-rowindex", at + 1);
  row.setAttribute("aria-level", level[i] + 1);
  row.dataset.span = i;
  if (s.failed) row.classList.add("failed");
  if (s.critical) row.classList.add("critical");
  if (s.duplicate) row.classList.add("twice");
  if (s.loop) row.classList.add("in-loop", ...(s.loop[1] % 2 ? ["odd"] : []));
  if (!isShown(i)) row.classList.add("context");

  const what = el("div", "c-what");
  what.style.paddingLeft = `${Math.min(level[i], LEVELS) * 14}px`;
  const fold = el("span", "fold", "▶");
  fold.setAttribute("aria-hidden", "true");
  if (!children[i].length || state.hits) fold.classList.add("none");
  else {
    const open = !state.folded.has(i);
    fold.classList.toggle("open", open);
    row.setAttribute("aria-expanded", open);
  }
  what.append(fold);
  if (level[i] > LEVELS) what.append(el("span", "deep", `+${level[i] - LEVELS}`));
  const name = el("span", "name");
  const title = oneLine(called(s));
  name.append(el(known(s.step) ? "b" : "span", "", title));
  // The agent is named where it begins to work.
  const agent = up[i] < 0 || spans[up[i]].agent !== s.agent ? s.agent : undefined;
  const beside = [agent, s.name].find((t) => known(t) && !oneLine(t).includes(title));
  if (known(beside)) name.append(el("span", "dim", oneLine(beside)));
  name.title = [s.kind, s.name, s.agent && `agent ${s.agent}`].filter(known).map(visible).join(" · ");
  what.append(kindMark(s.kind), name);
  if (s.failed) what.append(el("span", "tag bad", oneLine(s.error ?? "error").split(/[./:]/).at(-1).slice(0, 28) || "error"));
  if (s.loop) what.append(el("span", "tag", `↻ ${grouped(s.loop[1])}`));

  const bars = el("div", "c-bars");
  if (known(s.start)) {
    const [from, wide] = [share(s.start), share(Number(s.start) + Number(s.took ?? 0)) - share(s.start)];
    const [left, right] = [Math.max(from, 0), Math.min(from + wide, 100)];
    if (right >= 0 && left <= 100) {
      const bar = el("div", `span k-${s.kind in LETTERS ? s.kind : "other"}`);
      bar.style.left = `min(${left}%, calc(100% - 3px))`;
      bar.style.width = `${Math.max(0, right - left)}%`;
      bars.append(bar);
      if (known(s.took)) {
        const took = el("span", "took", time(s.took));
        const room = by("axis").clientWidth || 400;
        if ((100 - right) * room > 6400) took.style.left = `calc(${right}% + ${right - left < 1 ? 3 : 0}px)`;
        else if (left * room > 6400) took.style.right = `${100 - left}%`;
        else if (right - left > 15) {
          took.style.right = "4px";
          took.classList.add("on");
        }
        bars.append(took);
      }
    }
  }
  const cell = (classes, text) => {
    const made = el("div", classes, text);
    made.setAttribute("role", "gridcell");
    return made;
  };
  [what, bars].forEach((c) => c.setAttribute("role", "gridcell"));
  const tokens = cell("c-tokens", known(s.tokens) ? grouped(s.tokens) : "");
  if (known(s.tokens_in) || known(s.tokens_out)) tokens.title = `${grouped(s.tokens_in ?? "?")} in, ${grouped(s.tokens_out ?? "?")} out`;
  const cost = cell("c-cost", known(s.cost) ? dollars(s.cost) : "");
  if (known(s.cost)) cost.title = exactDollars(s.cost);
  row.append(cell("c-step", known(s.step) ? s.step : ""), what, tokens, cost, bars);
  row.setAttribute("aria-label", [known(s.step) && `step ${s.step}`, s.kind, title, known(s.took) && time(s.took),
    s.failed && "failed", s.critical && "on the critical path", s.loop && `repetition ${s.loop[1]} of loop ${s.loop[0]}`].filter(Boolean).join(", "));
  return row;
};

// Rows that are drawn, by their place; they are drawn anew when the list, the window of time or the width changes.
let kept = new Map();
let keptFor = "";
let listed = 0;
const drawRows = () => {
  const first = printing ? 0 : Math.max(0, Math.floor(box.scrollTop / ROW) - BEYOND);
  const last = printing ? Math.min(rows.length, PRINTED) : Math.min(rows.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + BEYOND);
  const stamp = [listed, state.from, state.to, by("axis").clientWidth].join();
  const before = stamp === keptFor ? kept : new Map();
  [kept, keptFor] = [new Map(), stamp];
  for (let at = first; at < last; at += 1) {
    const row = before.get(at) ?? drawRow(rows[at], at);
    const selected = String(rows[at] === state.at);
    if (row.getAttribute("aria-selected") !== selected) row.setAttribute("aria-selected", selected);
    kept.set(at, row);
  }
  const same = before.size === kept.size && [...kept.keys()].every((at) => before.has(at));
  if (!rows.length) tall.replaceChildren(el("p", "nothing", spans.length ? "No span is like that." : "This run has no spans."));
  else if (!same) tall.replaceChildren(...kept.values());
  if (printing) tall.style.height = `${last * ROW}px`;
  if (state.at >= 0 && rowOf[state.at] >= first && rowOf[state.at] < last) box.setAttribute("aria-activedescendant", `span-${state.at}`);
  else box.removeAttribute("aria-activedescendant");
};

const reveal = (i) => {
  let folded = false;
  for (let above = up[i]; above >= 0; above = up[above]) folded = state.folded.delete(above) || folded;
  if (folded) listRows();
  const top = rowOf[i] * ROW;
  if (rowOf[i] < 0) return;
  if (top < box.scrollTop + ROW) box.scrollTop = top - Math.min(ROW * 2, box.clientHeight / 4);
  else if (top > box.scrollTop + box.clientHeight - 2 * ROW) box.scrollTop = top - box.clientHeight + Math.min(ROW * 3, box.clientHeight / 4);
  // What lies outside the window of time is brought into it.
  const s = spans[i];
  if (known(s.start) && (Number(s.start) > state.to || Number(s.start) + Number(s.took ?? 0) < state.from)) {
    const half = (state.to - state.from) / 2;
    look(Number(s.start) - half, Number(s.start) + half);
  }
};

const fold = (i, closed) => {
  if (!children[i].length || state.hits) return;
  if (closed) state.folded.add(i);
  else state.folded.delete(i);
  listRows();
  drawRows();
};

// The window of time that bars show.
const look = (from, to) => {
  const least = Math.min(end - begin, 1000);
  const wide = Math.max(least, Math.min(to - from, end - begin));
  state.from = Math.max(begin, Math.min(from, end - wide));
  state.to = state.from + wide;
  drawAxis();
  drawRows();
};
const zoom = (factor) => {
  const s = spans[state.at];
  const middle = s && known(s.start) ? Number(s.start) + Number(s.took ?? 0) / 2 : (state.from + state.to) / 2;
  const half = ((state.to - state.from) / 2) * factor;
  look(middle - half, middle + half);
};
const zoomTo = (i) => {
  const s = spans[i];
  if (!s || !known(s.start)) return;
  const took = Math.max(Number(s.took ?? 0), 1000);
  look(Number(s.start) - took * 0.1, Number(s.start) + took * 1.1);
};

const rowKeys = (event) => {
  const at = rowOf[state.at];
  const page = Math.max(1, Math.floor(box.clientHeight / ROW) - 2);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: rows.length - 1 }[event.key];
  if (to !== undefined) {
    if (rows.length) choose(rows[Math.max(0, Math.min(rows.length - 1, to))]);
  } else if (event.key === "ArrowRight") {
    if (state.folded.has(state.at)) fold(state.at, false);
    else if (children[state.at]?.length) choose(children[state.at].find((c) => rowOf[c] >= 0) ?? state.at);
  } else if (event.key === "ArrowLeft") {
    if (children[state.at]?.length && !state.folded.has(state.at) && !state.hits) fold(state.at, true);
    else if (up[state.at] >= 0) choose(up[state.at]);
  } else if (event.key === "Enter" || event.key === " ") fold(state.at, !state.folded.has(state.at));
  else return false;
  return true;
};

let awaited = 0;
box.addEventListener("scroll", () => {
  if (!awaited) awaited = requestAnimationFrame(() => ((awaited = 0), drawRows()));
});
box.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (!row) return;
  const i = Number(row.dataset.span);
  if (event.target.closest(".fold")) fold(i, !state.folded.has(i));
  else choose(i);
});
box.addEventListener("dblclick", (event) => {
  const row = event.target.closest(".row");
  if (row) (event.target.closest(".c-bars") ? zoomTo : (i) => fold(i, !state.folded.has(i)))(Number(row.dataset.span));
});
box.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.shiftKey) return;
  event.preventDefault();
  const axis = by("axis").getBoundingClientRect();
  const at = state.from + ((event.clientX - axis.left) / axis.width) * (state.to - state.from);
  const [way, wide] = [event.deltaY || event.deltaX, state.to - state.from];
  if (event.shiftKey) return look(state.from + wide * way / 1000, state.to + wide * way / 1000);
  const factor = way > 0 ? 1.25 : 0.8;
  look(at - (at - state.from) * factor, at + (state.to - at) * factor);
}, { passive: false });
[["−", "Wider window of time (-)", () => zoom(2)], ["+", "Closer (+)", () => zoom(0.5)], ["↔", "The whole run (0)", () => look(begin, end)]].forEach(
  ([text, title, act]) => {
    const button = el("button", "", text);
    [button.type, button.title] = ["button", title];
    button.setAttribute("aria-label", title);
    button.addEventListener("click", act);
    by("zoom").append(button);
  });

panes.push((what) => {
  if (what === "found") listRows();
  if (what !== "time" && state.at >= 0 && what !== "size") reveal(state.at);
  if (what === "size") drawAxis();
  drawRows();
});
