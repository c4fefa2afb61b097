//! Where log lines go, and in which format.

use std::fmt;
use std::io::IsTerminal;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::options::{LogFormat, ServeOptions};
use crate::render::clean;
use crate::store::{make_private_dir, open_log};

/// The reader of the log when the user chose no level, no file and no format.
pub(super) enum Reader {
    /// A client that keeps the sidecar's stderr for error reports.
    Client,
    /// A person who reads it between the lines of a command's output: only this level and above, in plain words.
    Person(LevelFilter),
}

pub(super) fn start_logging(options: &ServeOptions, reader: Reader) -> Result<(), String> {
    let nothing_chosen =
        options.log.is_none() && options.log_format.is_none() && options.paths.log_file.is_none();
    if let Reader::Person(least) = reader
        && nothing_chosen
    {
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).event_format(Plain);
        let words = debug_fn(|writer: &mut Writer<'_>, field, value| match field.name() {
            // Labels come from files and servers.
            "message" => writer.write_str(&clean(&format!("{value:?}"))),
            "error" => write!(writer, ": {}", clean(&format!("{value:?}"))),
            // The subject of the message.
            "account" | "path" | "dir" | "set_aside" => {
                write!(writer, " ({})", clean(format!("{value:?}").trim_matches('"')))
            }
            _ => Ok(()),
        });
        tracing_subscriber::registry().with(lines.fmt_fields(words).with_filter(least)).init();
        return Ok(());
    }
    let filter = match &options.log {
        Some(chosen) => filter(chosen)?,
        None => Targets::new().with_default(LevelFilter::WARN),
    };
    let format = options.log_format.unwrap_or(LogFormat::Text);
    match &options.paths.log_file {
        Some(path) => {
            // On a new machine the state directory does not exist yet, and not every command creates it.
            if let Some(dir) = path.parent()
                && dir.starts_with(&options.paths.state_dir)
            {
                make_private_dir(dir).map_err(|error| error.to_string())?;
            }
            let file = open_log(path).map_err(|error| error.to_string())?;
            install(filter, format, false, std::sync::Mutex::new(file));
        }
        None => install(filter, format, std::io::stderr().is_terminal(), std::io::stderr),
    }
    Ok(())
}

fn filter(chosen: &str) -> Result<Targets, String> {
    let filter = chosen.parse::<Targets>().map_err(|error| format!("--log: {error}"))?;
    // `Targets` reads a word that is not a level as the name of a target.
    let mut alone = chosen.split(',').filter(|part| !part.is_empty() && !part.contains('='));
    match alone.find(|word| word.parse::<LevelFilter>().is_err()) {
        Some(word) => Err(format!(
            "--log: \"{word}\" is not a level; the levels are off, error, warn, info, debug and trace"
        )),
        None => Ok(filter),
    }
}

fn install<W>(filter: Targets, format: LogFormat, colour: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour);
    let logs = tracing_subscriber::registry();
    match format {
        LogFormat::Text => logs.with(lines.with_filter(filter)).init(),
        LogFormat::Json => logs.with(lines.json().with_filter(filter)).init(),
    }
}

/// Formats an event as a message of the command itself.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let grave = *event.metadata().level() == Level::ERROR;
        writer.write_str(if grave { "multicodex: error: " } else { "multicodex: warning: " })?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
