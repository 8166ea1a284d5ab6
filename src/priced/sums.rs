//! Sums of priced uses: per run, and per day, agent, model and price.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use foldhash::fast::RandomState;

use super::Portion;
use super::pricer::{Applied, BUCKETS, Outcome, Pricer, Use};
use crate::batch::{Columns, RowWriter};
use crate::cells::{Int, Text, Time, Trace};
use crate::cost::Bucket;
use crate::error::Result;
use crate::model::TraceId;
use crate::schema;
use crate::segment::Table;

/// Money that may be unknown in part.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Money {
    /// Pico-dollars that are known; `None` when nothing is, and when the sum went beyond what a column holds.
    pub(super) cost: Option<i128>,
    pub(super) reported: i128,
    pub(super) unpriced_spans: u64,
    pub(super) unpriced_tokens: i128,
    too_large: bool,
}

impl Money {
    pub(super) fn add(&mut self, outcome: &Outcome, reported: bool) {
        self.add_part(outcome.cost, reported, outcome.unpriced_spans, outcome.unpriced_tokens.into());
    }

    pub(super) fn add_part(&mut self, cost: Option<i128>, reported: bool, spans: u64, tokens: i128) {
        self.unpriced_spans += spans;
        self.unpriced_tokens += tokens;
        let Some(cost) = cost else { return };
        let limit = 10i128.pow(u32::from(schema::USD_PRECISION)) - 1;
        match self.cost.unwrap_or(0).checked_add(cost).filter(|sum| sum.abs() <= limit) {
            Some(sum) if !self.too_large => self.cost = Some(sum),
            _ => (self.cost, self.too_large) = (None, true),
        }
        if reported {
            self.reported = self.reported.saturating_add(cost).clamp(-limit, limit);
        }
    }

    /// Whether nothing is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.unpriced_spans == 0 && !self.too_large
    }
}

/// What uses are summed by, as numbers of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    day: i32,
    agent: u32,
    agent_version: u32,
    workflow: u32,
    kind: u32,
    provider: u32,
    request_model: u32,
    response_model: u32,
    service_tier: u32,
    applied: u32,
}

/// For what views count runs: a run counts once for each value, in the first of its rows that has it.
const RUN_COUNTS: usize = 5;

#[derive(Debug, Clone, Copy, Default)]
struct Group {
    runs: [u64; RUN_COUNTS],
    calls: u64,
    counted: u64,
    /// Sums that a column may not hold: then it is NULL.
    tokens: [Option<i128>; TOKENS],
    money: Money,
    buckets: [i128; BUCKETS],
    counts: [i128; BUCKETS],
}

/// Inclusive token counts of a group, in the order of the columns.
const TOKENS: usize = 10;

/// Gathers priced uses.
#[derive(Debug)]
pub(super) struct Sums {
    groups: HashMap<Key, Group, RandomState>,
    order: Vec<Key>,
    runs: HashMap<TraceId, Money, RandomState>,
    /// Rows of the trace under way: they count only when all of it is decided.
    open: Vec<(Key, Group)>,
    run: Option<(TraceId, Money)>,
    /// The run that last counted for a value.
    seen: HashMap<(usize, u32, u32, u32), u64, RandomState>,
    run_number: u64,
}

impl Sums {
    pub(super) fn new() -> Self {
        Sums {
            groups: HashMap::default(),
            order: Vec::new(),
            runs: HashMap::default(),
            open: Vec::new(),
            run: None,
            seen: HashMap::default(),
            run_number: 0,
        }
    }

    /// Adds a use of the trace under way.
    pub(super) fn add(&mut self, trace: TraceId, u: &Use<'_>, outcome: &Outcome, pricer: &mut Pricer<'_>) {
        let reported = pricer.applied[outcome.applied as usize].source == Some("reported");
        let texts = &mut pricer.texts;
        let key = Key {
            day: u.day(),
            agent: texts.number(u.agent),
            agent_version: texts.number(u.agent_version),
            workflow: texts.number(u.workflow),
            kind: texts.number(u.kind),
            provider: texts.number(u.provider),
            request_model: texts.number(u.request_model),
            response_model: texts.number(u.response_model),
            service_tier: texts.number(u.service_tier),
            applied: outcome.applied,
        };
        let t = &u.tokens;
        let mut group = Group {
            calls: u.calls,
            counted: u.counted,
            tokens: [
                t.input,
                t.output,
                t.cache_read,
                t.cache_write,
                t.cache_write_1h,
                t.reasoning,
                t.input_audio,
                t.input_image,
                t.output_audio,
                u.total_tokens,
            ]
            .map(|n| n.map(i128::from)),
            ..Group::default()
        };
        group.money.add(outcome, reported);
        if let Some(cost) = &outcome.by_bucket {
            (group.buckets, group.counts) = (cost.buckets, cost.counts.map(i128::from));
        }
        self.run.get_or_insert((trace, Money::default())).1.add(outcome, reported);
        self.open.push((key, group));
    }

    /// Ends the trace under way; forgets it when it could not be decided.
    pub(super) fn end_trace(&mut self, decided: bool) {
        let run = self.run.take();
        if !decided {
            self.open.clear();
            return;
        }
        let Some((trace, money)) = run else { return };
        self.runs.insert(trace, money);
        self.run_number += 1;
        for (key, mut group) in self.open.drain(..) {
            let values = [
                (key.agent, 0, 0),
                (key.agent, key.agent_version, 0),
                (key.workflow, 0, 0),
                (key.provider, key.request_model, key.response_model),
                (key.day as u32, 0, 0),
            ];
            for (i, (a, b, c)) in values.into_iter().enumerate() {
                let before = self.seen.insert((i, a, b, c), self.run_number);
                group.runs[i] = u64::from(before != Some(self.run_number));
            }
            match self.groups.entry(key) {
                std::collections::hash_map::Entry::Occupied(mut sum) => sum.get_mut().join(&group),
                std::collections::hash_map::Entry::Vacant(slot) => {
                    self.order.push(key);
                    slot.insert(group);
                }
            }
        }
    }

    /// The rows of [`schema::USAGE_COSTS`].
    pub(super) fn uses(&self, pricer: &Pricer<'_>) -> RecordBatch {
        let mut columns = Columns::new(&schema::usage_costs());
        for key in &self.order {
            let Some(group) = self.groups.get(key) else { continue };
            let mut w = RowWriter::new(&mut columns);
            w.day(key.day);
            for text in [
                key.agent,
                key.agent_version,
                key.workflow,
                key.kind,
                key.provider,
                key.request_model,
                key.response_model,
                key.service_tier,
            ] {
                w.text(pricer.texts.text(text));
            }
            write_applied(&mut w, &pricer.applied[key.applied as usize]);
            group.runs.into_iter().for_each(|n| w.count(n));
            w.count(group.calls);
            w.count(group.counted);
            group.tokens.into_iter().for_each(|n| w.int(n.and_then(|n| i64::try_from(n).ok())));
            write_money(&mut w, &group.money);
            w.end();
        }
        columns.finish()
    }

    /// The rows of [`schema::BUCKET_COSTS`].
    pub(super) fn buckets(&self, pricer: &Pricer<'_>) -> RecordBatch {
        let mut by_price: Vec<(Key, Group)> = Vec::new();
        let mut at: HashMap<Key, usize, RandomState> = HashMap::default();
        for key in &self.order {
            let Some(group) = self.groups.get(key) else { continue };
            let key = Key { day: 0, agent: 0, agent_version: 0, workflow: 0, kind: 0, ..*key };
            match at.get(&key) {
                Some(&i) => by_price[i].1.join(group),
                None => {
                    at.insert(key, by_price.len());
                    by_price.push((key, *group));
                }
            }
        }
        let mut columns = Columns::new(&schema::bucket_costs());
        for (key, group) in &by_price {
            let applied = &pricer.applied[key.applied as usize];
            let mut write = |bucket: &str, tokens: Option<i128>, money: &Money| {
                let mut w = RowWriter::new(&mut columns);
                for text in [key.provider, key.request_model, key.response_model, key.service_tier] {
                    w.text(pricer.texts.text(text));
                }
                write_applied(&mut w, applied);
                w.text(Some(bucket));
                w.count(group.calls);
                w.int(tokens.and_then(|n| i64::try_from(n).ok()));
                write_money(&mut w, money);
                w.end();
            };
            if applied.source == Some("reported") {
                write("reported", None, &group.money);
            } else if applied.source.is_some() {
                for (i, bucket) in Bucket::ALL.into_iter().enumerate() {
                    if group.counts[i] != 0 && (bucket != Bucket::Requests || group.buckets[i] != 0) {
                        let money = Money { cost: Some(group.buckets[i]), ..Money::default() };
                        write(bucket.name(), Some(group.counts[i]), &money);
                    }
                }
            }
            if group.money.unpriced_spans > 0 {
                let money = Money { cost: None, reported: 0, ..group.money };
                write("unpriced", Some(group.money.unpriced_tokens), &money);
            }
        }
        columns.finish()
    }

    /// The rows of [`schema::RUN_COSTS`], in the order of the runs.
    pub(super) fn runs(&self, portion: &Portion) -> Result<RecordBatch> {
        const TEXTS: [&str; 9] = [
            "root_name",
            "workflow_name",
            "agents",
            "session_id",
            "user_id",
            "service_name",
            "environment",
            "outcome",
            "status",
        ];
        const COUNTS: [&str; 9] = [
            "spans",
            "steps",
            "llm_calls",
            "tool_calls",
            "errors",
            "retries",
            "input_tokens",
            "output_tokens",
            "total_tokens",
        ];
        let mut columns = Columns::new(&schema::run_costs());
        let names: Vec<&str> = ["trace_id", "start_time", "end_time"].into_iter().chain(TEXTS).chain(COUNTS).collect();
        for batch in portion.read(Table::Runs, &names, None)? {
            let batch = batch?;
            let trace = Trace::of(&batch, "trace_id");
            let (texts, counts) = (TEXTS.map(|n| Text::of(&batch, n)), COUNTS.map(|n| Int::of(&batch, n)));
            let [start, end] = ["start_time", "end_time"].map(|n| Time::of(&batch, n));
            for row in 0..batch.num_rows() {
                let Some(id) = trace.at(row) else { continue };
                let money = self.runs.get(&id).copied().unwrap_or_default();
                let mut w = RowWriter::new(&mut columns);
                w.id(Some(&id.0));
                texts.iter().for_each(|t| w.text(t.at(row)));
                let (start, end) = (start.at(row), end.at(row));
                w.int(start);
                w.int(end);
                w.int(start.zip(end).and_then(|(start, end)| end.checked_sub(start)));
                counts.iter().for_each(|c| w.int(c.at(row)));
                write_money(&mut w, &money);
                w.end();
            }
        }
        Ok(columns.finish())
    }
}

impl Group {
    fn join(&mut self, other: &Group) {
        self.runs.iter_mut().zip(other.runs).for_each(|(a, b)| *a += b);
        self.calls += other.calls;
        self.counted += other.counted;
        for (a, b) in self.tokens.iter_mut().zip(other.tokens) {
            *a = match (*a, b) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
        }
        let (reported, m) = (other.money.reported, &other.money);
        self.money.add_part(m.cost, false, m.unpriced_spans, m.unpriced_tokens);
        self.money.reported = self.money.reported.saturating_add(reported);
        if m.too_large {
            (self.money.cost, self.money.too_large) = (None, true);
        }
        self.buckets.iter_mut().zip(other.buckets).for_each(|(a, b)| *a = a.saturating_add(b));
        self.counts.iter_mut().zip(other.counts).for_each(|(a, b)| *a += b);
    }
}

/// The columns about what applied.
pub(super) fn write_applied(w: &mut RowWriter<'_>, applied: &Applied) {
    w.text(applied.source);
    w.text(applied.price_key.as_deref());
    w.text(applied.match_kind);
    w.int(applied.valid_from);
    w.text(applied.why);
}

/// The columns about money.
pub(super) fn write_money(w: &mut RowWriter<'_>, money: &Money) {
    // Where nothing is known and nothing is missing, there was nothing to pay for.
    let cost = money.cost.or(money.is_complete().then_some(0));
    w.usd(cost);
    w.usd(cost.map(|_| money.reported));
    w.flag(Some(money.is_complete()));
    w.count(money.unpriced_spans);
    w.int(i64::try_from(money.unpriced_tokens).ok());
}
