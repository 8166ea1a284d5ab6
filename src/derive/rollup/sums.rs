//! Sums that know the difference between nothing and zero, and that never wrap.

use crate::derive::view::Tokens;
use crate::schema::USD_PRECISION;

/// Largest unscaled value of a money column.
const USD_MAX: u128 = 10u128.pow(USD_PRECISION as u32) - 1;

/// A sum of values of which some are unknown.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum<T> {
    value: Option<T>,
    overflowed: bool,
}

impl Sum<i64> {
    pub(super) fn add(&mut self, value: Option<i64>) {
        self.add_with(value, i64::checked_add);
    }
}

impl Sum<i128> {
    pub(super) fn add(&mut self, value: Option<i128>) {
        self.add_with(value, |a, b| a.checked_add(b).filter(|sum| sum.unsigned_abs() <= USD_MAX));
    }
}

impl<T: Copy> Sum<T> {
    fn add_with(&mut self, value: Option<T>, add: fn(T, T) -> Option<T>) {
        let Some(value) = value else { return };
        let next = match self.value {
            Some(sum) => add(sum, value),
            None => Some(value),
        };
        match next {
            Some(sum) => self.value = Some(sum),
            None => self.overflowed = true,
        }
    }

    /// The sum; `None` when no value was known or when it overflowed.
    pub(super) fn get(&self) -> Option<T> {
        self.value.filter(|_| !self.overflowed)
    }

    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }
}

/// Sums of all token buckets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TokenSums([Sum<i64>; Tokens::BUCKETS]);

impl TokenSums {
    pub(super) fn add(&mut self, tokens: &Tokens) {
        for (sum, value) in self.0.iter_mut().zip(tokens.buckets()) {
            sum.add(value);
        }
    }

    pub(super) fn get(&self) -> Tokens {
        Tokens::of_buckets(self.0.map(|sum| sum.get()))
    }

    pub(super) fn overflowed(&self) -> bool {
        self.0.iter().any(Sum::overflowed)
    }
}
