//! A run as one page: everything in it, nothing from elsewhere.
//!
//! The page may run its own script and have its own style, both told by their hashes, and nothing else: no network, no
//! images, no frames. What traces say comes as JSON in which nothing can end the element that holds it.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;
use sha2::{Digest, Sha256};
use spanfile_query::render::PartialFile;
use spanfile_query::{QueryError, Result};

use super::run::{Run, RunLoop, RunSpan};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// One script, in the order in which its parts need each other.
const SCRIPT: [&str; 5] = [
    include_str!("page/model.js"),
    include_str!("page/graph.js"),
    include_str!("page/waterfall.js"),
    include_str!("page/step.js"),
    include_str!("page/page.js"),
];
/// Bytes of texts in a page at most; of longer runs the longest texts are cut. Browsers open this in a second or two.
const TEXTS_BYTES: usize = 64 << 20;
/// The largest whole number that JavaScript counts to without gaps.
const EXACT: u64 = (1 << 53) - 1;

/// Writes the page, in the place of what has its name. Files that the run was read from are never written to.
pub(super) fn write(run: &Run, path: &Path, sources: &[PathBuf]) -> Result<()> {
    refuse_sources(path, sources)?;
    let failed = |e| QueryError::Io { path: path.to_path_buf(), source: e };
    let (file, out) = PartialFile::create(path)?;
    let mut out = BufWriter::new(out);
    page(run, TEXTS_BYTES, &mut out).and_then(|()| out.flush()).map_err(failed)?;
    // Its name comes last, and what has a name is whole.
    out.into_inner().map_err(|e| failed(e.into_error()))?.sync_all().map_err(failed)?;
    file.finish()
}

fn refuse_sources(path: &Path, sources: &[PathBuf]) -> Result<()> {
    let Ok(target) = path.canonicalize() else { return Ok(()) };
    let same = |source: &PathBuf| source.canonicalize().is_ok_and(|s| s == target);
    if sources.iter().any(same) {
        let reason =
            std::io::Error::new(std::io::ErrorKind::InvalidInput, "the page would overwrite the file it shows");
        return Err(QueryError::Io { path: path.to_path_buf(), source: reason });
    }
    Ok(())
}

fn page(run: &Run, budget: usize, out: &mut impl Write) -> std::io::Result<()> {
    // Browsers read every line end as one newline before they hash.
    let style = STYLE.replace('\r', "");
    let script = format!("(() => {{\n\"use strict\";\n{}}})();\n", SCRIPT.concat()).replace('\r', "");
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        hash(&script),
        hash(&style)
    );
    let mut rest = PAGE;
    while let Some((before, (name, after))) = rest.split_once("{{").and_then(|(b, r)| Some((b, r.split_once("}}")?))) {
        out.write_all(before.as_bytes())?;
        match name {
            "policy" => out.write_all(policy.as_bytes())?,
            "version" => out.write_all(env!("CARGO_PKG_VERSION").as_bytes())?,
            "style" => out.write_all(style.as_bytes())?,
            "script" => out.write_all(script.as_bytes())?,
            _ => data(run, budget, out)?,
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

fn data(run: &Run, budget: usize, out: &mut impl Write) -> std::io::Result<()> {
    let mut texts = Texts::default();
    let spans: Vec<Span<'_>> = run.spans.iter().map(|s| Span::of(s, &mut texts)).collect();
    let (texts, cut) = texts.within(budget);
    let page = Page { run: Head::of(run, cut), spans, loops: run.loops.iter().map(Loop::of).collect(), texts };
    let mut json = serde_json::Serializer::with_formatter(out, Inert);
    page.serialize(&mut json).map_err(std::io::Error::from)
}

/// JSON that no HTML parser takes for anything but text.
struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> std::io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices() {
            if matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') {
                out.write_all(&fragment.as_bytes()[plain..at])?;
                write!(out, "\\u{:04x}", u32::from(c))?;
                plain = at + c.len_utf8();
            }
        }
        out.write_all(&fragment.as_bytes()[plain..])
    }
}

/// Texts of spans, each once: what goes into an agent goes into its first call too.
#[derive(Default)]
struct Texts<'r> {
    list: Vec<&'r str>,
    places: HashMap<&'r str, usize>,
}

impl<'r> Texts<'r> {
    fn place(&mut self, text: Option<&'r String>) -> Option<usize> {
        let text = text?.as_str();
        let list = &mut self.list;
        Some(*self.places.entry(text).or_insert_with(|| {
            list.push(text);
            list.len() - 1
        }))
    }

    /// Cuts the longest so that all are within a budget; of those that are cut, their lengths.
    fn within(mut self, budget: usize) -> (Vec<&'r str>, HashMap<usize, u64>) {
        let mut lengths: Vec<usize> = self.list.iter().map(|t| t.len()).collect();
        lengths.sort_unstable();
        // Every text may have the same, and what short ones leave is for the others.
        let (mut left, mut most) = (budget, usize::MAX);
        for (at, &length) in lengths.iter().enumerate() {
            let each = left / (lengths.len() - at);
            if length > each {
                most = each;
                break;
            }
            left -= length;
        }
        let mut cut = HashMap::new();
        for (at, text) in self.list.iter_mut().enumerate().filter(|(_, t)| t.len() > most) {
            cut.insert(at, text.len() as u64);
            *text = &text[..text.floor_char_boundary(most)];
        }
        (self.list, cut)
    }
}

/// A whole number; a string where JavaScript would round it.
#[derive(Debug, Clone, Copy)]
struct Whole(i64);

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        if self.0.unsigned_abs() <= EXACT { to.serialize_i64(self.0) } else { to.collect_str(&self.0) }
    }
}

/// Pico-dollars, as a string.
#[derive(Debug, Clone, Copy)]
struct Usd(i128);

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with references")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[derive(Serialize)]
struct Page<'r> {
    run: Head<'r>,
    spans: Vec<Span<'r>>,
    loops: Vec<Loop<'r>>,
    texts: Vec<&'r str>,
}

/// What is not known is not there.
#[derive(Serialize)]
struct Head<'r> {
    id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    agents: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r str>,
    /// Nanoseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_in: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_out: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Usd>,
    cost_complete: bool,
    unpriced: Whole,
    /// Of texts that are not whole: their bytes.
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    cut: HashMap<usize, u64>,
}

/// Names are short, for there may be ten thousand; texts are places in the list of texts.
#[derive(Serialize)]
struct Span<'r> {
    id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<usize>,
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'r str>,
    kind: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handoff: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'r str>,
    #[serde(skip_serializing_if = "is_false")]
    failed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'r str>,
    /// Nanoseconds since the run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_in: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_out: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Usd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<Whole>,
    /// Number and repetition.
    #[serde(rename = "loop")]
    #[serde(skip_serializing_if = "Option::is_none")]
    loop_of: Option<(Whole, Whole)>,
    #[serde(skip_serializing_if = "is_false")]
    critical: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical_ns: Option<Whole>,
    #[serde(skip_serializing_if = "is_false")]
    orphan: bool,
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
    #[serde(skip_serializing_if = "is_false")]
    synthetic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<usize>,
}

#[derive(Serialize)]
struct Loop<'r> {
    number: Whole,
    kind: &'r str,
    severity: &'r str,
    evidence: &'r str,
    repeats: Whole,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Usd>,
    cost_complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    took: Option<Whole>,
}

impl<'r> Head<'r> {
    fn of(run: &'r Run, cut: HashMap<usize, u64>) -> Self {
        Head {
            id: &run.id,
            name: run.name.as_deref(),
            agents: &run.agents,
            workflow: run.workflow.as_deref(),
            session: run.session_id.as_deref(),
            user: run.user_id.as_deref(),
            service: run.service.as_deref(),
            environment: run.environment.as_deref(),
            outcome: run.outcome.as_deref(),
            error: run.error_message.as_deref().or(run.error_type.as_deref()),
            started: run.started.map(Whole),
            took: run.duration_ns.map(Whole),
            steps: run.steps.map(Whole),
            errors: run.errors.map(Whole),
            tokens_in: run.input_tokens.map(Whole),
            tokens_out: run.output_tokens.map(Whole),
            tokens: run.total_tokens.map(Whole),
            cost: run.cost_usd.map(Usd),
            cost_complete: run.cost_complete,
            unpriced: Whole(run.unpriced),
            cut,
        }
    }
}

impl<'r> Span<'r> {
    fn of(s: &'r RunSpan, texts: &mut Texts<'r>) -> Self {
        Span {
            id: &s.span_id,
            parent: s.parent,
            name: &s.name,
            title: Some(s.title()).filter(|t| *t != s.name),
            kind: &s.kind,
            agent: s.agent.as_deref(),
            provider: s.provider.as_deref(),
            model: s.model.as_deref(),
            tool: s.tool.as_deref(),
            handoff: s.handoff.as_deref(),
            status: s.status.as_deref(),
            failed: s.failed,
            error: s.error_type.as_deref(),
            message: s.status_message.as_deref(),
            start: s.start_ns.map(Whole),
            took: s.duration_ns.map(Whole),
            tokens_in: s.input_tokens.map(Whole),
            tokens_out: s.output_tokens.map(Whole),
            tokens: s.total_tokens.map(Whole),
            cost: s.cost_usd.map(Usd),
            step: s.step.map(Whole),
            loop_of: s.loop_of.map(|(number, repetition)| (Whole(number), Whole(repetition))),
            critical: s.critical,
            critical_ns: s.critical_ns.map(Whole),
            orphan: s.orphan,
            duplicate: s.duplicate,
            synthetic: s.synthetic(),
            system: texts.place(s.system_prompt.as_ref()),
            args: texts.place(s.tool_args.as_ref()),
            input: texts.place(s.input.as_ref()),
            result: texts.place(s.tool_result.as_ref()),
            output: texts.place(s.output.as_ref()),
        }
    }
}

impl<'r> Loop<'r> {
    fn of(l: &'r RunLoop) -> Self {
        Loop {
            number: Whole(l.number),
            kind: &l.kind,
            severity: &l.severity,
            evidence: &l.evidence,
            repeats: Whole(l.last),
            tokens: l.wasted_tokens.map(Whole),
            cost: l.wasted_cost_usd.map(Usd),
            cost_complete: l.cost_complete,
            took: l.wasted_ns.map(Whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(run: &Run, budget: usize) -> String {
        let mut out = Vec::new();
        page(run, budget, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn json(page: &str) -> (&str, serde_json::Value) {
        let begin = page.find("id=\"run\">").unwrap() + 9;
        let text = &page[begin..begin + page[begin..].find("</script>").unwrap()];
        (text, serde_json::from_str(text).unwrap())
    }

    #[test]
    fn nothing_in_a_text_is_markup() {
        let hostile = "</script><!--<script>&amp;\u{2028}\u{2029}\u{0}\u{7f}🦀{{run}}\\";
        let span = RunSpan { name: hostile.into(), input: Some(hostile.into()), ..RunSpan::default() };
        let run = Run { id: hostile.into(), workflow: Some(hostile.into()), spans: vec![span], ..Run::default() };
        let page = written(&run, 1 << 20);
        let (text, value) = json(&page);
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{text}");
        assert_eq!((&value["run"]["id"], &value["texts"][0]), (&hostile.into(), &hostile.into()));
        assert_eq!(page.matches("<script").count(), 2);
    }

    #[test]
    fn numbers_stay_exact_and_what_is_not_known_is_not_there() {
        let big = RunSpan {
            total_tokens: Some(9_007_199_254_740_993),
            output_tokens: Some(9_007_199_254_740_991),
            cost_usd: Some(170_141_183_460_469_231_731_687),
            ..RunSpan::default()
        };
        let run = Run { spans: vec![big, RunSpan::default()], ..Run::default() };
        let page = written(&run, 0);
        let value = json(&page).1;
        assert_eq!(value["spans"][0]["tokens"], "9007199254740993");
        assert_eq!(value["spans"][0]["tokens_out"], 9_007_199_254_740_991_u64);
        assert_eq!(value["spans"][0]["cost"], "170141183460469231731687");
        assert_eq!(value["spans"][1], serde_json::json!({"id": "", "name": "", "kind": ""}));
    }

    #[test]
    fn the_longest_texts_are_cut() {
        let texts = ["aaa".to_owned(), "é".repeat(50), "b".repeat(400)];
        let span = |t: &String| RunSpan { input: Some(t.clone()), output: Some(t.clone()), ..RunSpan::default() };
        let run = Run { spans: texts.iter().map(span).collect(), ..Run::default() };
        let value = json(&written(&run, 202)).1;
        // 3 bytes, then of 199 that are left 99 each: of a text of two-byte letters 98.
        let lengths: Vec<usize> =
            value["texts"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().len()).collect();
        assert_eq!(lengths, [3, 98, 99]);
        assert_eq!(value["run"]["cut"], serde_json::json!({"1": 100, "2": 400}));
        let value = json(&written(&run, 503)).1;
        assert_eq!((value["texts"].as_array().unwrap().len(), value["run"].get("cut")), (3, None));
    }
}
