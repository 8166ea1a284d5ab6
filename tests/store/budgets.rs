use spanfile::budget::{Budget, BudgetKey, Budgets, Per};
use spanfile::limits::BUDGETS_BYTES;
use spanfile::{CompactOptions, Error, Options, Store};

use super::sample::{batch, trace};

#[test]
fn budgets_stay_until_others_take_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spans");
    let store = Store::create(&path, Options::default()).unwrap();
    let mut writer = store.writer().unwrap();
    let before = store.snapshot().unwrap();
    let first = Budgets::parse("[[budget]]\nper = 'run'\nhard = '0.000000000001'").unwrap();
    writer.set_budgets(&first).unwrap();
    let with_first = store.snapshot().unwrap();
    let second =
        Budgets::parse("[[budget]]\nper = 'agent'\nname = \"a 'b' \\\"c\\\"\"\nevery = 'day'\nsoft = 1\nhard = 2")
            .unwrap();
    writer.set_budgets(&second).unwrap();
    assert!(before.budgets().unwrap().is_empty());
    assert_eq!(*with_first.budgets().unwrap(), first);
    assert_eq!(*store.snapshot().unwrap().budgets().unwrap(), second);
    for _ in 0..2 {
        writer.append(batch(&trace(1, 3), &[])).unwrap();
        writer.seal_all().unwrap();
    }
    drop((before, with_first, writer));
    store.compact(CompactOptions::default()).unwrap();
    drop(store);
    let store = Store::open_read_only(&path, Options::default()).unwrap();
    assert_eq!(*store.snapshot().unwrap().budgets().unwrap(), second);
    assert_eq!(store.verify().unwrap().problems, []);
    drop(store);
    let store = Store::open(&path, Options::default()).unwrap();
    store.writer().unwrap().set_budgets(&Budgets::default()).unwrap();
    assert!(store.snapshot().unwrap().budgets().unwrap().is_empty());
}

#[test]
fn too_many_budgets_are_refused_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("a.spans"), Options::default()).unwrap();
    let mut budgets = Budgets::default();
    let name = Some("x".repeat(BUDGETS_BYTES));
    budgets
        .set(Budget { key: BudgetKey { per: Per::User, every_day: false, name }, soft: None, hard: Some(0) })
        .unwrap();
    let mut writer = store.writer().unwrap();
    let error = writer.set_budgets(&budgets).unwrap_err();
    assert!(matches!(error, Error::Limit { limit, .. } if limit == BUDGETS_BYTES as u64), "{error}");
    // The writer goes on.
    writer.append(batch(&trace(1, 3), &[])).unwrap();
    writer.commit().unwrap();
    assert!(store.snapshot().unwrap().budgets().unwrap().is_empty());
}
