//! Texts as numbers: few are different, and numbers are compared, hashed and copied faster.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Numbers of texts, in order of first use from 1. 0 is no text.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    numbers: HashMap<Arc<str>, u32, RandomState>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    pub(crate) fn number(&mut self, text: Option<&str>) -> u32 {
        let Some(text) = text else { return 0 };
        if let Some(n) = self.numbers.get(text) {
            return *n;
        }
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        let n = self.texts.len() as u32;
        self.numbers.insert(text, n);
        n
    }

    pub(crate) fn text(&self, number: u32) -> Option<&str> {
        self.shared(number).map(|t| &**t)
    }

    pub(crate) fn shared(&self, number: u32) -> Option<&Arc<str>> {
        self.texts.get((number as usize).checked_sub(1)?)
    }

    /// The highest number.
    pub(crate) fn last(&self) -> usize {
        self.texts.len()
    }
}
