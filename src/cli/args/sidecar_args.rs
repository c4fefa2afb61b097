//! The options that every subcommand shares.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::OsStringValueParser;

/// Options of the sidecar. Each is also an environment variable; a flag takes precedence.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of the sidecar (each also an environment variable)")]
pub struct SidecarArgs {
    /// The directory of pi's files [PI_CODING_AGENT_DIR, default ~/.pi/agent].
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub agent_dir: Option<PathBuf>,
    /// Where cooldowns, usage and history are kept [MULTICODEX_STATE_DIR, default the platform's state directory].
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub state_dir: Option<PathBuf>,
    /// The directory of the Codex CLI [CODEX_HOME, default ~/.codex].
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub codex_home: Option<PathBuf>,
    /// The backend [MULTICODEX_UPSTREAM_URL, default https://chatgpt.com/backend-api].
    #[arg(long, global = true, value_name = "URL", value_parser = OsStringValueParser::new(), hide_short_help = true)]
    pub upstream_url: Option<OsString>,
    /// The login server [MULTICODEX_AUTH_URL, default https://auth.openai.com].
    #[arg(long, global = true, value_name = "URL", value_parser = OsStringValueParser::new(), hide_short_help = true)]
    pub auth_url: Option<OsString>,
    /// A level, or target=level,… [MULTICODEX_LOG, default warn].
    #[arg(long, global = true, value_name = "LEVEL", value_parser = OsStringValueParser::new(), hide_short_help = true)]
    pub log: Option<OsString>,
    /// Log to this file instead of stderr [MULTICODEX_LOG_FILE].
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub log_file: Option<PathBuf>,
    /// `text` or `json` [MULTICODEX_LOG_FORMAT, default text].
    #[arg(long, global = true, value_name = "FORMAT", value_parser = OsStringValueParser::new(), hide_short_help = true)]
    pub log_format: Option<OsString>,
    /// Largest number of requests in flight [MULTICODEX_MAX_REQUESTS, default 1024].
    #[arg(long, global = true, value_name = "N", value_parser = OsStringValueParser::new(), allow_hyphen_values = true, hide_short_help = true)]
    pub max_requests: Option<OsString>,
    /// Largest size of a message in bytes [MULTICODEX_MAX_MESSAGE_BYTES, default 67108864].
    #[arg(long, global = true, value_name = "N", value_parser = OsStringValueParser::new(), allow_hyphen_values = true, hide_short_help = true)]
    pub max_message_bytes: Option<OsString>,
}
