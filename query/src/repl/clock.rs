//! What a statement took: `.timer on`.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// A moment, and what the process had used by then.
pub(super) struct Clock {
    begun: Instant,
    used: Option<(Duration, Duration)>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Clock { begun: Instant::now(), used: used() }
    }

    /// Real, user and system time since the start, in seconds.
    pub(super) fn text(&self) -> String {
        let real = self.begun.elapsed().as_secs_f64();
        match (self.used, used()) {
            (Some((user, system)), Some((user_now, system_now))) => format!(
                "run time (s): real {real:.3} user {:.3} sys {:.3}",
                user_now.saturating_sub(user).as_secs_f64(),
                system_now.saturating_sub(system).as_secs_f64()
            ),
            _ => format!("run time (s): real {real:.3}"),
        }
    }
}

/// User and system time of the process, all threads.
fn used() -> Option<(Duration, Duration)> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let time = |t: TimeVal| {
        let micros = u64::try_from(t.tv_usec()).unwrap_or(0);
        Duration::from_secs(u64::try_from(t.tv_sec()).unwrap_or(0)) + Duration::from_micros(micros)
    };
    Some((time(usage.user_time()), time(usage.system_time())))
}
