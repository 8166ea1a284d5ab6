//! One row of a table, value by value.

use super::Columns;
use crate::typed_json::write_string;

/// Writes one row through a list of `column = value` in the order of the schema.
pub(crate) struct RowWriter<'c> {
    columns: &'c mut Columns,
    at: usize,
}

impl RowWriter<'_> {
    pub(crate) fn new(columns: &mut Columns) -> RowWriter<'_> {
        RowWriter { columns, at: 0 }
    }

    fn next(&mut self) -> usize {
        self.at += 1;
        self.at - 1
    }

    pub(crate) fn id(&mut self, id: Option<&[u8]>) {
        let at = self.next();
        if let Some(id) = id {
            self.columns.id(at, id);
        }
    }

    pub(crate) fn hash(&mut self, hash: Option<u64>) {
        let at = self.next();
        if let Some(hash) = hash {
            self.columns.id(at, &hash.to_be_bytes());
        }
    }

    pub(crate) fn int(&mut self, v: Option<i64>) {
        let at = self.next();
        if let Some(v) = v {
            self.columns.int(at, v);
        }
    }

    pub(crate) fn count(&mut self, v: u64) {
        self.int(Some(i64::try_from(v).unwrap_or(i64::MAX)));
    }

    pub(crate) fn flag(&mut self, v: Option<bool>) {
        let at = self.next();
        if let Some(v) = v {
            self.columns.flag(at, v);
        }
    }

    pub(crate) fn text(&mut self, v: Option<&str>) {
        let at = self.next();
        if let Some(v) = v {
            self.columns.text(at, v);
        }
    }

    pub(crate) fn list<T: AsRef<str>>(&mut self, items: &[T]) {
        let mut json = String::new();
        for item in items {
            json.push(if json.is_empty() { '[' } else { ',' });
            write_string(&mut json, item.as_ref());
        }
        if !json.is_empty() {
            json.push(']');
        }
        self.text(Some(&json));
    }

    pub(crate) fn day(&mut self, v: i32) {
        let at = self.next();
        self.columns.day(at, v);
    }

    pub(crate) fn double(&mut self, v: Option<f64>) {
        let at = self.next();
        if let Some(v) = v {
            self.columns.double(at, v);
        }
    }

    pub(crate) fn usd(&mut self, v: Option<i128>) {
        let at = self.next();
        if let Some(v) = v {
            self.columns.usd(at, v);
        }
    }

    pub(crate) fn end(self) {
        debug_assert_eq!(self.at, self.columns.len(), "one value per column");
        self.columns.end_row();
    }
}
