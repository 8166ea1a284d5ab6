//! The critical path of a run: the spans that decide when it ends.
//!
//! The algorithm is that of CRISP (Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice
//! Architectures", USENIX ATC 2022): from the end of a span backwards, the child that ended last among those that had
//! ended by then is on the path, and so on from the start of that child; time between two such children is the span's
//! own. A child that outlasts its parent counts up to the parent's end.
//!
//! Clocks of a millisecond let a span end after the next one has begun, which would take it off the path: an overlap
//! shorter than that is none.
//!
//! CRISP takes the end of the root for the end of the trace. Agents' frameworks close a root before the work below it is
//! done often enough, so here a run ends with whatever span ends last, and the ancestors of that span last as long.

/// How much later than the next one's start a span may end, and yet come before it.
const SLACK_NS: i64 = 1_000_000;

/// A span in time; parents come before their children.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    pub(crate) parent: Option<usize>,
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
}

/// Of each span on the path the time that is its own, not that of spans below it; `None` elsewhere.
pub(crate) fn critical_path(spans: &[Timed]) -> Vec<Option<i64>> {
    let mut path = vec![None; spans.len()];
    let times = filled(spans);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    let mut roots = Vec::new();
    for (at, s) in spans.iter().enumerate() {
        match s.parent {
            Some(p) => children[p].push(at),
            None => roots.push(at),
        }
    }
    let Some(end) = times.iter().flatten().map(|(_, end)| *end).max() else { return path };
    // Spans to walk through, each with when it ended as far as the path is concerned.
    let mut open = Vec::new();
    walk(&roots, &times, end, &mut open);
    while let Some((at, until)) = open.pop() {
        let Some((start, _)) = times[at] else { continue };
        let below = walk(&children[at], &times, until, &mut open);
        path[at] = Some((until - start.min(until) - below).max(0));
    }
    path
}

/// Goes backwards through siblings from a moment on, notes those on the path, and gives the time that they cover.
fn walk(siblings: &[usize], times: &[Option<(i64, i64)>], until: i64, open: &mut Vec<(usize, i64)>) -> i64 {
    let mut known: Vec<(i64, i64, usize)> = siblings
        .iter()
        .filter_map(|&at| times[at].map(|(start, end)| (end.min(until), start, at)))
        .filter(|(_, start, _)| *start <= until)
        .collect();
    // The last to end first; of those that ended together, the last to start.
    known.sort_unstable_by(|a, b| b.cmp(a));
    let (mut now, mut covered) = (until, 0);
    for (end, start, at) in known {
        if end <= now.saturating_add(SLACK_NS) && start <= now {
            let end = end.min(now);
            open.push((at, end));
            covered += end - start.min(end);
            now = start;
        }
    }
    covered
}

/// Start and end of spans. What is not recorded is taken from the spans below; the last span's ancestors last as long.
fn filled(spans: &[Timed]) -> Vec<Option<(i64, i64)>> {
    // From the first start to the last end below each span.
    let mut below: Vec<Option<(i64, i64)>> = vec![None; spans.len()];
    let mut times: Vec<Option<(i64, i64)>> = vec![None; spans.len()];
    for (at, s) in spans.iter().enumerate().rev() {
        let start = s.start.or(below[at].map(|(start, _)| start));
        times[at] = start.map(|start| {
            let end = s.end.or(below[at].map(|(_, end)| end)).unwrap_or(start);
            (start, end.max(start))
        });
        let reach = [times[at], below[at]].into_iter().flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        if let (Some(p), Some((start, end))) = (s.parent, reach) {
            below[p] = Some(below[p].map_or((start, end), |b| (b.0.min(start), b.1.max(end))));
        }
    }
    let last = times.iter().enumerate().filter_map(|(at, t)| Some((t.as_ref()?.1, at))).max();
    if let Some((end, last)) = last {
        let mut at = spans[last].parent;
        while let Some(p) = at {
            times[p] = times[p].map(|(start, _)| (start, end));
            at = spans[p].parent;
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Well above what clocks do not tell apart.
    const UNIT: i64 = 10 * SLACK_NS;

    /// Spans as parent, start and end; the path as the spans on it with their own time.
    fn path(spans: &[(Option<usize>, Option<i64>, Option<i64>)]) -> Vec<(usize, i64)> {
        let ms = |t: Option<i64>| t.map(|t| t * UNIT);
        let timed = |&(parent, start, end): &_| Timed { parent, start: ms(start), end: ms(end) };
        let spans: Vec<Timed> = spans.iter().map(timed).collect();
        critical_path(&spans).into_iter().enumerate().filter_map(|(at, own)| Some((at, own? / UNIT))).collect()
    }

    fn at(parent: usize, start: i64, end: i64) -> (Option<usize>, Option<i64>, Option<i64>) {
        (Some(parent), Some(start), Some(end))
    }

    fn root(start: i64, end: i64) -> (Option<usize>, Option<i64>, Option<i64>) {
        (None, Some(start), Some(end))
    }

    #[test]
    fn of_parallel_children_the_last_to_end() {
        assert_eq!(path(&[root(0, 100), at(0, 10, 60), at(0, 10, 90), at(0, 20, 70)]), [(0, 20), (2, 80)]);
    }

    #[test]
    fn gaps_are_the_parents_own_time() {
        // Before 10, from 30 to 50 and after 80.
        assert_eq!(path(&[root(0, 100), at(0, 10, 30), at(0, 50, 80)]), [(0, 50), (1, 20), (2, 30)]);
        // What ended while another child on the path ran is not on it; what ended before that one began is.
        assert_eq!(path(&[root(0, 100), at(0, 0, 40), at(0, 30, 60), at(0, 60, 100)]), [(0, 30), (2, 30), (3, 40)]);
    }

    #[test]
    fn all_own_times_are_the_run() {
        let spans = [root(0, 100), at(0, 5, 60), at(1, 7, 20), at(1, 7, 55), at(3, 8, 9), at(0, 50, 95), at(5, 94, 95)];
        assert_eq!(path(&spans).iter().map(|(_, own)| own).sum::<i64>(), 100);
    }

    #[test]
    fn children_outlast_their_parents() {
        // Elsewhere than at the end of the run they count up to the parent's end.
        let spans = [root(0, 100), at(0, 0, 10), at(1, 5, 95), at(0, 10, 100)];
        assert_eq!(path(&spans), [(0, 0), (1, 5), (2, 5), (3, 90)]);
        // What ends last ends the run.
        assert_eq!(path(&[root(0, 10), at(0, 5, 60), at(0, 70, 100)]), [(0, 15), (1, 55), (2, 30)]);
        // A child that began after its parent had ended did not hold it up.
        assert_eq!(path(&[root(0, 100), at(0, 0, 10), at(1, 20, 30), at(0, 10, 100)]), [(0, 0), (1, 10), (3, 90)]);
    }

    #[test]
    fn zero_and_missing_durations() {
        assert_eq!(path(&[root(0, 10), at(0, 10, 10), at(0, 4, 10)]), [(0, 4), (1, 0), (2, 6)]);
        assert_eq!(path(&[root(0, 0), at(0, 0, 0)]), [(0, 0), (1, 0)]);
        // An end that is not known is that of the last below, a start that of the first.
        assert_eq!(path(&[(None, Some(0), None), at(0, 3, 9)]), [(0, 3), (1, 6)]);
        assert_eq!(path(&[(None, None, None), at(0, 3, 9)]), [(0, 0), (1, 6)]);
        assert_eq!(path(&[(None, Some(5), None), (Some(0), None, None)]), [(0, 0)]);
        assert_eq!(path(&[(None, None, None)]), []);
        assert_eq!(path(&[]), []);
    }

    #[test]
    fn clocks_are_not_exact() {
        let span = |parent, start, end| Timed { parent, start: Some(start), end: Some(end) };
        let ms = SLACK_NS;
        // The first ends within a millisecond after the second began: it counts up to there.
        let spans = [span(None, 0, 100 * ms), span(Some(0), 0, 50 * ms), span(Some(0), 50 * ms - ms / 2, 100 * ms)];
        assert_eq!(critical_path(&spans), [Some(0), Some(50 * ms - ms / 2), Some(50 * ms + ms / 2)]);
        // More than that is another thread.
        let spans = [span(None, 0, 100 * ms), span(Some(0), 0, 50 * ms), span(Some(0), 48 * ms, 100 * ms)];
        assert_eq!(critical_path(&spans), [Some(48 * ms), None, Some(52 * ms)]);
    }

    #[test]
    fn orphans_are_roots() {
        assert_eq!(path(&[root(0, 50), at(0, 10, 50), root(60, 100), root(0, 70)]), [(0, 10), (1, 40), (2, 40)]);
    }

    #[test]
    fn a_chain_as_long_as_a_run_needs_no_stack() {
        let n = 200_000_usize;
        let spans: Vec<Timed> = (0..n)
            .map(|i| Timed { parent: i.checked_sub(1), start: Some(i as i64), end: Some((2 * n - i) as i64) })
            .collect();
        assert!(critical_path(&spans).iter().all(Option::is_some));
    }
}
