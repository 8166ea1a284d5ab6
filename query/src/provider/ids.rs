//! Ids: fixed-size binary in files, lower-case hex text in SQL.
//!
//! The table's schema says text, a file says binary. This adapter rewrites each expression of a scan for the
//! file at hand: comparisons of an id with literals become comparisons of bytes, so that statistics prune and
//! no text is built; any other use of an id column goes through [`HexExpr`].

use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::computed::ComputedExpr;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, StringArray, StringViewArray, UInt32Array,
};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, InListExpr, Literal, lit};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use spanfile::schema;

/// Lower-case hex, two digits per byte. Arithmetic and no table, so that the compiler does many bytes at once.
fn hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |n: u8| n + b'0' + if n > 9 { b'a' - b'9' - 1 } else { 0 };
    let mut text = vec![0; bytes.len() * 2];
    for (pair, b) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = digit(b >> 4);
        pair[1] = digit(b & 15);
    }
    text
}

/// Ids as text. A trace's rows lie together, so text is made once per run of equal ids and shared by its rows.
pub(crate) fn hex_array(ids: &FixedSizeBinaryArray) -> Result<ArrayRef> {
    let width = usize::try_from(ids.value_length()).unwrap_or(0);
    // Slices of this array type are slices of its bytes.
    let bytes = &ids.value_data()[..ids.len() * width];
    let Some((distinct, rows)) = runs(bytes, width) else {
        return hex_views(bytes, width, ids.nulls().cloned());
    };
    let text = hex_views(&distinct, width, None)?;
    Ok(take(&text, &UInt32Array::new(rows.into(), ids.nulls().cloned()), None)?)
}

/// The first id of each run of equal ids, and the run that each row is in; `None` when most runs are one row.
fn runs(bytes: &[u8], width: usize) -> Option<(Vec<u8>, Vec<u32>)> {
    const ROWS_PER_RUN_MIN: usize = 2;
    let ids = || bytes.chunks_exact(width.max(1));
    let most = ids().len() / ROWS_PER_RUN_MIN;
    let mut distinct: Vec<u8> = Vec::new();
    let mut rows = Vec::with_capacity(ids().len());
    let mut run = 0;
    let mut last: Option<&[u8]> = None;
    for id in ids() {
        if last != Some(id) {
            if distinct.len() >= most * width {
                return None;
            }
            run = u32::try_from(distinct.len() / width).ok()?;
            distinct.extend_from_slice(id);
            last = Some(id);
        }
        rows.push(run);
    }
    Some((distinct, rows))
}

fn hex_views(bytes: &[u8], width: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let offsets = OffsetBuffer::from_repeated_length(width * 2, bytes.len() / width.max(1));
    let strings = StringArray::try_new(offsets, Buffer::from_vec(hex(bytes)), nulls)?;
    Ok(Arc::new(StringViewArray::from(&strings)))
}

/// Bytes of an id given as text; `None` unless it is exactly the text that SQL shows.
pub(crate) fn parse_hex(text: &str, width: usize) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let t = text.as_bytes();
    if t.len() != width * 2 {
        return None;
    }
    t.chunks_exact(2).map(|p| Some((digit(p[0])? << 4) | digit(p[1])?)).collect()
}

/// The text of an id column.
#[derive(Debug, Clone, Eq)]
pub(crate) struct HexExpr {
    id: Arc<dyn PhysicalExpr>,
}

// Not derived: deriving would move the trait object out of its Arc.
impl PartialEq for HexExpr {
    fn eq(&self, other: &Self) -> bool {
        self.id.eq(&other.id)
    }
}

impl Hash for HexExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl Display for HexExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "hex({})", self.id)
    }
}

impl PhysicalExpr for HexExpr {
    fn return_field(&self, input: &Schema) -> Result<FieldRef> {
        let f = self.id.return_field(input)?;
        Ok(Arc::new(Field::new(f.name(), DataType::Utf8View, f.is_nullable())))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let ids = self.id.evaluate(batch)?.into_array(batch.num_rows())?;
        match ids.as_fixed_size_binary_opt() {
            Some(ids) => Ok(ColumnarValue::Array(hex_array(ids)?)),
            None => internal_err!("{} is not an id column but {}", self.id, ids.data_type()),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.id]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match (children.pop(), children.is_empty()) {
            (Some(id), true) => Ok(Arc::new(HexExpr { id })),
            _ => internal_err!("hex takes one argument"),
        }
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "hex(")?;
        self.id.fmt_sql(f)?;
        write!(f, ")")
    }
}

/// Makes [`IdAdapter`]s.
#[derive(Debug)]
pub(crate) struct IdAdapterFactory;

impl PhysicalExprAdapterFactory for IdAdapterFactory {
    fn create(&self, logical: SchemaRef, physical: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        // For the rest of the rewriting (positions, missing columns) ids look as they do in the file.
        let fields: Vec<FieldRef> = logical
            .fields()
            .iter()
            .map(|f| match id_width(&physical, f.name()) {
                Some((_, t)) => Arc::new(f.as_ref().clone().with_data_type(t.clone())),
                None => Arc::clone(f),
            })
            .collect();
        let stored = Arc::new(Schema::new(fields));
        let rest = DefaultPhysicalExprAdapterFactory.create(Arc::clone(&stored), Arc::clone(&physical))?;
        Ok(Arc::new(IdAdapter { physical, stored, rest }))
    }
}

fn id_width<'a>(physical: &'a Schema, name: &str) -> Option<(usize, &'a DataType)> {
    match physical.column_with_name(name).map(|(_, f)| f.data_type()) {
        Some(t @ DataType::FixedSizeBinary(n)) => usize::try_from(*n).ok().map(|n| (n, t)),
        _ => None,
    }
}

#[derive(Debug)]
struct IdAdapter {
    physical: SchemaRef,
    stored: SchemaRef,
    rest: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for IdAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let expr = expr
            .transform_down(|e| match self.compare_bytes(&e)? {
                // Its id column is meant as bytes: do not look at it again.
                Some(bytes) => Ok(Transformed::new(bytes, true, TreeNodeRecursion::Jump)),
                None if self.id(&e).is_some() => {
                    Ok(Transformed::new(Arc::new(HexExpr { id: e }) as _, true, TreeNodeRecursion::Jump))
                }
                None => match self.computed(&e)? {
                    Some(c) => Ok(Transformed::new(Arc::new(c) as _, true, TreeNodeRecursion::Jump)),
                    None => Ok(Transformed::no(e)),
                },
            })
            .data()?;
        self.rest.rewrite(expr)
    }
}

impl IdAdapter {
    /// What the expression is computed from, if it is a column that the part does not store for that reason.
    fn computed(&self, e: &Arc<dyn PhysicalExpr>) -> Result<Option<ComputedExpr>> {
        let Some(column) = e.downcast_ref::<Column>() else { return Ok(None) };
        let operands = schema::operands(schema::SPANS, column.name());
        let Some(operands) = operands.filter(|_| self.physical.column_with_name(column.name()).is_none()) else {
            return Ok(None);
        };
        ComputedExpr::new(column.name(), operands, &self.stored).map(Some)
    }

    /// The width in bytes of the id column that the expression is.
    fn id(&self, e: &Arc<dyn PhysicalExpr>) -> Option<usize> {
        e.downcast_ref::<Column>().and_then(|c| id_width(&self.physical, c.name())).map(|(n, _)| n)
    }

    /// `id <op> 'hex'`, `'hex' <op> id` and `id IN ('hex', ...)` on bytes; `None` for anything else, text that
    /// is no id included. The order of ids is the order of their text.
    fn compare_bytes(&self, e: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        if let Some(b) = e.downcast_ref::<BinaryExpr>() {
            let op = *b.op();
            if !matches!(
                op,
                Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
            ) {
                return Ok(None);
            }
            let bytes = match (self.id(b.left()), self.id(b.right())) {
                (Some(n), None) => literal_bytes(b.right(), n).map(|l| (Arc::clone(b.left()), lit(l))),
                (None, Some(n)) => literal_bytes(b.left(), n).map(|l| (lit(l), Arc::clone(b.right()))),
                _ => None,
            };
            return Ok(bytes.map(|(l, r)| Arc::new(BinaryExpr::new(l, op, r)) as _));
        }
        if let Some(list) = e.downcast_ref::<InListExpr>() {
            let Some(n) = self.id(list.expr()) else { return Ok(None) };
            let Some(ids) = list.list().iter().map(|l| literal_bytes(l, n).map(lit)).collect::<Option<Vec<_>>>() else {
                return Ok(None);
            };
            let list = InListExpr::try_new(Arc::clone(list.expr()), ids, list.negated(), &self.stored)?;
            return Ok(Some(Arc::new(list)));
        }
        Ok(None)
    }
}

fn literal_bytes(e: &Arc<dyn PhysicalExpr>, width: usize) -> Option<ScalarValue> {
    let text = e.downcast_ref::<Literal>()?.value().try_as_str()??;
    Some(ScalarValue::FixedSizeBinary(i32::try_from(width).ok()?, Some(parse_hex(text, width)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_of_slices_and_nulls() {
        let ids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(
            [Some([0x00u8, 0xff]), None, Some([0x1a, 0x2b]), Some([9, 10])].into_iter(),
            2,
        )
        .unwrap();
        let text = |a: &FixedSizeBinaryArray| -> Vec<Option<String>> {
            hex_array(a).unwrap().as_string_view().iter().map(|s| s.map(str::to_owned)).collect()
        };
        assert_eq!(text(&ids), [Some("00ff".into()), None, Some("1a2b".into()), Some("090a".into())]);
        assert_eq!(text(&ids.slice(1, 2)), [None, Some("1a2b".into())]);
        assert_eq!(text(&ids.slice(4, 0)), Vec::<Option<String>>::new());
    }

    #[test]
    fn runs_of_ids_share_their_text() {
        let values = [Some(7u8), Some(7), None, Some(7), Some(0xab), Some(0xab), Some(0xab), Some(7), Some(7)];
        let ids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.iter().map(|v| v.map(|v| [v; 16])), 16)
            .unwrap();
        assert!(runs(ids.value_data(), 16).is_none_or(|(distinct, rows)| distinct.len() < rows.len() * 16));
        let all = hex_array(&ids).unwrap();
        let expected: Vec<Option<String>> = values.iter().map(|v| v.map(|v| format!("{v:02x}").repeat(16))).collect();
        let text =
            |a: &ArrayRef| -> Vec<Option<String>> { a.as_string_view().iter().map(|s| s.map(str::to_owned)).collect() };
        assert_eq!(text(&all), expected);
        let slice = hex_array(&ids.slice(3, 4)).unwrap();
        assert_eq!(text(&slice), expected[3..7]);
        let bytes: usize = slice.as_string_view().data_buffers().iter().map(|b| b.len()).sum();
        assert_eq!(bytes, 64, "two runs, two texts");
    }

    #[test]
    fn only_the_shown_text_is_an_id() {
        assert_eq!(parse_hex("00ff", 2), Some(vec![0, 255]));
        for bad in ["", "00f", "00FF", "00fg", "00ff0", " 00f", "é0f"] {
            assert_eq!(parse_hex(bad, 2), None, "{bad:?}");
        }
    }
}
