//! How alike two texts are: the words they share.
//!
//! ```
//! use spanfile::loops::Words;
//! let a = Words::of("population of Paris in 2020");
//! let b = Words::of("Paris population (2020)");
//! assert_eq!(a.likeness(&b), 1.0);
//! assert!(a.same_numbers(&b) && !a.same_numbers(&Words::of("population of Paris in 2021")));
//! ```

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

/// Most words that are kept: of longer texts those of the smallest hashes, which are a fair sample of both texts.
const KEPT: usize = 128;

/// Words from which on a text is a long one.
const LONG: usize = 32;

/// Words that say nothing of what a text is about.
const STOP: [&str; 32] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "i", "in", "is", "it", "its", "my", "now", "of",
    "on", "or", "our", "that", "the", "this", "to", "was", "we", "were", "will", "with", "you", "your",
];

/// The same, as [`short`] numbers, ascending.
static STOPPED: [u128; STOP.len()] = {
    let mut stopped = [0; STOP.len()];
    let mut i = 0;
    while i < STOP.len() {
        let (word, mut at) = (STOP[i].as_bytes(), STOP[i].len());
        while at > 0 {
            at -= 1;
            stopped[i] = stopped[i] << 8 | word[at] as u128;
        }
        let mut place = i;
        while place > 0 && stopped[place - 1] > stopped[place] {
            (stopped[place - 1], stopped[place]) = (stopped[place], stopped[place - 1]);
            place -= 1;
        }
        i += 1;
    }
    stopped
};

/// Bytes of the longest of them.
const STOP_BYTES: usize = 4;

/// Letters and digits in lower case, 0 for all other bytes.
static LOWER: [u8; 256] = {
    let mut lower = [0; 256];
    let mut b = 0u8;
    while b < 128 {
        if b.is_ascii_alphanumeric() {
            lower[b as usize] = b.to_ascii_lowercase();
        }
        b += 1;
    }
    lower
};

/// Bytes of words that are numbers: most of them.
const SHORT: usize = 16;

/// The first `length` bytes of `bytes` as a number, for words that are short; what follows them must be there.
fn short(bytes: &[u8], length: usize) -> Option<u128> {
    let all: [u8; SHORT] = bytes.get(..SHORT)?.try_into().ok()?;
    let unused = 8 * SHORT.checked_sub(length)? as u32;
    Some(u128::from_le_bytes(all).checked_shl(unused)? >> unused)
}

/// Whether any of the bytes is an ASCII digit: one of 0x30 to 0x39.
fn has_digits(word: u128) -> bool {
    const ONES: u128 = u128::MAX / 0xff;
    // With its high bit off, a byte from 0x30 on carries into it when 0x50 is added, one from 0x3a on when 0x46 is.
    let low = word & (ONES * 0x7f);
    let (from_0, above_9) = (low + ONES * 0x50, low + ONES * 0x46);
    from_0 & !above_9 & !word & (ONES * 0x80) != 0
}

/// Hash of a short word: two halves multiplied and folded, as in wyhash. The function call of a hash for texts of any
/// length takes as long as all else that is done with a word.
fn hash_short(word: u128) -> u64 {
    let mixed = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let halves = mixed(word as u64 ^ 0xa076_1d64_78bd_642f, (word >> 64) as u64 ^ 0xe703_7ed1_a0b4_28db);
    mixed(halves ^ 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3)
}

/// The words of a text, without order and repetition: a bottom-k sketch (Broder, "On the resemblance and containment
/// of documents", 1997) that is exact for texts of up to 128 different words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Hashes, ascending.
    sample: Arc<[u32]>,
    /// Of long texts, which bits of 512 any of the words sets: tells most pairs apart without a look at the words.
    bits: Option<Arc<[u64; 8]>>,
    /// Hash of the words that hold digits, whatever their order.
    numbers: u64,
}

impl Words {
    /// The words of a text: stretches of letters and digits, in lower case, without the commonest English words.
    pub fn of(text: &str) -> Self {
        let mut sample: Vec<u32> = Vec::with_capacity(text.len() / 8);
        let mut numbers: Vec<u64> = Vec::new();
        let mut lower: Vec<u8> = Vec::with_capacity(text.len() + SHORT);
        // Takes the word that `lower` holds from a place on, with zeros or other words after it.
        let mut take = |bytes: &[u8], length: usize| {
            let (hash, has_digits) = match short(bytes, length) {
                Some(word) if length <= STOP_BYTES && STOPPED.binary_search(&word).is_ok() => return,
                Some(word) => (hash_short(word), has_digits(word)),
                None => (xxh3_64(&bytes[..length]), bytes[..length].iter().any(u8::is_ascii_digit)),
            };
            if has_digits {
                numbers.push(hash);
            }
            sample.push((hash >> 32) as u32);
        };
        if text.is_ascii() {
            // Zeros between words.
            lower.extend(text.bytes().map(|b| LOWER[usize::from(b)]));
            lower.resize(text.len() + SHORT, 0);
            let mut start = 0;
            for end in 0..=text.len() {
                if lower[end] == 0 {
                    if start < end {
                        take(&lower[start..], end - start);
                    }
                    start = end + 1;
                }
            }
        } else {
            for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
                lower.clear();
                lower.extend_from_slice(word.to_lowercase().as_bytes());
                let length = lower.len();
                lower.resize(length + SHORT, 0);
                take(&lower, length);
            }
        }
        sample.sort_unstable();
        sample.dedup();
        sample.truncate(KEPT);
        numbers.sort_unstable();
        numbers.dedup();
        let bytes: Vec<[u8; 8]> = numbers.into_iter().map(u64::to_le_bytes).collect();
        let bits = (sample.len() >= LONG).then(|| {
            let mut bits = [0; 8];
            for word in &sample {
                bits[(word >> 6 & 7) as usize] |= 1 << (word & 63);
            }
            Arc::new(bits)
        });
        Words { sample: sample.into(), bits, numbers: xxh3_64(bytes.as_flattened()) }
    }

    /// How many different words there are, up to 128.
    pub fn len(&self) -> usize {
        self.sample.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sample.is_empty()
    }

    /// Whether both hold the same words with digits: pages, ids and dates tell work on many things from a repetition.
    pub fn same_numbers(&self, other: &Words) -> bool {
        self.numbers == other.numbers
    }

    /// Jaccard similarity: the share of words that both have, of those that either has; 1 when neither has any. Of
    /// long texts an estimate.
    pub fn likeness(&self, other: &Words) -> f64 {
        self.shared(other, usize::MAX).map_or(0.0, share)
    }

    /// Whether [`Words::likeness`] is at least `least`: mostly known before all words were compared.
    pub(crate) fn is_like(&self, other: &Words, least: f64) -> bool {
        let (few, many) = (self.len().min(other.len()), self.len().max(other.len()));
        // At best, all words of the shorter text are in the longer one.
        if share((few, many)) < least || share(self.most_shared(other)) < least {
            return false;
        }
        // With m words in one text only, of s in both together, the share is (s - m) / (s + m); of samples that were
        // cut, it is (k - m) / k.
        let misses = if many == KEPT {
            KEPT as f64 * (1.0 - least)
        } else {
            (few + many) as f64 * (1.0 - least) / (1.0 + least)
        };
        // One more, for what was lost to rounding: the share itself decides.
        self.shared(other, misses as usize + 1).is_some_and(|counts| share(counts) >= least)
    }

    /// Of samples that were cut, only the smallest of the union are a fair sample of it.
    fn most(&self, other: &Words) -> usize {
        if self.len().max(other.len()) == KEPT { KEPT } else { usize::MAX }
    }

    /// A bound of [`Words::shared`]: each bit that only one text sets is of a word that only one text has.
    fn most_shared(&self, other: &Words) -> (usize, usize) {
        let all = self.len() + other.len();
        let Some((a, b)) = self.bits.as_ref().zip(other.bits.as_ref()) else { return (all, all) };
        let apart: u32 = a.iter().zip(b.iter()).map(|(x, y)| (x ^ y).count_ones()).sum();
        let both = (all - apart as usize) / 2;
        (both, (all - both).min(self.most(other)))
    }

    /// How many words both have, and how many either has; `None` when more than `misses` are in one of them only.
    fn shared(&self, other: &Words, misses: usize) -> Option<(usize, usize)> {
        let (a, b) = (&*self.sample, &*other.sample);
        let most = self.most(other);
        let (mut i, mut j, mut both) = (0, 0, 0);
        while i < a.len() && j < b.len() && i + j - both < most {
            let (x, y) = (a[i], b[j]);
            i += usize::from(x <= y);
            j += usize::from(y <= x);
            both += usize::from(x == y);
            if i + j - 2 * both > misses {
                return None;
            }
        }
        let rest = if i < a.len() { a.len() - i } else { b.len() - j };
        Some((both, (i + j - both + rest).min(most)))
    }
}

fn share((both, either): (usize, usize)) -> f64 {
    if either == 0 { 1.0 } else { both as f64 / either as f64 }
}

/// Similarity hash of a text's pairs of words (Charikar, "Similarity estimation techniques from rounding algorithms",
/// 2002): texts that differ in few of them differ in few bits. `None` for fewer than two words.
///
/// ```
/// use spanfile::loops::simhash;
/// let text = |last: &str| format!("{} {last}", "plan: look at the list of files, then open each of them and sum up".repeat(4));
/// let bits = |a: &str, b: &str| (simhash(a).unwrap() ^ simhash(b).unwrap()).count_ones();
/// assert!(bits(&text("one"), &text("two")) <= 3);
/// assert!(bits(&text("one"), "something that has nothing to do with it at all") > 10);
/// ```
pub fn simhash(text: &str) -> Option<u64> {
    let mut weights = [0i32; 64];
    let mut before: Option<u64> = None;
    let mut any = false;
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        let hash = xxh3_64(word.as_bytes());
        if let Some(before) = before {
            let pair = xxh3_64([before, hash].map(u64::to_le_bytes).as_flattened());
            any = true;
            for (bit, weight) in weights.iter_mut().enumerate() {
                *weight += if pair >> bit & 1 == 1 { 1 } else { -1 };
            }
        }
        before = Some(hash);
    }
    any.then(|| weights.iter().enumerate().fold(0, |hash, (bit, &w)| hash | u64::from(w > 0) << bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_found() {
        assert_eq!(STOP.iter().map(|w| w.len()).max(), Some(STOP_BYTES));
        assert!(STOPPED.is_sorted());
        for stop in STOP {
            assert!(Words::of(stop).is_empty() && Words::of(&stop.to_uppercase()).is_empty(), "{stop}");
            assert_eq!(Words::of(&format!("{stop}, {stop}xq! é")).len(), 2, "{stop}");
        }
    }

    #[test]
    fn digits_are_seen_in_words_of_any_length() {
        for word in ["a1", "12345678", "abcdefgh0jklmnop", "9bcdefghijklmnop", "abcdefghijklmno9", "abcdefghijklmnopq7"]
        {
            assert!(!Words::of(word).same_numbers(&Words::of("none")), "{word}");
            assert!(Words::of(word).same_numbers(&Words::of(&format!("é {}", word.to_uppercase()))), "{word}");
        }
        for word in ["a", "abcdefghijklmnop", "zzzzzzzzzzzzzzzzz", "éàü", "日本語", "ａｂｃ"] {
            assert!(Words::of(word).same_numbers(&Words::of("none")), "{word}");
        }
    }

    #[test]
    fn an_early_answer_is_the_same() {
        let mut yes = 0;
        for a in [0, 1, 3, 8, 40, 127, 128, 300] {
            for b in [0, 1, 2, 5, 9, 33, 64, 127, 128, 129, 900] {
                for both in [0, 1, 3, 7, 60, 120, 128, 280] {
                    let text = |range: std::ops::Range<u32>| range.map(|i| format!("w{i} ")).collect::<String>();
                    let (x, y) = (Words::of(&text(0..a)), Words::of(&text(a.max(both) - both..a.max(both) - both + b)));
                    for least in [0.0, 0.25, 0.4, 0.5, 0.7, 1.0, x.likeness(&y)] {
                        assert_eq!(x.is_like(&y, least), x.likeness(&y) >= least, "{a} {b} {both} {least}");
                        yes += usize::from(x.is_like(&y, least));
                    }
                }
            }
        }
        assert!((1000..3000).contains(&yes), "{yes}");
    }

    #[test]
    fn long_texts_are_estimated() {
        let text = |from: u32, to: u32| (from..to).map(|i| format!("w{i} ")).collect::<String>();
        let (a, b) = (Words::of(&text(0, 3000)), Words::of(&text(1000, 4000)));
        assert_eq!(a.len(), 128);
        assert!((a.likeness(&b) - 0.5).abs() < 0.15, "{}", a.likeness(&b));
        assert_eq!(a.likeness(&a), 1.0);
        assert_eq!(Words::of("").likeness(&Words::of("of the")), 1.0);
        assert_eq!(Words::of("").likeness(&Words::of("x")), 0.0);
    }
}
