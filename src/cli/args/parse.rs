//! Parses the arguments into [`Cli`].

use std::ffi::OsString;

use clap::Parser;

use super::{Cli, Command, SidecarArgs};

/// `serve` and the flags of the sidecar, without the other subcommands. Clients start it, and building all subcommands
/// would cost them half a millisecond and 0.2 MiB each time.
#[derive(Parser)]
#[command(name = "multicodex", args_override_self = true)]
struct ServeOnly {
    #[command(flatten)]
    sidecar: SidecarArgs,
}

/// Reads the arguments behind the program's name.
///
/// # Errors
///
/// A mistake, and also the text of `--help` and `--version`: their [`clap::Error::use_stderr`] is false.
pub fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    match parse_serve(args) {
        Some(serve) => Ok(serve),
        None => parse_any(args),
    }
}

/// Returns `None` when the arguments are not those of `serve` alone, and also for a mistake or `--help`, which need the
/// whole declaration.
fn parse_serve(args: &[OsString]) -> Option<Cli> {
    let is_named = args.first().is_some_and(|first| first == "serve");
    let flags = if is_named { &args[1..] } else { args };
    let ServeOnly { sidecar } = ServeOnly::try_parse_from(with_program_name(flags)).ok()?;
    Some(Cli { command: is_named.then_some(Command::Serve), sidecar })
}

fn parse_any(args: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(with_program_name(args))
}

fn with_program_name(args: &[OsString]) -> impl Iterator<Item = OsString> {
    std::iter::once(OsString::from("multicodex")).chain(args.iter().cloned())
}

/// Returns the name of the subcommand in the arguments, also when they hold a mistake.
pub fn called<'a>(root: &'a clap::Command, args: &[OsString]) -> Option<&'a str> {
    args.iter().find_map(|arg| root.find_subcommand(arg)).map(clap::Command::get_name)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::PathBuf;

    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_declared_without_contradiction() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_the_sidecar_stand_before_or_behind_a_subcommand() {
        for line in ["--agent-dir /a accounts", "accounts --agent-dir /a", "accounts --json --agent-dir=/a"] {
            assert_eq!(parsed(line).unwrap().sidecar.agent_dir, Some(PathBuf::from("/a")), "{line}");
        }
    }

    #[test]
    fn serve_is_read_alone_as_it_is_among_all_subcommands() {
        for line in [
            "",
            "serve",
            "--agent-dir /a",
            "serve --agent-dir /a --state-dir=/s",
            "serve --codex-home /c --upstream-url u --auth-url a --log debug --log-file /l --log-format json",
            "--max-requests -1 --max-message-bytes 5",
        ] {
            let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let alone = parse_serve(&args).unwrap_or_else(|| panic!("{line} is serve's"));
            assert_eq!(format!("{alone:?}"), format!("{:?}", parse_any(&args).unwrap()), "{line}");
        }
        for line in
            ["accounts", "--agent-dir /a accounts", "--agent-dir /a serve", "--help", "serve again", "-V"]
        {
            let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            assert!(parse_serve(&args).is_none(), "{line}");
        }
    }

    #[test]
    fn the_last_of_a_repeated_flag_counts() {
        let cli = parsed("accounts --agent-dir /a --json --agent-dir /b --json").unwrap();
        assert_eq!(cli.sidecar.agent_dir, Some(PathBuf::from("/b")));
        let cli = parsed("--log warn --log=info serve").unwrap();
        assert_eq!(cli.sidecar.log, Some("info".into()));
        let cli = parsed("--log warn serve --log=info").unwrap();
        assert_eq!(cli.sidecar.log, Some("info".into()));
    }

    #[test]
    fn every_subcommand_has_its_own_help() {
        for command in Cli::command().get_subcommands() {
            let error = parsed(&format!("{} --help", command.get_name())).unwrap_err();
            assert!(!error.use_stderr(), "{}", command.get_name());
            let about = command.get_about().unwrap().to_string();
            assert!(error.to_string().contains(&about), "{}: {error}", command.get_name());
        }
    }
}
