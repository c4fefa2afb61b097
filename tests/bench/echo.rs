//! The baseline for requests and for the start: a program that answers each line with a fixed one, with blocking reads
//! and writes. Compiled here, or `cat` without a Rust compiler.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::effort::Fault;

const SOURCE: &str = r#"
use std::io::{BufRead, Write};
fn main() -> std::io::Result<()> {
    let answer = std::fs::read(std::env::args().nth(1).expect("a file"))?;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        output.write_all(&answer)?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}
"#;

/// How to start the program.
#[derive(Debug)]
pub struct EchoProgram {
    dir: PathBuf,
    compiled: Option<PathBuf>,
}

pub struct Echo {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// `cat` must be sent the line that it should answer.
    request: Vec<u8>,
    line: Vec<u8>,
}

impl EchoProgram {
    pub fn new(dir: &Path) -> Result<Self, Fault> {
        let (source, program) = (dir.join("echo.rs"), dir.join("echo"));
        fs::write(&source, SOURCE)?;
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2024", "-O", "-o"]).arg(&program).arg(&source);
        let compiled = rustc.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        Ok(EchoProgram { dir: dir.to_owned(), compiled: compiled.then_some(program) })
    }

    /// Answers each line with `answer`, which ends with a line break.
    pub fn start(&self, request: &str, answer: &[u8]) -> Result<Echo, Fault> {
        let (mut command, request) = match &self.compiled {
            Some(program) => {
                let file = self.dir.join("answer");
                fs::write(&file, answer)?;
                let mut command = Command::new(program);
                command.arg(file);
                (command, format!("{request}\n").into_bytes())
            }
            None => (Command::new("cat"), answer.to_vec()),
        };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => {
                let output = BufReader::with_capacity(64 << 10, output);
                Ok(Echo { child, input, output, request, line: Vec::new() })
            }
            _ => Err("the child has no pipes".into()),
        }
    }
}

impl Echo {
    pub fn round_trip(&mut self) -> Result<(), Fault> {
        self.input.write_all(&self.request)?;
        self.line.clear();
        match self.output.read_until(b'\n', &mut self.line)? {
            0 => Err("the echo ended".into()),
            _ => Ok(()),
        }
    }

    /// Sends this many requests in one write, then reads their answers.
    pub fn round_trips(&mut self, count: usize) -> Result<(), Fault> {
        self.input.write_all(&self.request.repeat(count))?;
        for _ in 0..count {
            self.line.clear();
            self.output.read_until(b'\n', &mut self.line)?;
        }
        Ok(())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
