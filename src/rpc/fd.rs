//! A pipe or socket read and written without blocking, its shared description left as it was. Linux only.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

#[derive(Debug)]
pub struct Descriptor {
    fd: AsyncFd<OwnedFd>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Our own description of the pipe, which is non-blocking.
    Pipe,
    /// A description shared with others: each call says that it must not block.
    Socket,
}

impl Descriptor {
    /// `None` for what epoll cannot watch (files, `/dev/null`) and for a pipe that cannot be opened again.
    pub fn reading(fd: impl AsFd) -> io::Result<Option<Self>> {
        Self::new(fd, OFlags::RDONLY, Interest::READABLE)
    }

    /// As [`Descriptor::reading`], for writing.
    pub fn writing(fd: impl AsFd) -> io::Result<Option<Self>> {
        Self::new(fd, OFlags::WRONLY, Interest::WRITABLE)
    }

    fn new(fd: impl AsFd, access: OFlags, interest: Interest) -> io::Result<Option<Self>> {
        let fd = fd.as_fd();
        let (own, kind) = match FileType::from_raw_mode(fstat(fd)?.st_mode) {
            FileType::Fifo => {
                let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
                match open(path, access | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
                    Ok(own) => (own, Kind::Pipe),
                    // No /proc, or a pipe made by another user: a thread can still use the inherited one.
                    Err(_) => return Ok(None),
                }
            }
            FileType::Socket => (fd.try_clone_to_owned()?, Kind::Socket),
            _ => return Ok(None),
        };
        Ok(Some(Self { fd: watch(own, interest)?, kind }))
    }

    /// Appends what is available, at most the spare capacity of `into`, which must not be 0.
    pub async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            let read = match self.kind {
                Kind::Pipe => rustix::io::read(&self.fd, spare_capacity(into)),
                Kind::Socket => {
                    recv(&self.fd, spare_capacity(into), RecvFlags::DONTWAIT).map(|(count, _)| count)
                }
            };
            match read {
                // `Errno::AGAIN` is also `Errno::WOULDBLOCK` on Linux.
                Err(Errno::AGAIN) => self.fd.readable().await?.clear_ready(),
                Err(Errno::INTR) => {}
                read => return read.map_err(io::Error::from),
            }
        }
    }

    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = match self.kind {
                Kind::Pipe => rustix::io::write(&self.fd, bytes),
                Kind::Socket => send(&self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            };
            match written {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::AGAIN) => self.fd.writable().await?.clear_ready(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Registers a descriptor with the runtime.
pub fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        deprecated,
        reason = "unsound only for types whose descriptor may change or close while registered, which an \
                  OwnedFd cannot; the replacement is unsafe"
    )]
    AsyncFd::with_interest(fd, interest)
}
