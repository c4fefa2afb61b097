//! Reads standard input and writes standard output without blocking the runtime and without making the shared
//! descriptors non-blocking, because that would affect other processes that have them open, and stderr.
//!
//! On Linux a pipe is opened again through `/proc/self/fd`, which gives a private non-blocking description, and each
//! call on a socket asks not to block. Files, terminals and other systems use one thread for each direction.

use std::io::{self, Read, Write};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

#[cfg(target_os = "linux")]
use super::fd::Descriptor;

/// The source of messages.
pub struct Input(Source);

/// The target of messages.
pub struct Output(Target);

enum Source {
    #[cfg(target_os = "linux")]
    Descriptor(Descriptor),
    Thread(mpsc::Receiver<io::Result<Vec<u8>>>),
    Reader(Box<dyn AsyncRead + Send + Unpin>),
}

enum Target {
    #[cfg(target_os = "linux")]
    Descriptor(Descriptor),
    Thread {
        chunks: mpsc::Sender<Vec<u8>>,
        written: mpsc::Receiver<io::Result<()>>,
    },
    Writer(Box<dyn AsyncWrite + Send + Unpin>),
}

/// One read of the input thread.
const CHUNK_BYTES: usize = 64 * 1024;

/// Returns the process's standard input and output. Call it once, within the runtime.
pub fn stdio() -> io::Result<(Input, Output)> {
    #[cfg(target_os = "linux")]
    {
        let input = match Descriptor::reading(io::stdin())? {
            Some(descriptor) => Input(Source::Descriptor(descriptor)),
            None => Input::on_a_thread(io::stdin())?,
        };
        let output = match Descriptor::writing(io::stdout())? {
            Some(descriptor) => Output(Target::Descriptor(descriptor)),
            None => Output::on_a_thread(io::stdout())?,
        };
        Ok((input, output))
    }
    #[cfg(not(target_os = "linux"))]
    {
        Ok((Input::on_a_thread(io::stdin())?, Output::on_a_thread(io::stdout())?))
    }
}

impl Input {
    pub fn from_reader(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self(Source::Reader(Box::new(reader)))
    }

    /// Appends available bytes to `into`, at most its spare capacity where that is known; 0 is the end.
    pub async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            Source::Descriptor(descriptor) => descriptor.read(into).await,
            Source::Thread(chunks) => match chunks.recv().await {
                None => Ok(0),
                Some(chunk) => chunk.map(|chunk| {
                    into.extend_from_slice(&chunk);
                    chunk.len()
                }),
            },
            Source::Reader(reader) => reader.read_buf(into).await,
        }
    }

    fn on_a_thread(mut from: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, chunks) = mpsc::channel(1);
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            let mut buffer = vec![0; CHUNK_BYTES];
            loop {
                let chunk = match from.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(count) => Ok(buffer[..count].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = chunk.is_err();
                if sender.blocking_send(chunk).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Self(Source::Thread(chunks)))
    }
}

impl Output {
    pub fn from_writer(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Target::Writer(Box::new(writer)))
    }

    /// Writes all of `bytes`, and returns when the system has accepted them.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            Target::Descriptor(descriptor) => descriptor.write_all(bytes).await,
            Target::Thread { chunks, written } => {
                chunks.send(bytes.to_vec()).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
                written.recv().await.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
            }
            Target::Writer(writer) => {
                writer.write_all(bytes).await?;
                writer.flush().await
            }
        }
    }

    fn on_a_thread(mut to: impl Write + Send + 'static) -> io::Result<Self> {
        let (chunks, mut to_write) = mpsc::channel::<Vec<u8>>(1);
        let (done, written) = mpsc::channel(1);
        std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            while let Some(chunk) = to_write.blocking_recv() {
                let result = to.write_all(&chunk).and_then(|()| to.flush());
                let failed = result.is_err();
                if done.blocking_send(result).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Self(Target::Thread { chunks, written }))
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match &self.0 {
            #[cfg(target_os = "linux")]
            Source::Descriptor(_) => "Input(descriptor)",
            Source::Thread(_) => "Input(thread)",
            Source::Reader(_) => "Input(reader)",
        })
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match &self.0 {
            #[cfg(target_os = "linux")]
            Target::Descriptor(_) => "Output(descriptor)",
            Target::Thread { .. } => "Output(thread)",
            Target::Writer(_) => "Output(writer)",
        })
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use std::io::{Seek, SeekFrom};

    use super::*;

    #[tokio::test]
    async fn threads_carry_files_both_ways() {
        let mut file = tempfile::tempfile().expect("a file");
        let sent = vec![b'x'; 3 * CHUNK_BYTES + 1];
        let mut output = Output::on_a_thread(file.try_clone().expect("a copy")).expect("a thread");
        output.write_all(&sent).await.expect("written");
        output.write_all(b"y").await.expect("written");
        file.seek(SeekFrom::Start(0)).expect("a file");
        let mut input = Input::on_a_thread(file).expect("a thread");
        let mut received = Vec::new();
        while input.read(&mut received).await.expect("readable") > 0 {}
        assert!(received.len() == sent.len() + 1 && received.ends_with(b"xy"));
    }
}
