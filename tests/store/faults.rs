//! Operations of the storage below that fail: EIO, ENOSPC and short writes, at every k-th of them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;
use spanfile::{Error, Options, Store, Writer};

use super::chance::amount;
use super::locks::locks_are_free;
use super::model::lines;
use super::sample::{batch, trace};
use super::workload::{self, Held, held, step};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// EIO from anything.
    Io,
    /// ENOSPC from writes and from growing.
    NoSpace,
    /// Half of a write arrives, then an error.
    ShortWrite,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    operations: u64,
    /// Which operation fails, how, and whether all later ones do too.
    fails: Option<(u64, Fault, bool)>,
    failed: u64,
}

/// Storage in memory that outlives its store and fails when told to.
#[derive(Debug, Clone, Default)]
struct Storage(Arc<Mutex<State>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Write,
    SetLen,
    Sync,
}

impl Storage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn of(bytes: Vec<u8>) -> Storage {
        Storage(Arc::new(Mutex::new(State { bytes, ..State::default() })))
    }
}

impl State {
    fn operate(&mut self, operation: Operation) -> Result<(), (Fault, io::Error)> {
        self.operations += 1;
        let Some((at, fault, lasting)) = self.fails else { return Ok(()) };
        let due = if lasting { self.operations >= at } else { self.operations == at };
        let fits = match fault {
            Fault::Io => true,
            Fault::NoSpace => matches!(operation, Operation::Write | Operation::SetLen),
            Fault::ShortWrite => operation == Operation::Write,
        };
        if due && !fits && !lasting {
            // The next operation that this can happen to.
            self.fails = Some((at + 1, fault, lasting));
        }
        if !(due && fits) {
            return Ok(());
        }
        self.failed += 1;
        let error = match fault {
            Fault::Io => io::Error::from_raw_os_error(5),
            Fault::NoSpace => io::Error::from_raw_os_error(28),
            Fault::ShortWrite => io::Error::new(io::ErrorKind::WriteZero, "half of it was written"),
        };
        Err((fault, error))
    }
}

impl StorageBackend for Storage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut s = self.state();
        s.operate(Operation::Read).map_err(|e| e.1)?;
        let at = offset as usize;
        let found = s.bytes.get(at..at.saturating_add(out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut s = self.state();
        s.operate(Operation::SetLen).map_err(|e| e.1)?;
        s.bytes.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state().operate(Operation::Sync).map_err(|e| e.1)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut s = self.state();
        let at = offset as usize;
        let (arrives, result) = match s.operate(Operation::Write) {
            Ok(()) => (data.len(), Ok(())),
            Err((Fault::ShortWrite, e)) => (data.len() / 2, Err(e)),
            Err((_, e)) => (0, Err(e)),
        };
        let target = s.bytes.get_mut(at..at + arrives).ok_or(io::ErrorKind::UnexpectedEof)?;
        target.copy_from_slice(&data[..arrives]);
        result
    }

    locks_are_free!();
}

const SEED: u64 = 5;
const STEPS: u64 = 16;

/// Hardly any cache, so that reads fail in the middle of everything too.
fn options() -> Options {
    Options { cache_bytes: 32 << 10, ..workload::options() }
}

/// What a run of the workload came to.
struct Run {
    acknowledged: u64,
    begun: bool,
    created: bool,
    error: Option<Error>,
    poisoned: bool,
}

/// Runs the workload until the first error, and then tries to go on with the same writer.
fn run(storage: &Storage) -> Run {
    let mut run = Run { acknowledged: 0, begun: false, created: false, error: None, poisoned: true };
    let store = match Store::on_backend(Path::new("a.spans"), storage.clone(), options()) {
        Ok(store) => store,
        Err(e) => {
            run.error = Some(e);
            return run;
        }
    };
    run.created = true;
    let mut writer: Option<Writer> = None;
    for number in 0..STEPS {
        run.begun = true;
        match step(SEED, number).run(&store, &mut writer) {
            Ok(()) => run.acknowledged = number + 1,
            Err(e) => {
                run.error = Some(e);
                break;
            }
        }
        run.begun = false;
    }
    if run.error.is_some()
        && let Some(writer) = &mut writer
    {
        // The rows differ from all of the workload's: if they got in, the comparison would say so.
        let appended = writer.append(batch(&trace(900_000, 2), &[]));
        let imported = writer.import(batch(&trace(900_001, 2), &[]));
        let refused = [appended, imported, writer.commit().map(drop), writer.seal_all()];
        run.poisoned = refused.iter().all(|r| matches!(r, Err(Error::Poisoned { .. } | Error::Io { .. })));
    }
    run
}

#[test]
fn every_failing_operation_surfaces_and_costs_nothing_that_was_acknowledged() {
    let whole = Storage::default();
    let complete = run(&whole);
    assert!(complete.error.is_none() && complete.acknowledged == STEPS, "{:?}", complete.error);
    let operations = whole.state().operations;
    let stride = amount(operations.div_ceil(45), 1);
    let (mut runs, mut silent, mut acknowledged) = (0, 0, 0);
    let mut errors: BTreeMap<(Fault, &str), u64> = BTreeMap::new();
    for fault in [Fault::Io, Fault::NoSpace, Fault::ShortWrite] {
        for lasting in [false, true] {
            // Different operations for each kind, so that together they cover more.
            let offset = fault as u64 * 2 + u64::from(lasting);
            for at in (1 + offset % stride..=operations).step_by(stride as usize) {
                let storage = Storage::default();
                storage.state().fails = Some((at, fault, lasting));
                let run = run(&storage);
                let what = format!("{fault:?} at operation {at} of {operations}, lasting {lasting}");
                runs += 1;
                acknowledged += run.acknowledged;
                assert!(run.poisoned, "{what}: the writer went on after {:?}", run.error);
                match &run.error {
                    // Closing the file has nobody to tell, and needs nothing that was not durable before.
                    None => {
                        silent += 1;
                        assert_eq!(run.acknowledged, STEPS, "{what}");
                    }
                    Some(e) => {
                        let kind = match e {
                            Error::Io { .. } => "io",
                            Error::Corrupt { .. } => panic!("{what}: takes an error for damage: {e}"),
                            Error::Engine { .. } => "engine",
                            other => panic!("{what}: {other}"),
                        };
                        *errors.entry((fault, kind)).or_default() += 1;
                    }
                }
                let bytes = std::mem::take(&mut storage.state().bytes);
                if !run.created {
                    // On a real file system a file that was not created whole has no name.
                    continue;
                }
                let store = Store::on_backend(Path::new("a.spans"), Storage::of(bytes), options())
                    .unwrap_or_else(|e| panic!("{what}: does not open any more: {e}"));
                match held(&lines(&store), SEED, run.acknowledged, run.begun) {
                    Held::Steps(_) | Held::PartOfImport(_) => {}
                    wrong => panic!("{what}: after {} steps: {wrong:?}", run.acknowledged),
                }
                assert_eq!(store.verify().unwrap().problems, [], "{what}");
            }
        }
    }
    println!(
        "failing operations: {runs} runs over {operations} operations, {acknowledged} steps acknowledged, 0 lost, \
         0 partial; failed while closing {silent}; errors {errors:?}"
    );
}
