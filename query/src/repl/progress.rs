//! How far a statement is: rows read of those that its scans may read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

use super::work::Waiting;
use crate::commands::{cut, grouped};

/// What takes less needs no bar.
const AFTER: Duration = Duration::from_millis(500);
const AGAIN: Duration = Duration::from_millis(150);

/// The plan that runs, once it is known.
#[derive(Debug, Default, Clone)]
pub(super) struct Running(Arc<Mutex<Option<Arc<dyn ExecutionPlan>>>>);

impl Running {
    pub(super) fn set(&self, plan: &Arc<dyn ExecutionPlan>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(plan));
    }

    /// Rows that the leaves of the plan have given, and how many they can give where all of them know.
    fn rows(&self) -> Option<(u64, Option<u64>)> {
        let plan = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let mut leaves = Vec::new();
        gather(&plan, &mut leaves);
        let read = leaves.iter().filter_map(|leaf| leaf.metrics()?.output_rows()).sum::<usize>() as u64;
        let total = leaves.iter().map(|leaf| {
            let statistics = StatisticsContext::new().compute(leaf.as_ref(), &StatisticsArgs::new()).ok()?;
            statistics.num_rows.get_value().map(|n| *n as u64)
        });
        Some((read, total.sum::<Option<u64>>().filter(|n| *n > 0)))
    }
}

fn gather<'a>(plan: &'a Arc<dyn ExecutionPlan>, leaves: &mut Vec<&'a Arc<dyn ExecutionPlan>>) {
    let children = plan.children();
    if children.is_empty() {
        leaves.push(plan);
    }
    children.into_iter().for_each(|child| gather(child, leaves));
}

/// Cells of the bar.
const CELLS: u64 = 16;

/// A line on stderr for statements that take long. It ends before the edge of the terminal, so that the `^C` which the
/// terminal echoes does not begin a line of its own.
pub(super) struct Progress {
    running: Running,
    begun: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub(super) fn new(running: Running) -> Self {
        Progress { running, begun: Instant::now(), drawn: None }
    }

    /// What matters comes first: a narrow terminal shows the begin.
    fn line(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        let since = format!("{seconds:.0} s, Ctrl-C stops");
        match self.running.rows() {
            Some((read, Some(total))) if read <= total => {
                let filled = (read * CELLS / total) as usize;
                let bar = "█".repeat(filled) + &"░".repeat(CELLS as usize - filled);
                // Other work follows when all is read; how long nobody knows.
                let left = match read {
                    n if n == 0 || n == total => String::new(),
                    n => format!(", {:.0} s left", (total - n) as f64 * seconds / n as f64),
                };
                let (read_rows, rate) = (grouped(read), grouped((read as f64 / seconds) as u64));
                format!("{bar} {since}; {read_rows} of {} rows read, {rate}/s{left}", grouped(total))
            }
            Some((read, _)) if read > 0 => {
                format!("{since}; {} rows read, {}/s", grouped(read), grouped((read as f64 / seconds) as u64))
            }
            _ => since,
        }
    }
}

impl Waiting for Progress {
    fn tick(&mut self) {
        if self.begun.elapsed() < AFTER || self.drawn.is_some_and(|at| at.elapsed() < AGAIN) {
            return;
        }
        self.drawn = Some(Instant::now());
        let term = console::Term::stderr();
        let room = usize::from(term.size().1).saturating_sub(4);
        // Nobody may be looking any more, and that must not stop the work.
        let _ = term.clear_line().and_then(|()| term.write_str(&cut(&self.line(), room)));
    }

    fn over(&mut self) {
        if self.drawn.take().is_some() {
            let _ = console::Term::stderr().clear_line();
        }
    }
}
