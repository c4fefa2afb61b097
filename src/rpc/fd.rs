//! A pipe or socket that is read and written without blocking, without a change of its shared description. Linux only.

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
    /// Our own non-blocking description of the pipe.
    Pipe,
    /// A description that is shared with others: each call asks not to block.
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
                    // There is no /proc, or another user made the pipe: a thread can still use the inherited one.
                    Err(_) => return Ok(None),
                }
            }
            FileType::Socket => (fd.try_clone_to_owned()?, Kind::Socket),
            _ => return Ok(None),
        };
        Ok(Some(Self { fd: watch(own, interest)?, kind }))
    }

    /// Appends the available bytes, at most the spare capacity of `into`, which must not be 0.
    pub async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            // Known without a system call after a read that filled its buffer.
            let mut ready = self.fd.readable().await?;
            let room = into.capacity() - into.len();
            let read = match self.kind {
                Kind::Pipe => rustix::io::read(&self.fd, spare_capacity(into)),
                Kind::Socket => {
                    recv(&self.fd, spare_capacity(into), RecvFlags::DONTWAIT).map(|(count, _)| count)
                }
            };
            match read {
                // `Errno::AGAIN` is also `Errno::WOULDBLOCK` on Linux.
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                Ok(count) => {
                    // Nothing is left; epoll reports the next byte, or the end. This saves the read that would find
                    // that out.
                    if count < room {
                        ready.clear_ready();
                    }
                    return Ok(count);
                }
                Err(error) => return Err(error.into()),
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

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use rustix::fs::fcntl_getfl;

    use super::*;

    /// Far more than a pipe holds passes through, and the shared descriptions stay blocking.
    async fn check(read_end: OwnedFd, write_end: OwnedFd) {
        let mut reading = Descriptor::reading(&read_end).expect("usable").expect("watchable");
        let mut writing = Descriptor::writing(&write_end).expect("usable").expect("watchable");
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let to_send = sent.clone();
        let writer = tokio::spawn(async move { writing.write_all(&to_send).await });
        let mut received = Vec::new();
        while received.len() < sent.len() {
            received.reserve(4096);
            assert_ne!(reading.read(&mut received).await.expect("readable"), 0);
        }
        assert!(received == sent, "what arrives is what was sent");
        writer.await.expect("no panic").expect("all written");
        for end in [&read_end, &write_end] {
            assert!(!fcntl_getfl(end).expect("flags").contains(OFlags::NONBLOCK));
        }
        drop(write_end);
        received.reserve(1);
        assert_eq!(reading.read(&mut received).await.expect("readable"), 0, "the end is seen");
    }

    #[tokio::test]
    async fn a_pipe_is_used_through_a_description_of_our_own() {
        let (read_end, write_end) = rustix::pipe::pipe().expect("a pipe");
        check(read_end, write_end).await;
    }

    #[tokio::test]
    async fn a_socket_is_used_without_changing_it() {
        let (read_end, write_end) = UnixStream::pair().expect("a pair");
        check(read_end.into(), write_end.into()).await;
    }

    #[tokio::test]
    async fn a_reader_that_hangs_up_is_an_error() {
        let (read_end, write_end) = rustix::pipe::pipe().expect("a pipe");
        let mut writing = Descriptor::writing(&write_end).expect("usable").expect("watchable");
        drop(read_end);
        let error = writing.write_all(b"x").await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn what_cannot_be_watched_is_left_to_a_thread() {
        for path in ["/dev/null", "Cargo.toml"] {
            let file = std::fs::File::open(path).expect("readable");
            assert!(Descriptor::reading(file).expect("usable").is_none(), "{path}");
        }
    }
}
