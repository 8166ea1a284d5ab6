//! Locks of a storage that only one handle has open at a time: they are always free.

macro_rules! locks_are_free {
    () => {
        fn try_lock_range(&self, _: std::ops::Bound<u64>, _: std::ops::Bound<u64>) -> Result<bool, redb::BackendError> {
            Ok(true)
        }

        fn try_lock_shared_range(
            &self,
            _: std::ops::Bound<u64>,
            _: std::ops::Bound<u64>,
        ) -> Result<bool, redb::BackendError> {
            Ok(true)
        }

        fn lock_range(&self, _: std::ops::Bound<u64>, _: std::ops::Bound<u64>) -> Result<(), redb::BackendError> {
            Ok(())
        }

        fn lock_shared_range(
            &self,
            _: std::ops::Bound<u64>,
            _: std::ops::Bound<u64>,
        ) -> Result<(), redb::BackendError> {
            Ok(())
        }

        fn unlock_range(&self, _: std::ops::Bound<u64>, _: std::ops::Bound<u64>) -> Result<(), redb::BackendError> {
            Ok(())
        }

        fn query_lock_range(
            &self,
            _: std::ops::Bound<u64>,
            _: std::ops::Bound<u64>,
        ) -> Result<bool, redb::BackendError> {
            Ok(false)
        }
    };
}

pub(super) use locks_are_free;
