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

/// Words that say nothing of what a text is about.
const STOP: [&str; 32] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "i", "in", "is", "it", "its", "my", "now", "of",
    "on", "or", "our", "that", "the", "this", "to", "was", "we", "were", "will", "with", "you", "your",
];

/// The words of a text, without order and repetition: a bottom-k sketch (Broder, "On the resemblance and containment
/// of documents", 1997) that is exact for texts of up to 128 different words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Hashes, ascending.
    sample: Arc<[u32]>,
    /// Hash of the words that hold digits, whatever their order.
    numbers: u64,
}

impl Words {
    /// The words of a text: stretches of letters and digits, in lower case, without the commonest English words.
    pub fn of(text: &str) -> Self {
        let mut sample: Vec<u32> = Vec::new();
        let mut numbers: Vec<u64> = Vec::new();
        let mut lower = String::new();
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
            lower.clear();
            lower.extend(word.chars().flat_map(char::to_lowercase));
            if STOP.binary_search(&lower.as_str()).is_ok() {
                continue;
            }
            let hash = xxh3_64(lower.as_bytes());
            if lower.contains(|c: char| c.is_ascii_digit()) {
                numbers.push(hash);
            }
            sample.push((hash >> 32) as u32);
        }
        sample.sort_unstable();
        sample.dedup();
        sample.truncate(KEPT);
        numbers.sort_unstable();
        numbers.dedup();
        let bytes: Vec<[u8; 8]> = numbers.into_iter().map(u64::to_le_bytes).collect();
        Words { sample: sample.into(), numbers: xxh3_64(bytes.as_flattened()) }
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

    /// Whether [`Words::likeness`] is at least `share`; mostly known before all words were compared.
    pub(super) fn shares(&self, other: &Words, share: f64) -> bool {
        let (few, many) = (self.len().min(other.len()), self.len().max(other.len()));
        // At best all words of the shorter text are in the longer one.
        (few as f64) >= share * (many as f64) && self.likeness(other) >= share
    }

    /// Jaccard similarity: the share of words that both have, of those that either has; 1 when neither has any. Of
    /// long texts an estimate.
    pub fn likeness(&self, other: &Words) -> f64 {
        let (mut a, mut b) = (self.sample.iter().peekable(), other.sample.iter().peekable());
        // Of samples that were cut, only the smallest of the union are a fair sample of it.
        let most = if self.len() == KEPT || other.len() == KEPT { KEPT } else { usize::MAX };
        let (mut both, mut either) = (0u32, 0u32);
        while (either as usize) < most {
            let order = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) => x.cmp(y),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => break,
            };
            if order.is_le() {
                a.next();
            }
            if order.is_ge() {
                b.next();
            }
            both += u32::from(order.is_eq());
            either += 1;
        }
        if either == 0 { 1.0 } else { f64::from(both) / f64::from(either) }
    }
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
    fn stop_words_are_sorted() {
        assert!(STOP.is_sorted());
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
