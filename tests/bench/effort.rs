//! How much is measured, and what stops the run.

/// Stops the run: without its program or its backend a figure would be wrong.
pub type Fault = Box<dyn std::error::Error>;

/// How often things are done.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub quick: bool,
}

impl Effort {
    pub fn pick(self, whole: usize, quick: usize) -> usize {
        if self.quick { quick } else { whole }
    }
}
