//! Random numbers that are the same on every platform, for ever: a seeded result must not change with a dependency.

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): 64 bits of state, any seed
/// is good, integer arithmetic only. Not for secrets.
///
/// ```
/// use spanfile::stats::Random;
/// assert_eq!(Random::new(0).next_u64(), 0xE220_A839_7B1D_CDAF);
/// ```
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A stream that follows from the seed alone.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// A number below `bound`, each as likely as any other; 0 when `bound` is 0.
    ///
    /// Multiplies and rejects as Lemire 2019, "Fast random integer generation in an interval".
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            // The remainder is below the bound, and a division takes longer than all else here.
            if wide as u64 >= bound || wide as u64 >= bound.wrapping_neg() % bound {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A number in [0, 1), a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How many of `coins` fair coins show heads: exactly binomial, one word for 64 coins.
    pub(super) fn heads(&mut self, coins: u64) -> u64 {
        let whole: u64 = (0..coins / 64).map(|_| u64::from(self.next_u64().count_ones())).sum();
        let rest = coins % 64;
        if rest == 0 { whole } else { whole + u64::from((self.next_u64() >> (64 - rest)).count_ones()) }
    }
}
