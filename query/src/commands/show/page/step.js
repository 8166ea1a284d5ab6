// One step, or span: what went in, what came out, and what it took.

const FOLD = { letters: 1800, lines: 26, messages: 3, coloured: 60000 };
const replay = by("replay-scroll");
// Which texts are unfolded, by part, and whether as they came; the same for every step that is looked at.
const opened = new Set();
let raw = false;

const parsedJson = (text) => {
  if (!/^\s*[[{"]/.test(text)) return undefined;
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
};
// Laid out without parsing numbers: what JSON holds beyond 2^53 stays as it is written. By hand, for regular
// expressions give up on strings of megabytes.
const laidOut = (text) => {
  const out = [];
  let deep = 0;
  const line = () => `\n${"  ".repeat(Math.min(deep, 40))}`;
  for (let at = 0; at < text.length; ) {
    const from = at;
    const c = text[at];
    at += 1;
    if (c === '"') {
      while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
      at += 1;
      out.push(text.slice(from, at));
    } else if (c === "{" || c === "[") {
      while (/\s/.test(text[at] ?? "")) at += 1;
      if (text[at] === "}" || text[at] === "]") {
        out.push(c, text[at]);
        at += 1;
      } else {
        deep += 1;
        out.push(c, line());
      }
    } else if (c === "}" || c === "]") {
      deep -= 1;
      out.push(line(), c);
    } else if (c === ",") out.push(c, line());
    else if (c === ":") out.push(": ");
    else if (!/\s/.test(c)) out.push(c);
  }
  return out.join("");
};
const coloured = (into, text) => {
  let at = 0;
  for (const found of text.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|\b(true|false|null)\b|-?\b\d[\d.eE+-]*/g)) {
    into.append(text.slice(at, found.index));
    const kind = found[2] ? "j-key" : found[1] ? "j-text" : found[3] ? "j-word" : "j-num";
    into.append(el("span", kind, found[1] ?? found[0]));
    at = found.index + (found[1] ?? found[0]).length;
  }
  into.append(text.slice(at));
};

// A text in a box: its begin, and the rest on request.
const textBox = (key, text, look, whole) => {
  const holder = el("div");
  const shown = visible(look === "json" ? laidOut(text) : text.replace(/\r\n?/g, "\n").replace(/^\n+|\s+$/g, ""));
  const write = (all) => {
    const lines = shown.split("\n", FOLD.lines + 1);
    let part = all || lines.length <= FOLD.lines ? shown : lines.slice(0, FOLD.lines).join("\n");
    if (!all && part.length > FOLD.letters) part = part.slice(0, FOLD.letters).replace(/[\ud800-\udbff]$/, "");
    const inside = el(look === "prose" ? "div" : "pre", `text${look === "prose" ? " prose" : ""}`);
    inside.dir = "auto";
    if (look === "json" && part.length < FOLD.coloured) coloured(inside, part);
    else inside.textContent = part;
    holder.replaceChildren(inside);
    holder.classList.toggle("folded", part.length < shown.length || (all && shown.length > FOLD.letters));
    const rest = shown.length > part.length;
    if (rest || (all && (lines.length > FOLD.lines || shown.length > FOLD.letters))) {
      const more = el("button", "more", rest ? `Show all: ${plural([...shown].length, "character")}` : "Show less");
      more.type = "button";
      more.setAttribute("aria-expanded", !rest);
      more.addEventListener("click", () => {
        if (rest) opened.add(key);
        else opened.delete(key);
        write(rest);
        holder.querySelector(".more")?.focus();
      });
      holder.append(more);
    }
  };
  write(whole || opened.has(key));
  return holder;
};

// Messages as frameworks write them: role with content or parts, LangChain's objects, lists of either.
const messagesOf = (value) => {
  const list = Array.isArray(value) ? value.flat() : value.messages?.flat?.() ?? value.generations?.flat?.().map((g) => g.message ?? g) ??
    value.choices?.map?.((c) => c.message) ?? [value];
  const messages = list.map((m) => {
    if (typeof m !== "object" || m === null) return undefined;
    const inner = m.kwargs && (m.kwargs.content !== undefined || m.kwargs.tool_calls) ? m.kwargs : m.message ?? m;
    if (typeof inner !== "object") return undefined;
    const role = inner.role ?? { human: "user", ai: "assistant", AIMessageChunk: "assistant" }[inner.type] ?? (inner === m.kwargs ? inner.type : undefined);
    const pieces = piecesOf(inner);
    if (!known(role) && !pieces.some((p) => p.what !== "text")) return undefined;
    return pieces.length || known(role) ? { role: typeof role === "string" ? role : "", pieces } : undefined;
  });
  return messages.length && messages.every(Boolean) ? messages : undefined;
};
// A list of nothing but texts, as some write system prompts.
const textsOf = (value) =>
  Array.isArray(value) && value.length && value.every((p) => p?.type === "text" && typeof (p.content ?? p.text) === "string" && !known(p.role))
    ? value.map((p) => p.content ?? p.text).join("\n\n") : undefined;
const piecesOf = (m) => {
  const pieces = [];
  const say = (what, name, value) => {
    const text = typeof value === "string" ? value : known(value) ? JSON.stringify(value) : "";
    if (text.trim() || what === "call") pieces.push({ what, name: typeof name === "string" ? name : "", text });
  };
  const part = (p) => {
    if (typeof p === "string") return say("text", "", p);
    if (typeof p !== "object" || p === null) return undefined;
    const call = p.tool_call ?? p.function_call ?? p;
    const type = String(p.type ?? "");
    if (/result|response|output$/.test(type) && !/^(output_)?text$/.test(type)) return say("result", p.name, p.result ?? p.response ?? p.content ?? p.output);
    if (/tool_call|function_call|tool_use|tool-call/.test(type) || p.tool_call || p.function_call || p.toolName || (p.function && p.id)) {
      const f = call.function ?? call;
      return say("call", f.name ?? f.toolName, f.arguments ?? f.args ?? f.input);
    }
    if (/reasoning|thinking/.test(type)) return say("thought", "", p.content ?? p.thinking ?? p.text ?? p.summary?.map?.((t) => t.text).join("\n"));
    return say("text", "", p.text ?? p.content ?? p);
  };
  const content = m.parts ?? m.content;
  if (/call|reasoning|use$/.test(String(m.type ?? "")) || m.toolName || m.function_call) part(m);
  else if (Array.isArray(content)) content.forEach(part);
  else if (known(content)) say(m.role === "tool" || m.type === "tool" ? "result" : "text", m.name, content);
  (Array.isArray(m.tool_calls) ? m.tool_calls : []).forEach((c) => part({ type: "tool_call", ...(c.tool_call ?? c) }));
  return pieces;
};

const drawMessages = (key, messages) => {
  const holder = el("div", "messages");
  const draw = (m, at) => {
    const row = el("div", "said");
    const role = m.role || (m.pieces.some((p) => p.what === "result") ? "tool" : "assistant");
    const plain = { human: "user", model: "assistant", function: "tool" }[role] ?? role;
    row.append(el("div", `role${["user", "assistant", "tool"].includes(plain) ? ` ${plain}` : ""}`, oneLine(role)));
    const said = el("div");
    m.pieces.forEach((p, n) => {
      const json = p.what !== "text" && p.what !== "thought" && parsedJson(p.text);
      const body = p.text.trim() ? [textBox(`${key}.${at}.${n}`, p.text, json ? "json" : p.what === "call" || p.what === "result" ? "mono" : "prose")] : [];
      const piece = el("div", { call: "call", thought: "thought" }[p.what] ?? "");
      if (p.what === "call") piece.append(el("b", "", oneLine(p.name || "call")));
      piece.append(...body);
      said.append(piece);
    });
    if (!m.pieces.length) said.append(el("span", "dim", "nothing"));
    row.append(said);
    return row;
  };
  const hidden = messages.length > FOLD.messages + 1 && !opened.has(`${key}.earlier`) ? messages.length - FOLD.messages : 0;
  if (hidden) {
    const more = el("button", "more earlier", `Show ${plural(hidden, "earlier message")}`);
    more.type = "button";
    more.addEventListener("click", () => {
      opened.add(`${key}.earlier`);
      more.replaceWith(...messages.slice(0, hidden).map(draw));
    });
    holder.append(more);
  }
  holder.append(...messages.slice(hidden).map((m, at) => draw(m, at + hidden)));
  return holder;
};

const drawPart = (key, title, text, bad, place) => {
  const part = el("section", `part${bad ? " bad" : ""}`);
  part.dataset.part = key;
  const head = el("header");
  const ways = el("span", "ways");
  head.append(el("h3", "", title));
  const cut = run.cut?.[place];
  head.append(el("span", "dim", known(cut) ? `the first ${bytes(new Blob([text]).size)} of ${bytes(cut)}; the file has the rest` : text.length > FOLD.letters ? plural(text.length, "character") : ""));
  const value = parsedJson(text);
  const plain = value && textsOf(value);
  const messages = value && !known(plain) && messagesOf(value);
  if (value) {
    const way = el("button", "link", raw ? "readable" : "as recorded");
    way.type = "button";
    way.addEventListener("click", () => ((raw = !raw), drawStep()));
    ways.append(way);
  }
  head.append(ways);
  const body = !value ? textBox(key, text, key === "args" || key === "result" ? "mono" : "prose")
    : raw ? textBox(key, text, "mono") : known(plain) ? textBox(key, plain, "prose") : messages ? drawMessages(key, messages) : textBox(key, text, "json");
  part.append(head, body);
  return part;
};
const bytes = (n) => (n < 1024 ? `${n} B` : n < 1048576 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1048576).toFixed(1)} MiB`);

const fact = (list, title, value, hint) => {
  if (!known(value) || value === "") return;
  const one = el("div");
  const text = el("dd", "", value);
  if (hint) text.title = hint;
  one.append(el("dt", "", title), text);
  list.append(one);
};

const drawStep = () => {
  const s = spans[state.at];
  if (!s) return replay.replaceChildren(el("p", "nothing", "Nothing was recorded of this run."));
  const crumbs = el("nav", "crumbs");
  crumbs.setAttribute("aria-label", "Spans around this one");
  const above = [];
  for (let i = up[state.at]; i >= 0; i = up[i]) above.unshift(i);
  const near = above.length > 5 ? [above[0], -1, ...above.slice(-3)] : above;
  near.forEach((i, at) => {
    if (at) crumbs.append("›");
    if (i < 0) return crumbs.append("…");
    const button = el("button", "", oneLine(called(spans[i])));
    button.type = "button";
    button.addEventListener("click", () => choose(i));
    crumbs.append(button);
  });
  const head = el("div", "step-head");
  head.append(kindMark(s.kind), el("h2", "", oneLine(called(s))));
  if (s.failed) head.append(el("span", "pill bad", oneLine(s.error ?? "failed")));
  const loop = loopOf(s);
  if (s.loop) {
    const pill = el("span", "pill loop", `repetition ${grouped(s.loop[1])} of loop ${s.loop[0]}${loop ? `: ${loop.kind.replaceAll("_", " ")}` : ""}`);
    if (loop?.evidence) pill.title = visible(loop.evidence);
    head.append(pill);
  }
  if (s.critical) {
    const pill = el("span", "pill", "critical path");
    pill.title = "The run would have been shorter had this been faster";
    head.append(pill);
  }
  const facts = el("dl", "facts");
  fact(facts, "kind", s.kind.replaceAll("_", " "));
  fact(facts, "agent", known(s.agent) ? oneLine(s.agent) : undefined);
  fact(facts, "model", known(s.model) && s.model !== called(s) ? oneLine(s.model) : undefined);
  fact(facts, "began at", known(s.start) ? `+${time(s.start)}` : undefined, known(s.start) ? `${grouped(s.start)} ns` : "");
  fact(facts, "took", known(s.took) ? time(s.took) : undefined, known(s.took) ? `${grouped(s.took)} ns` : "");
  const sides = known(s.tokens_in) || known(s.tokens_out);
  fact(facts, sides ? "tokens in → out" : "tokens", sides ? `${known(s.tokens_in) ? grouped(s.tokens_in) : "–"} → ${known(s.tokens_out) ? grouped(s.tokens_out) : "–"}` : known(s.tokens) ? grouped(s.tokens) : undefined);
  fact(facts, "cost", known(s.cost) ? dollars(s.cost) : undefined, known(s.cost) ? exactDollars(s.cost) : "");
  fact(facts, "on the critical path", known(s.critical_ns) && s.critical ? time(s.critical_ns) : undefined, "Time that is its own there, not that of spans below it");
  fact(facts, "provider", known(s.provider) ? oneLine(s.provider) : undefined);
  fact(facts, "recorded", s.synthetic ? "by the model's output only" : s.duplicate ? "by another span too, which counts" : s.orphan ? "without its parent" : undefined);
  fact(facts, "error", known(s.message) ? oneLine(s.message) : undefined);
  if (known(s.message)) facts.lastChild.className = "wide";
  fact(facts, "span", known(s.name) && s.name !== called(s) ? oneLine(s.name) : undefined);
  fact(facts, "status", known(s.status) && s.status !== "unset" ? s.status : undefined);
  fact(facts, "span id", known(s.id) ? visible(s.id) : undefined);
  if (known(s.id)) facts.lastChild.className = "wide";
  const parts = TEXTS.filter(([part]) => known(s[part])).map(([part, title]) => drawPart(part, title, textOf(s, part), s.failed && (part === "result" || part === "output"), s[part]));
  if (!parts.length) parts.push(el("p", "part dim", "No texts were recorded here."));
  replay.replaceChildren(...(above.length ? [crumbs] : []), head, facts, ...parts);
};

// Unfolds or folds all texts of the step.
const toggleTexts = () => {
  const buttons = [...replay.querySelectorAll(".more")];
  const shut = buttons.filter((b) => b.getAttribute("aria-expanded") !== "true");
  (shut.length ? shut : buttons).forEach((b) => b.click());
  replay.focus();
};
let drawnStep = -2;
panes.push((what) => {
  if (what === "size" || what === "found" && drawnStep === state.at) return;
  if (drawnStep !== state.at) replay.scrollTop = 0;
  drawnStep = state.at;
  drawStep();
});
