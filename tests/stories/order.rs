//! The same trace in other orders of its requests gives the same derived rows.

use std::io::Read;
use std::path::Path;

use spanfile::batch::SpanBatch;
use spanfile::{Options, Store};

use super::captures;
use crate::ingest::gather::gather;
use crate::store::chance::{Chance, amount};
use crate::store::rollups;

/// Captures with at most this many requests are tried in every order.
const SMALL: usize = 4;

/// The requests of one file, one per line.
fn requests(path: &Path) -> Vec<SpanBatch> {
    let file = std::fs::File::open(path).unwrap();
    let mut text = String::new();
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap(),
        Some("zst") => zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap(),
        _ => std::io::BufReader::new(file).read_to_string(&mut text).unwrap(),
    };
    text.lines().filter(|l| !l.trim().is_empty()).map(|l| gather(l.as_bytes()).batch).collect()
}

/// Every order of `0..n`.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    let mut out = vec![Vec::new()];
    for next in 0..n {
        let longer =
            |p: &Vec<usize>| (0..=p.len()).map(|at| [&p[..at], &[next], &p[at..]].concat()).collect::<Vec<_>>();
        out = out.iter().flat_map(longer).collect();
    }
    out
}

/// What a file derives whose requests came in this order, each in a commit of its own, sealed after some of them.
fn derived(requests: &[SpanBatch], order: &[usize], sealed_after: usize) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("a.spans"), Options::default()).unwrap();
    let mut writer = store.writer().unwrap();
    for (n, &request) in order.iter().enumerate() {
        writer.append(requests[request].clone()).unwrap();
        writer.commit().unwrap();
        if n == sealed_after {
            writer.seal_all().unwrap();
        }
    }
    rollups::lines(&store)
}

#[test]
fn the_order_of_requests_changes_nothing() {
    let mut chance = Chance::new(7);
    let (mut files, mut orders) = (0, 0);
    for (framework, scenarios) in captures() {
        for (scenario, paths) in scenarios {
            let requests: Vec<SpanBatch> = paths.iter().flat_map(|p| requests(p)).collect();
            let n = requests.len();
            let want = derived(&requests, &(0..n).collect::<Vec<_>>(), n);
            let tried = if n <= SMALL {
                permutations(n)
            } else {
                let shuffled = |_| {
                    let mut order: Vec<usize> = (0..n).collect();
                    (1..n).rev().for_each(|i| order.swap(i, chance.below(i as u64 + 1) as usize));
                    order
                };
                (0..amount(2, 100)).map(shuffled).collect()
            };
            files += 1;
            for order in tried {
                orders += 1;
                let got = derived(&requests, &order, chance.below(n as u64 + 1) as usize);
                for (got, want) in got.iter().zip(&want) {
                    assert_eq!(got, want, "{framework}, {scenario}, requests in the order {order:?}");
                }
                assert_eq!(got.len(), want.len(), "{framework}, {scenario}, requests in the order {order:?}");
            }
        }
    }
    println!("{orders} orders of {files} captures");
}
