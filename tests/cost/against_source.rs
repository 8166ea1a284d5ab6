//! Arbitrary usages of every model of the price list, priced here and by the list's own program.
//!
//! `testdata/prices/costs.tsv.zst` has, for each model, exact sums of what the program asked for two hundred and for
//! ten thousand usages, and a fingerprint that no two orders of results share. The usages are made anew here, by the same
//! generator. Where prices have at most six decimals per million tokens, every single result is a whole number of
//! pico-dollars on both sides, and sums and fingerprints must be the same. Where prices have more, the list has them from
//! binary fractions (0.0833333333333333): the book keeps twelve decimals, each of at most twelve buckets is rounded to
//! half a pico-dollar, and the sum of n results may differ by n times ten pico-dollars: a hundredth of what would show
//! in the ninth decimal of one result.

use std::collections::BTreeMap;
use std::fmt::Write;

use spanfile::cost::{Bucket, CannotPrice, Context, PriceBook, Usage};

const THRESHOLDS: [u64; 9] = [32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288];
const TIERS: [Option<&str>; 8] =
    [Some("flex"), Some("priority"), Some("batch"), Some("fast"), Some("default"), None, None, None];

/// SplitMix64, seeded with the FNV-1a hash of a text.
struct Random(u64);

impl Random {
    fn of(text: &str) -> Random {
        let step = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        Random(text.bytes().fold(0xCBF2_9CE4_8422_2325, step))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % bound
    }

    fn size(&mut self) -> u64 {
        let bound = [100, 10_000, 1_000_000, 3_000_000][self.below(4) as usize];
        self.below(bound)
    }
}

struct Call {
    usage: Usage,
    instant_ns: i64,
    tier: Option<&'static str>,
    /// The counts agree with each other.
    consistent: bool,
}

/// One usage. The script that asks the list's program has the same function.
fn call(random: &mut Random) -> Call {
    let some = |v: u64| Some(v as i64);
    let shape = random.below(16);
    let total =
        if random.below(4) == 0 { THRESHOLDS[random.below(9) as usize] + random.below(3) - 1 } else { random.size() };
    let out = if random.below(8) == 0 { 0 } else { random.size() };
    let second = 1_672_531_200 + random.below(157_766_400);
    let tier = TIERS[random.below(8) as usize];
    let mut u = Usage { input: some(total), output: some(out), ..Usage::default() };
    match shape {
        0 => u = Usage { input: Some(0), output: Some(0), ..Usage::default() },
        1 => u.cache_read = some(total),
        2 => u.reasoning = some(out),
        4 => u.cache_write = some(random.below(total + 1)),
        5 => {
            let write = random.below(total + 1);
            u.cache_write = some(write);
            u.cache_write_1h = some(random.below(write + 1));
        }
        6 => u.input_audio = some(random.below(total + 1)),
        7 => u.input_image = some(random.below(total + 1)),
        8 => {
            let read = random.below(total + 1);
            let both = random.below(read + 1);
            u.cache_read = some(read);
            u.cache_read_audio = some(both);
            u.input_audio = some(both + random.below(total - read + 1));
        }
        9 => u.cache_read = some(total + 1 + random.below(1000)),
        10 => u.reasoning = some(out + 1 + random.below(1000)),
        11 => {
            u.cache_read = some(random.below(total + 1));
            u.input_audio = some(random.below(total + 1));
        }
        12 => u.output_audio = some(random.below(out + 1)),
        13 => u.output_image = some(random.below(out + 1)),
        14.. => {
            let read = random.below(total + 1);
            let write = random.below(total - read + 1);
            u.cache_read = some(read);
            u.cache_write = some(write);
            u.cache_write_1h = some(random.below(write + 1));
            u.reasoning = some(random.below(out + 1));
        }
        _ => {}
    }
    Call { usage: u, instant_ns: second as i64 * 1_000_000_000, tier, consistent: shape != 9 && shape != 10 }
}

/// A decimal text as a whole number of 10^-30.
fn exactly(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 30, "{text}");
    format!("{whole}{fraction:0<30}").parse().unwrap()
}

#[derive(Default)]
struct Sums {
    pico: i128,
    /// Of usages without output.
    silent_pico: i128,
    fingerprint: u64,
    refused: u64,
    /// Why calls that agree have no cost.
    unpriced: BTreeMap<String, u64>,
    /// All prices were whole numbers of pico-dollars per token.
    exact: bool,
}

fn sums(book: &PriceBook, provider: &str, id: &str, count: u64, mut each: impl FnMut(u64, i128)) -> Sums {
    let model = book.model(provider, id).unwrap_or_else(|| panic!("{provider}/{id} is not in the book"));
    let mut random = Random::of(&format!("{provider}/{id}"));
    let mut sums = Sums { exact: true, ..Sums::default() };
    for number in 1..=count {
        let call = call(&mut random);
        let rates = model.rates_at(call.instant_ns, Context { service_tier: call.tier });
        sums.exact &= rates.as_ref().map_or(true, |r| r.is_exact());
        let cost = rates.and_then(|r| r.cost(&call.usage));
        let mut fold = |v: u64| {
            sums.fingerprint = sums.fingerprint.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(v);
        };
        match (call.consistent, cost) {
            (false, Ok(cost)) => panic!("{provider}/{id}, usage {number} contradicts itself and costs {cost:?}"),
            (false, Err(e)) => {
                assert!(!matches!(e.why, CannotPrice::TooLarge | CannotPrice::Incomplete(_)), "{provider}/{id}: {e}");
            }
            (true, Ok(cost)) => {
                assert_eq!(cost.total, cost.buckets.iter().sum::<i128>());
                fold((cost.total as u64).wrapping_add(2));
                sums.pico += cost.total;
                sums.silent_pico += if call.usage.output == Some(0) { cost.total } else { 0 };
                each(number, cost.total);
            }
            (true, Err(e)) => match e.why {
                CannotPrice::Inconsistent(_) => {
                    fold(1);
                    sums.refused += 1;
                }
                CannotPrice::BucketWithoutPrice(
                    Bucket::Output | Bucket::Reasoning | Bucket::OutputAudio | Bucket::OutputImage,
                ) => {
                    *sums.unpriced.entry("output_without_price".to_owned()).or_default() += 1;
                }
                why => *sums.unpriced.entry(why.name().to_owned()).or_default() += 1,
            },
        }
    }
    sums
}

const ABOUT_DIFFERENCES: &str = "\
# Models that cost something else here than in the price list's own program, for some usages, and why.
#
# no_price: the list has an entry without any token price. Its program says 0 dollars; here there is no cost. An entry
#   without a price is not an offer to work for nothing: no cost is right.
# output_without_price: the list has a price for input alone, as for embeddings. Its program takes output tokens for free;
#   here a usage that has some has no cost, since none is told for them. Without output both agree, which is checked.
#
# Beside these, usages whose counts contradict each other (more cached than input, more reasoning than output) are refused
# here for every model. The program refuses them only where the part has a price of its own.
";

const PICO: i128 = 1_000_000_000_000_000_000;

#[test]
fn every_model_costs_what_its_list_says() {
    let packed = include_bytes!("../../testdata/prices/costs.tsv.zst");
    let golden = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
    let long = std::env::var_os("SPANFILE_LONG").is_some();
    let count_of_long: u64 = golden.split(' ').nth(5).unwrap().parse().unwrap();
    let (count, at) = if long { (count_of_long, 7) } else { (200, 2) };
    let book = PriceBook::bundled();
    let mut differences = String::new();
    let (mut models, mut exact) = (0, 0);
    for line in golden.lines().filter(|l| !l.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (provider, id) = (fields[0], fields[1]);
        let [sum, silent, fingerprint, refused, _] = fields[at..at + 5] else { panic!("{line}") };
        let shown: BTreeMap<u64, &str> = fields[12..]
            .iter()
            .map(|s| s.split_once(':').unwrap())
            .map(|(number, price)| (number.parse().unwrap(), price))
            .collect();
        let ours = sums(book, provider, id, count, |number, pico| {
            if let Some(price) = shown.get(&number) {
                let off = (pico * PICO - exactly(price)).abs();
                assert!(off <= 10 * PICO, "{provider}/{id}, usage {number}: {pico} pico-dollars, not {price}");
            }
        });
        models += 1;
        // The book may have rounded the noise away: 0.18000000000000002 is 0.18.
        let noise = sum.split_once('.').is_some_and(|(_, decimals)| decimals.len() > 12);
        let is_exact = ours.exact && !noise;
        let bound = if is_exact { 0 } else { i128::from(count) * 10 * PICO };
        let near = |pico: i128, golden: &str| (pico * PICO - exactly(golden)).abs() <= bound;
        if !ours.unpriced.is_empty() {
            // What the list's program takes for free, or for no output at all, is not known here.
            let why: Vec<&str> = ours.unpriced.keys().map(String::as_str).collect();
            writeln!(differences, "{provider}/{id}\t{}", why.join(",")).unwrap();
            if why == ["output_without_price"] {
                assert!(near(ours.silent_pico, silent), "{provider}/{id} without output: {}", ours.silent_pico);
            } else {
                assert_eq!((sum, why.as_slice()), ("0", &["no_price"][..]), "{provider}/{id}");
            }
            continue;
        }
        assert_eq!(ours.refused.to_string(), refused, "{provider}/{id}: usages refused");
        assert!(near(ours.pico, sum), "{provider}/{id}: {} pico-dollars, not {sum} dollars", ours.pico);
        if is_exact {
            exact += 1;
            assert_eq!(format!("{:016x}", ours.fingerprint), fingerprint, "{provider}/{id}: single results");
        }
    }
    assert_eq!(models, book.models().count());
    assert!(models > 2000 && exact > models * 8 / 10, "{exact} of {models} exact");
    println!("{models} models, {count} usages each; {exact} of them exact");
    let table = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/prices/cost_differences.tsv");
    let committed = std::fs::read_to_string(&table).unwrap_or_default();
    let committed: String = committed.lines().filter(|l| !l.starts_with('#')).flat_map(|l| [l, "\n"]).collect();
    if std::env::var_os("SPANFILE_BLESS").is_some() {
        std::fs::write(&table, format!("{ABOUT_DIFFERENCES}{differences}")).unwrap();
    } else {
        assert_eq!(differences, committed, "models that cost something else here than in the list");
    }
}
