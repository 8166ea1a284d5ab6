//! `spanfile export FILE DIR`: tables as files that other programs read.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use spanfile_query::render::{Format, PartialFile, RenderOptions, render};
use spanfile_query::{Engine, QueryError, Result, alike, expand};

use super::query::{engine_options, runtime, until_interrupted, watch_interrupts};
use super::{exit, grouped};
use crate::cli::{ExportArgs, ExportFormat};

/// What is exported unless tables are named: what the file holds, and what runs cost.
const TABLES: [&str; 8] = ["spans", "events", "links", "scores", "runs", "usage", "loops", "cost_per_run"];

pub(crate) fn run(args: &ExportArgs) -> Result<u8> {
    let named: Vec<&str> = args.tables.iter().map(String::as_str).collect();
    let tables = if named.is_empty() { TABLES.to_vec() } else { named };
    if let Some(unknown) = tables.iter().find(|t| !Engine::table_names().contains(t)) {
        let meant = alike(unknown, Engine::table_names().iter().map(|t| (*t).to_owned()));
        let meant = meant.first().map(|m| format!("; did you mean {m}?")).unwrap_or_default();
        say!("spanfile: there is no table {unknown}{meant}");
        return Ok(exit::USAGE);
    }
    let runtime = runtime(args.limits.threads)?;
    let interrupt = watch_interrupts(&runtime);
    let engine = Engine::open_all(&expand(&args.file)?, engine_options(&args.limits)?)?;
    std::fs::create_dir_all(&args.dir).map_err(|source| QueryError::Io { path: args.dir.clone(), source })?;
    until_interrupted(runtime, &interrupt, async {
        for table in tables {
            let path = args.dir.join(format!("{table}.{}", args.format.extension()));
            let rows = write(&engine, table, args.format, &path).await?;
            say!("{}: {} rows", path.display(), grouped(rows));
        }
        Ok(exit::FINE)
    })
}

/// Writes one table. The file is there when all of it is.
async fn write(engine: &Engine, table: &str, format: ExportFormat, path: &Path) -> Result<u64> {
    let rows = engine.sql(&format!("SELECT * FROM {table}")).await?.stream()?;
    let options = RenderOptions::default();
    let text = match format {
        ExportFormat::Parquet => {
            return render(rows, &Format::Parquet(path.into()), &options, &mut std::io::sink()).await;
        }
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Jsonl => Format::Jsonl,
        ExportFormat::Tabs => Format::Tabs,
    };
    let (partial, file): (PartialFile, File) = PartialFile::create(path)?;
    let mut out = BufWriter::new(file);
    let rows = render(rows, &text, &options, &mut out).await?;
    drop(out);
    partial.finish()?;
    Ok(rows)
}
