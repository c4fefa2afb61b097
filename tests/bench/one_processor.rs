//! Two processes that take turns run on one processor, wherever the kernel would put them: waking an idle processor
//! takes longer than everything that is measured, and happens at random.

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::effort::Fault;

/// Keeps this thread, and the children it starts meanwhile, on one processor until it is dropped.
#[derive(Debug)]
pub struct OnOneProcessor {
    #[cfg(target_os = "linux")]
    before: CpuSet,
}

impl OnOneProcessor {
    #[cfg(target_os = "linux")]
    pub fn begin() -> Result<Self, Fault> {
        let before = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        one.set((0..CpuSet::MAX_CPU).rev().find(|cpu| before.is_set(*cpu)).ok_or("no processor")?);
        sched_setaffinity(None, &one)?;
        Ok(OnOneProcessor { before })
    }

    #[cfg(not(target_os = "linux"))]
    pub fn begin() -> Result<Self, Fault> {
        Ok(OnOneProcessor {})
    }
}

#[cfg(target_os = "linux")]
impl Drop for OnOneProcessor {
    fn drop(&mut self) {
        // Restores the processors that were allowed before.
        let _ = sched_setaffinity(None, &self.before);
    }
}
