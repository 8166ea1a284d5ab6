//! What runs cost: the roll-ups of a file with the prices of a book applied.
//!
//! Segments hold no money but what sources reported, so that prices can change. Here they meet: [`Portion::priced_uses`]
//! prices the rows of `usage` of each portion of a file, [`Portion::priced_steps`] its spans, where single calls matter.
//! Both price by the same rules, and a test holds that they agree to the last digit.
//!
//! | module | does |
//! |---|---|
//! | `pricer` | one use, its price and why it has none |
//! | `usage`, `rows` | uses as `usage` and `spans` hold them |
//! | `sums` | per run; per day, agent, model and price |
//! | `agent_runs` | per run and agent |
//! | `tools` | which tools a model call is due to |
//! | `loops` | what loops wasted |
//! | `search` | loops at other settings |
//! | `audit` | what was not counted or not priced, span by span |
//!
//! A row of `usage` sums up several calls. Where their sum does not say what they cost, because a price changed during the
//! day or some calls are above a threshold and others below, the spans of the trace are priced instead.
//!
//! ```
//! # use spanfile::{Options, Store};
//! use spanfile::priced::Pricing;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("runs.spans");
//! # drop(Store::create(&path, Options::default())?);
//! let store = Store::open_read_only(&path, Options::default())?;
//! let snapshot = store.snapshot()?;
//! let pricing = Pricing::new(snapshot.price_book()?);
//! for portion in snapshot.portions()? {
//!     let priced = portion.priced_uses(&pricing)?;
//!     println!("{} runs: {:?}", priced.runs.num_rows(), priced.runs.column_by_name("cost_usd"));
//! }
//! # Ok(())
//! # }
//! ```

mod agent_runs;
mod audit;
mod loops;
mod pricer;
mod rows;
mod search;
mod steps;
mod sums;
mod tools;
mod usage;

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};

use crate::cost::{Match, PriceBook, Unpriced};
use crate::error::{Error, Result};
use crate::loops::Settings;
use crate::model::TraceId;
use crate::segment::Table;
use crate::segment::arrivals::{project, trace_id};
use crate::store::{Segment, Snapshot, Tail};
use pricer::Pricer;
use sums::Sums;

/// Which prices apply.
#[derive(Debug, Clone)]
pub struct Pricing {
    book: Arc<PriceBook>,
    as_of_unix_nano: Option<i64>,
    instead: Option<Instead>,
}

/// Calls of one model, priced as those of another.
#[derive(Debug, Clone)]
struct Instead {
    /// The model as it was named, in lower case.
    from: String,
    /// Its price key, when the book knows it.
    from_key: Option<String>,
    to: Match,
}

impl Pricing {
    /// Each call at the price of its own time; what sources report beats that.
    pub fn new(book: Arc<PriceBook>) -> Self {
        Pricing { book, as_of_unix_nano: None, instead: None }
    }

    /// All calls at the prices of one moment. Where tokens are known, they count, not the cost that was reported.
    #[must_use]
    pub fn as_of(mut self, unix_nano: i64) -> Self {
        self.as_of_unix_nano = Some(unix_nano);
        self
    }

    /// Calls of the model `from` at the prices of `to`. Where tokens are known, they count, not the cost that was
    /// reported. `from` is a name as spans have it or one that leads to the same model of the book.
    ///
    /// # Errors
    /// When the book has no certain model for `to`.
    pub fn instead(mut self, from: &str, to: &str) -> Result<Self, Unpriced> {
        let find = |name: &str| match name.split_once('/') {
            Some((provider, model)) => {
                self.book.find(Some(provider), None, Some(model)).or_else(|_| self.book.find(None, None, Some(name)))
            }
            None => self.book.find(None, None, Some(name)),
        };
        let to = find(to)?;
        let from_key = find(from).ok().map(|m| m.price_key());
        self.instead = Some(Instead { from: from.to_lowercase(), from_key, to });
        Ok(self)
    }

    /// The book.
    pub fn book(&self) -> &Arc<PriceBook> {
        &self.book
    }

    /// The same for pricings that give the same costs: what is computed can be kept under it.
    pub fn identity(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.book.hash());
        hasher.update(format!("{:?}", self.as_of_unix_nano).as_bytes());
        if let Some(i) = &self.instead {
            hasher.update(format!("{:?} {:?}", i.from, i.to.price_key()).as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

/// Priced roll-ups of a portion of a file.
#[derive(Debug, Clone)]
pub struct PricedUses {
    /// One row per run, with the columns [`RUN_COSTS`](crate::schema::RUN_COSTS).
    pub runs: RecordBatch,
    /// One row per day, agent, workflow, kind, model, service tier and price, with the columns
    /// [`USAGE_COSTS`](crate::schema::USAGE_COSTS).
    pub uses: RecordBatch,
    /// One row per model, service tier, price and bucket of tokens, with the columns
    /// [`BUCKET_COSTS`](crate::schema::BUCKET_COSTS).
    pub buckets: RecordBatch,
}

/// What only single spans tell of a portion of a file.
#[derive(Debug, Clone)]
pub struct PricedSteps {
    /// One row per tool and agent, with the columns [`TOOL_COSTS`](crate::schema::TOOL_COSTS).
    pub tools: RecordBatch,
    /// One row per finding, with the columns [`COST_AUDIT`](crate::schema::COST_AUDIT).
    pub audit: RecordBatch,
}

/// Loops of a portion of a file.
#[derive(Debug, Clone)]
pub struct PricedLoops {
    /// One row per loop, with the columns [`LOOP_COSTS`](crate::schema::LOOP_COSTS).
    pub loops: RecordBatch,
    /// One row per span of a loop, with the columns [`LOOP_SPANS`](crate::schema::LOOP_SPANS).
    pub spans: RecordBatch,
}

/// A part of a file that whole traces lie in: a sealed segment, or the rows that are not sealed yet.
#[derive(Debug, Clone)]
pub enum Portion {
    /// A sealed segment.
    Sealed(Segment),
    /// Rows that are not sealed yet.
    Tail(Tail),
}

impl Snapshot {
    /// The portions of the file. Each trace lies in one of them.
    ///
    /// # Errors
    /// What reading can bring.
    pub fn portions(&self) -> Result<Vec<Portion>> {
        let mut portions: Vec<_> = self.segments()?.into_iter().map(Portion::Sealed).collect();
        let tail = self.tail()?;
        if tail.traces() > 0 {
            portions.push(Portion::Tail(tail));
        }
        Ok(portions)
    }
}

impl Portion {
    /// Prices the roll-ups.
    ///
    /// # Errors
    /// What reading can bring.
    pub fn priced_uses(&self, pricing: &Pricing) -> Result<PricedUses> {
        let mut sums = Sums::new();
        let mut pricer = Pricer::new(pricing);
        let undecided = usage::price(self, &mut pricer, &mut sums)?;
        if !undecided.is_empty() {
            rows::price_spans(self, &undecided, &mut pricer, &mut sums)?;
        }
        let (uses, buckets) = (sums.uses(&pricer), sums.buckets(&pricer));
        let runs = sums.runs(self)?;
        Ok(PricedUses { runs, uses, buckets })
    }

    /// What each agent did in each run, and what that cost: one row per run and agent, with the columns
    /// [`AGENT_RUNS`](crate::schema::AGENT_RUNS). Runs without any call are not among them.
    ///
    /// # Errors
    /// What reading can bring.
    pub fn agent_runs(&self, pricing: &Pricing) -> Result<RecordBatch> {
        agent_runs::price(self, pricing)
    }

    /// Prices span by span.
    ///
    /// # Errors
    /// What reading can bring.
    pub fn priced_steps(&self, pricing: &Pricing) -> Result<PricedSteps> {
        steps::price(self, pricing)
    }

    /// Prices what the loops wasted that were found at default settings.
    ///
    /// # Errors
    /// What reading can bring.
    pub fn priced_loops(&self, pricing: &Pricing) -> Result<PricedLoops> {
        loops::price(self, pricing)
    }

    /// Looks for loops with other settings, and prices what they wasted. Reads all spans.
    ///
    /// # Errors
    /// What reading can bring.
    pub fn search_loops(&self, settings: &Settings, pricing: &Pricing) -> Result<PricedLoops> {
        search::search(self, settings, pricing)
    }

    /// The named columns of a table's live rows, those of some traces where `traces` names them (sorted).
    fn read(
        &self,
        table: Table,
        columns: &[&str],
        traces: Option<&[TraceId]>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + '_>> {
        let schema = columns_of(table, columns);
        match self {
            Portion::Sealed(segment) => {
                let Some(part) = segment.part(table) else { return Ok(Box::new(std::iter::empty())) };
                let ranges = match traces {
                    Some(traces) => part.locate(traces)?,
                    None => part.live_rows(),
                };
                Ok(Box::new(part.rows(schema, &ranges)?))
            }
            Portion::Tail(tail) => {
                let traces = traces.map(<[TraceId]>::to_vec);
                Ok(Box::new(tail.batches(table).iter().map(move |batch| {
                    let rows = project(batch, &schema).map_err(|e| Error::Rows(e.to_string()))?;
                    match &traces {
                        Some(traces) => of_traces(&rows, traces),
                        None => Ok(rows),
                    }
                })))
            }
        }
    }
}

fn columns_of(table: Table, names: &[&str]) -> SchemaRef {
    let full = table.schema();
    Arc::new(Schema::new(
        full.fields().iter().filter(|f| names.contains(&f.name().as_str())).cloned().collect::<Vec<_>>(),
    ))
}

/// Rows of these traces, whose id is the first column.
fn of_traces(batch: &RecordBatch, traces: &[TraceId]) -> Result<RecordBatch> {
    let ids = batch.column(0).as_fixed_size_binary();
    let mask: BooleanArray =
        (0..batch.num_rows()).map(|i| Some(traces.binary_search(&trace_id(ids.value(i))).is_ok())).collect();
    filter_record_batch(batch, &mask).map_err(|e| Error::Rows(e.to_string()))
}
