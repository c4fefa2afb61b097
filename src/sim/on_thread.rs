//! The simulator on its own thread, for callers without a runtime, or that do not want to share theirs.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::{Sim, SimConfig, SimHandle};

/// A running simulator. Dropping it ends it and waits for the end.
#[derive(Debug)]
pub struct SimOnThread {
    pub upstream_url: String,
    pub auth_url: String,
    pub handle: SimHandle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SimOnThread {
    /// # Errors
    ///
    /// When there is no thread or no free port.
    pub fn start(config: SimConfig) -> io::Result<Self> {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("sim".to_owned()).spawn(move || {
            let sim = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .and_then(|runtime| runtime.block_on(Sim::start(config)).map(|sim| (runtime, sim)));
            match sim {
                // A caller that no longer waits needs neither the error nor the simulator.
                Err(error) => drop(tell.send(Err(error))),
                Ok((runtime, sim)) => {
                    if tell.send(Ok((sim.upstream_url(), sim.auth_url(), sim.handle()))).is_ok() {
                        // The stopper is used only by dropping it.
                        drop(runtime.block_on(stopped));
                    }
                }
            }
        })?;
        let (upstream_url, auth_url, handle) = told.recv().map_err(io::Error::other)??;
        Ok(SimOnThread { upstream_url, auth_url, handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for SimOnThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has already been printed.
            let _ = thread.join();
        }
    }
}
