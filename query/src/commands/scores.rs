//! `spanfile scores import FILE SCORES...`: what evaluators and people said about runs.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::path::Path;

use spanfile::batch::{BatchBuilder, RejectReason};
use spanfile::limits::SCORES_FILE_BYTES;
use spanfile::model::TraceId;
use spanfile::scores::{Score, ScoresFile, read_scores};
use spanfile::{Options, ScanRequest, Store, Table, Writer};
use spanfile_query::{QueryError, Result};

use super::{exit, grouped, output_error, store_error};
use crate::cli::{ScoresArgs, ScoresVerb};

/// How many rejects are explained one by one.
const REJECTS_SHOWN: usize = 5;

pub(crate) fn run(args: &ScoresArgs) -> Result<u8> {
    match &args.verb {
        ScoresVerb::Import { file, inputs } => import(file, inputs),
    }
}

fn import(path: &Path, inputs: &[String]) -> Result<u8> {
    let failed = |e| store_error(path, e);
    // Everything is read before anything is written: a file that cannot be read stops the whole.
    let files: Vec<(&String, ScoresFile)> =
        inputs.iter().map(|input| Ok((input, read(input)?))).collect::<Result<_>>()?;
    let store = Store::open(path, Options::default()).map_err(failed)?;
    let before = scores_in(&store).map_err(failed)?;
    let mut writer = store.writer().map_err(failed)?;
    let (mut stored, mut rejected) = (0, 0);
    let mut traces: HashSet<TraceId> = HashSet::new();
    for (input, file) in &files {
        let refused = store_scores(&mut writer, &file.scores).map_err(failed)?;
        stored += file.scores.len() - refused.len();
        rejected += refused.len() + file.rejects.len();
        traces.extend(file.scores.iter().map(|s| s.trace_id));
        let lines = file.rejects.iter().map(|r| format!("{input}: line {}: {}", r.line, r.reason));
        let refusals = refused.iter().map(|(n, reason)| format!("{input}: score {}: {reason}", n + 1));
        lines.chain(refusals).take(REJECTS_SHOWN).for_each(|line| say!("spanfile: {line}"));
        let more = (refused.len() + file.rejects.len()).saturating_sub(REJECTS_SHOWN);
        if more > 0 {
            say!("spanfile: {input}: {} more rejects", grouped(more as u64));
        }
        if !file.ignored.is_empty() {
            say!("spanfile: {input}: these mean nothing here and were left out: {}", file.ignored.join(", "));
        }
    }
    writer.commit().map_err(failed)?;
    drop(writer);
    let new = scores_in(&store).map_err(failed)? - before;
    let known = known(&store, &traces).map_err(failed)?;
    let mut out = std::io::stdout().lock();
    let mut line = format!("{} scores read, {} new", grouped(stored as u64), grouped(new));
    if rejected > 0 {
        line += &format!(", {} rejected", grouped(rejected as u64));
    }
    writeln!(out, "{line}").map_err(output_error)?;
    let unknown = traces.len() - known;
    if unknown > 0 {
        say!("spanfile: {} of the traces are not in the file; their scores wait for them", grouped(unknown as u64));
    }
    Ok(if rejected > 0 { exit::REJECTED } else { exit::FINE })
}

fn read(input: &str) -> Result<ScoresFile> {
    let io = |source| QueryError::Io { path: input.into(), source };
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a file that is too long.
    let most = SCORES_FILE_BYTES as u64 + 1;
    if input == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(io)?;
    } else {
        std::fs::File::open(input).map_err(io)?.take(most).read_to_end(&mut bytes).map_err(io)?;
    }
    read_scores(&bytes).map_err(|e| io(std::io::Error::new(std::io::ErrorKind::InvalidData, e)))
}

/// Hands scores to the writer; says which of them it cannot take, and why.
fn store_scores(writer: &mut Writer, scores: &[Score]) -> spanfile::Result<Vec<(usize, RejectReason)>> {
    let mut rows = BatchBuilder::new();
    let mut refused = Vec::new();
    for (n, score) in scores.iter().enumerate() {
        let mut done = rows.push_score(score);
        if done == Err(RejectReason::BatchFull) {
            writer.append(rows.finish())?;
            done = rows.push_score(score);
        }
        refused.extend(done.err().map(|reason| (n, reason)));
    }
    writer.append(rows.finish())?;
    Ok(refused)
}

/// Scores in the file, each once.
fn scores_in(store: &Store) -> spanfile::Result<u64> {
    let snapshot = store.snapshot()?;
    let sealed: u64 = snapshot.segments()?.iter().map(|s| s.live_rows(Table::Scores)).sum();
    Ok(sealed + snapshot.tail()?.rows(Table::Scores))
}

/// How many of the traces have a run in the file.
fn known(store: &Store, traces: &HashSet<TraceId>) -> spanfile::Result<usize> {
    let request = ScanRequest::new(Table::Runs).columns(["trace_id"]).traces(traces.iter().copied());
    let mut known = 0;
    for batch in store.snapshot()?.scan(&request)? {
        known += batch?.num_rows();
    }
    Ok(known)
}
