//! A workload that a seed determines step by step, for tests that interrupt it: what the file must hold after the
//! first `n` steps is known without having run them.

use std::collections::BTreeSet;

use spanfile::{CompactOptions, Error, Options, Store, Writer};

use super::chance::Chance;
use super::model::Model;
use super::sample::{Log, Sample, batch};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Rows appended in several batches, one commit.
    Commit,
    /// Rows imported in one piece and sealed.
    Import,
    /// More rows than the import buffer takes: parts of them become visible before the end.
    LongImport,
    /// Everything sealed.
    Seal,
    /// Everything rewritten and the file trimmed.
    Compact,
    /// The file closed and opened again.
    Close,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    batches: Vec<(Vec<Sample>, Vec<Log>)>,
}

/// Small bounds, so that every commit may seal and every long import spills.
pub(crate) fn options() -> Options {
    Options {
        cache_bytes: 4 << 20,
        import_buffer_bytes: 400 << 10,
        tail_seal_spans: 60,
        quiet_ms: 0,
        segment_spans: 40,
        compact_segment_spans: 100,
        ..Options::default()
    }
}

/// The step with this number.
pub(crate) fn step(seed: u64, number: u64) -> Step {
    let mut chance = Chance::new(seed ^ number.wrapping_mul(0xA24B_AED4_963E_E407));
    let kind = match chance.below(16) {
        0..8 => Kind::Commit,
        8..10 => Kind::Import,
        10 => Kind::LongImport,
        11..14 => Kind::Seal,
        14 => Kind::Compact,
        _ => Kind::Close,
    };
    // Traces are numbered by step, so that rows of different steps differ unless they are meant to meet.
    let traces = |count: u64, chance: &mut Chance| -> Vec<Sample> {
        let own = (0..count).flat_map(|t| (0..1 + chance.below(4)).map(move |s| (number * 1000 + t, s)));
        let own: Vec<(u64, u64)> = own.collect();
        own.into_iter().map(|(trace, span)| Sample { trace, span, content: chance.below(8) as u32 }).collect()
    };
    let mut batches = Vec::new();
    match kind {
        Kind::Commit => {
            for part in 0..1 + chance.below(3) {
                let mut spans = traces(2, &mut chance);
                spans.iter_mut().for_each(|s| s.trace += part * 10);
                if number > 2 {
                    // A late span, and other content for one that is there.
                    let back = 1 + chance.below(2);
                    spans.push(Sample { trace: (number - back) * 1000, span: 100 + number, content: 1 });
                    spans.push(Sample { trace: (number - 2) * 1000, span: 0, content: 10 + chance.below(5) as u32 });
                }
                batches.push((spans, vec![Log { trace: number * 1000, span: 0, text: part as u32 }]));
            }
        }
        Kind::Import => batches.push((traces(6, &mut chance), Vec::new())),
        Kind::LongImport => {
            for part in 0..5 {
                let mut spans = traces(30, &mut chance);
                spans.iter_mut().for_each(|s| s.trace += part * 100);
                batches.push((spans, Vec::new()));
            }
        }
        Kind::Seal | Kind::Compact | Kind::Close => {}
    }
    Step { kind, batches }
}

impl Step {
    /// Runs the step, all but [`Kind::Close`], which only the owner of the store can do. Durable when this returns.
    pub(crate) fn run(&self, store: &Store, writer: &mut Option<Writer>) -> Result<(), Error> {
        if self.kind == Kind::Compact {
            // The writer commits nothing by being dropped.
            drop(writer.take());
            store.compact(CompactOptions { force: true, ..CompactOptions::default() })?;
            return Ok(());
        }
        let w = match writer {
            Some(w) => w,
            None => writer.insert(store.writer()?),
        };
        match self.kind {
            Kind::Commit => {
                self.batches.iter().try_for_each(|(spans, logs)| w.append(batch(spans, logs)))?;
                w.commit().map(drop)
            }
            Kind::Import => {
                self.batches.iter().try_for_each(|(spans, _)| w.import(batch(spans, &[])))?;
                w.seal_all()
            }
            Kind::LongImport => {
                self.batches.iter().try_for_each(|(spans, _)| w.import(batch(spans, &[])))?;
                w.commit().map(drop)
            }
            Kind::Seal => w.seal_all(),
            Kind::Compact | Kind::Close => Ok(()),
        }
    }
}

/// What the file holds after the first `steps` steps.
pub(crate) fn model(seed: u64, steps: u64) -> Model {
    let mut out = Model::default();
    for number in 0..steps {
        step(seed, number).batches.iter().for_each(|(spans, logs)| out.add(spans, logs));
    }
    out
}

/// How a file's rows relate to the steps of its workload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Exactly what this many steps make.
    Steps(u64),
    /// That and some rows of a long import that was cut short, which is allowed.
    PartOfImport(u64),
    /// Rows of acknowledged steps are missing.
    Lost(String),
    /// Neither all nor nothing of the step that was under way, or rows from nowhere.
    Partial(String),
}

/// Compares rows with what must be there: `acknowledged` steps, and perhaps the next if it had begun.
pub(crate) fn held(rows: &[String], seed: u64, acknowledged: u64, begun: bool) -> Held {
    let before = model(seed, acknowledged).lines();
    if rows == before {
        return Held::Steps(acknowledged);
    }
    let after = model(seed, acknowledged + 1).lines();
    if begun && rows == after {
        return Held::Steps(acknowledged + 1);
    }
    let set = |lines: &[String]| lines.iter().cloned().collect::<BTreeSet<_>>();
    let (rows, before, after) = (set(rows), set(&before), set(&after));
    let replaced = &before - &after;
    if let Some(missing) = (&before - &rows).into_iter().find(|l| !replaced.contains(l)) {
        return Held::Lost(missing);
    }
    match rows.difference(&after).next() {
        None if begun && step(seed, acknowledged).kind == Kind::LongImport => Held::PartOfImport(acknowledged),
        None => Held::Partial(format!("step {acknowledged} is there in part")),
        Some(row) => Held::Partial(row.clone()),
    }
}
