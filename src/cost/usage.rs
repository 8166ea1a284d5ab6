//! What is paid for, in buckets that do not overlap.

/// Tokens of one model call, or sums over several, as spans tell them: **inclusive**. `input` includes what was read
/// from and written to the cache, audio and images; `output` includes reasoning and audio. `None` is "not told".
///
/// A part that was not told counts as none of it: its tokens are then priced with the whole they are in. A whole that
/// was not told makes the usage incomplete, unless the model charges nothing for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// All input tokens.
    pub input: Option<i64>,
    /// All output tokens.
    pub output: Option<i64>,
    /// Part of `input`: read from the provider's cache.
    pub cache_read: Option<i64>,
    /// Part of `input`: written to the provider's cache, all lifetimes.
    pub cache_write: Option<i64>,
    /// Part of `cache_write`: with a lifetime of one hour.
    pub cache_write_1h: Option<i64>,
    /// Part of `output`: reasoning.
    pub reasoning: Option<i64>,
    /// Part of `input`: audio.
    pub input_audio: Option<i64>,
    /// Part of `input`: images.
    pub input_image: Option<i64>,
    /// Part of both `input_audio` and `cache_read`.
    pub cache_read_audio: Option<i64>,
    /// Part of both `input_image` and `cache_read`.
    pub cache_read_image: Option<i64>,
    /// Part of `output`: audio.
    pub output_audio: Option<i64>,
    /// Part of `output`: images.
    pub output_image: Option<i64>,
}

macro_rules! buckets {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $scale:literal;)*) => {
        /// What a price or an amount is for. Buckets do not overlap: each token is in exactly one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Bucket { $($(#[$doc])* $name,)* }

        impl Bucket {
            /// All buckets, in the order of [`Cost::buckets`](super::Cost).
            pub const ALL: [Bucket; Bucket::COUNT] = [$(Bucket::$name,)*];
            /// How many there are.
            pub const COUNT: usize = [$($text,)*].len();

            /// Name in files and columns.
            pub fn name(self) -> &'static str {
                match self { $(Bucket::$name => $text,)* }
            }

            /// Decimals between the unit that prices are told in and an atto-dollar per token or request.
            pub(super) fn scale(self) -> u32 {
                match self { $(Bucket::$name => $scale,)* }
            }
        }
    };
}

buckets! {
    /// Text input that the cache had no part in.
    Input = "input", 12;
    /// Text read from the cache.
    CacheRead = "cache_read", 12;
    /// Written to the cache, for the usual five minutes.
    CacheWrite = "cache_write", 12;
    /// Written to the cache, for an hour.
    CacheWrite1h = "cache_write_1h", 12;
    /// Audio input.
    InputAudio = "input_audio", 12;
    /// Image input.
    InputImage = "input_image", 12;
    /// Audio read from the cache.
    CacheReadAudio = "cache_read_audio", 12;
    /// Images read from the cache.
    CacheReadImage = "cache_read_image", 12;
    /// Text output.
    Output = "output", 12;
    /// Reasoning.
    Reasoning = "reasoning", 12;
    /// Audio output.
    OutputAudio = "output_audio", 12;
    /// Image output.
    OutputImage = "output_image", 12;
    /// The calls themselves. Prices are told per thousand calls.
    Requests = "requests", 15;
}

impl Bucket {
    pub(super) fn index(self) -> usize {
        self as usize
    }

    pub(super) fn by_name(name: &str) -> Option<Bucket> {
        Bucket::ALL.into_iter().find(|b| b.name() == name)
    }
}

/// Why a usage cannot be right. Nothing is clamped: such a usage has no cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Inconsistent {
    /// A count below zero.
    #[error("{0} is below zero")]
    Negative(&'static str),
    /// Parts add up to more than the whole they are in.
    #[error("{parts} are more than {whole}")]
    PartsExceed {
        /// The parts, as column names.
        parts: &'static str,
        /// The whole.
        whole: &'static str,
    },
    /// Cached tokens and audio or image tokens are both there, both have prices of their own, and how many tokens are
    /// both was not told.
    #[error("how much of the {0} input was cached is not told")]
    OverlapUnknown(&'static str),
}

/// Counts per bucket.
pub(super) type Counts = [i64; Bucket::COUNT];

impl Usage {
    fn told(&self) -> [(&'static str, Option<i64>); 12] {
        [
            ("input_tokens", self.input),
            ("output_tokens", self.output),
            ("cache_read_tokens", self.cache_read),
            ("cache_write_tokens", self.cache_write),
            ("cache_write_1h_tokens", self.cache_write_1h),
            ("reasoning_tokens", self.reasoning),
            ("input_audio_tokens", self.input_audio),
            ("input_image_tokens", self.input_image),
            ("cache_read_audio_tokens", self.cache_read_audio),
            ("cache_read_image_tokens", self.cache_read_image),
            ("output_audio_tokens", self.output_audio),
            ("output_image_tokens", self.output_image),
        ]
    }

    /// All of it is unknown.
    pub fn is_empty(&self) -> bool {
        self.told().iter().all(|(_, v)| v.is_none())
    }

    /// Disjoint counts. Audio and image input that `apart` does not ask for stay with text, so that what was cached
    /// of them need not be known.
    pub(super) fn counts(&self, apart: Apart) -> Result<Counts, Inconsistent> {
        for (name, value) in self.told() {
            if value.is_some_and(|v| v < 0) {
                return Err(Inconsistent::Negative(name));
            }
        }
        // Sums of up to four counts stay far inside an i128.
        let n = |v: Option<i64>| i128::from(v.unwrap_or(0));
        let (input, output) = (self.input, self.output);
        let (read, write, write_1h) = (n(self.cache_read), n(self.cache_write), n(self.cache_write_1h));
        let exceed = |sum: i128, whole: i128, parts, name| {
            if sum > whole { Err(Inconsistent::PartsExceed { parts, whole: name }) } else { Ok(()) }
        };
        exceed(write_1h, write, "cache_write_1h_tokens", "cache_write_tokens")?;
        // A whole that is not told bounds nothing; whoever prices it finds that out.
        if let Some(input) = input.map(i128::from) {
            exceed(read + write, input, "cache_read_tokens and cache_write_tokens", "input_tokens")?;
            exceed(n(self.input_audio) + n(self.input_image), input, "audio and image tokens", "input_tokens")?;
        }
        if let Some(output) = output.map(i128::from) {
            let parts = n(self.reasoning) + n(self.output_audio) + n(self.output_image);
            exceed(parts, output, "reasoning, audio and image tokens", "output_tokens")?;
        }
        // What is cached and has no price for being cached is like any other input: of which kind it was is all one.
        let kinds = apart.audio && self.input_audio > Some(0) || apart.image && self.input_image > Some(0);
        let read = if kinds && !apart.read { 0 } else { read };
        let (write, write_1h) = if kinds && !apart.write { (0, 0) } else { (write, write_1h) };
        let cached = Cached { read, write };
        let (audio, read_audio) =
            if apart.audio { split(self.input_audio, self.cache_read_audio, cached, "audio")? } else { (0, 0) };
        let (image, read_image) =
            if apart.image { split(self.input_image, self.cache_read_image, cached, "image")? } else { (0, 0) };
        exceed(read_audio + read_image, read, "cached audio and image tokens", "cache_read_tokens")?;
        let input = n(input.or(Some(0)));
        let text = input - read - write - audio - image;
        if self.input.is_some() && text < 0 {
            return Err(Inconsistent::PartsExceed { parts: "cached, audio and image tokens", whole: "input_tokens" });
        }
        let parts = n(self.reasoning) + n(self.output_audio) + n(self.output_image);
        let mut counts = [0; Bucket::COUNT];
        for (bucket, count) in [
            (Bucket::Input, text.max(0)),
            (Bucket::CacheRead, read - read_audio - read_image),
            (Bucket::CacheWrite, write - write_1h),
            (Bucket::CacheWrite1h, write_1h),
            (Bucket::InputAudio, audio),
            (Bucket::InputImage, image),
            (Bucket::CacheReadAudio, read_audio),
            (Bucket::CacheReadImage, read_image),
            (Bucket::Output, (n(output.or(Some(0))) - parts).max(0)),
            (Bucket::Reasoning, n(self.reasoning)),
            (Bucket::OutputAudio, n(self.output_audio)),
            (Bucket::OutputImage, n(self.output_image)),
        ] {
            // Each is at most one of the counts it came from.
            counts[bucket.index()] = i64::try_from(count).unwrap_or(i64::MAX);
        }
        Ok(counts)
    }
}

/// Which parts of the input have prices of their own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Apart {
    pub(super) audio: bool,
    pub(super) image: bool,
    pub(super) read: bool,
    pub(super) write: bool,
}

/// Cached tokens that are priced as such.
#[derive(Clone, Copy)]
struct Cached {
    read: i128,
    write: i128,
}

/// Tokens of a kind that were not cached, and those that were read from the cache.
fn split(
    of_kind: Option<i64>,
    read_of_kind: Option<i64>,
    cached: Cached,
    kind: &'static str,
) -> Result<(i128, i128), Inconsistent> {
    let all = i128::from(of_kind.unwrap_or(0));
    // Which kind was written to the cache is never told.
    if all > 0 && cached.write > 0 {
        return Err(Inconsistent::OverlapUnknown(kind));
    }
    match read_of_kind.map(i128::from) {
        Some(both) if both > all => {
            Err(Inconsistent::PartsExceed { parts: "cached audio or image tokens", whole: "audio or image tokens" })
        }
        Some(_) if cached.read == 0 => Ok((all, 0)),
        Some(both) => Ok((all - both, both)),
        None if all > 0 && cached.read > 0 => Err(Inconsistent::OverlapUnknown(kind)),
        None => Ok((all, 0)),
    }
}
