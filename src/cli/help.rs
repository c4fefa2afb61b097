//! What `--help` prints.

pub const HELP: &str = "\
multicodex - a JSON-RPC sidecar that manages several ChatGPT/Codex accounts

Usage: multicodex [serve] [options]     speak the protocol on stdin and stdout
       multicodex login [options]       add an account, or log a known one in again
       multicodex accounts              list the accounts
       multicodex refresh [account]     renew tokens that expire, and read the usage
       multicodex token [account]       print a valid access token
       multicodex import [options]      take over the login of pi, or a copy of the Codex CLI's
       multicodex verify [--online]     look for what is amiss, and what to do about it
       multicodex history [account]     the last attempts, with tokens and times
       multicodex stats [account]       sums by account and by day
       multicodex demo                  watch a completion rotate between simulated accounts
       multicodex simulate [options]    run the simulated ChatGPT backend on loopback

Options of serve (each also an environment variable):
  --agent-dir DIR          PI_CODING_AGENT_DIR           default ~/.pi/agent
  --state-dir DIR          MULTICODEX_STATE_DIR          default the platform's state directory
  --codex-home DIR         CODEX_HOME                    default ~/.codex
  --upstream-url URL       MULTICODEX_UPSTREAM_URL       default https://chatgpt.com/backend-api
  --auth-url URL           MULTICODEX_AUTH_URL           default https://auth.openai.com
  --log LEVEL              MULTICODEX_LOG                default warn
  --log-file FILE          MULTICODEX_LOG_FILE           default stderr
  --log-format FORMAT      MULTICODEX_LOG_FORMAT         text or json, default text
  --max-requests N         MULTICODEX_MAX_REQUESTS       default 1024
  --max-message-bytes N    MULTICODEX_MAX_MESSAGE_BYTES  default 67108864 (64 MiB)

Options of login (and those of serve that name files, addresses and logs):
  --device       log in with a code that is typed on another device
  --label NAME   what a new account is to be called; default its e-mail
  --no-open      do not open a browser
Options of import (and those of serve that name files, addresses and logs):
  --from WHOSE   pi or codex, default pi
  --path FILE    another file than the usual one; the login in it is copied
Options of accounts, refresh, import, verify, history and stats, beside those of serve:
  --json                   the answer of the protocol's method
  --force                  (refresh) renew every token, and try once more what was refused or lost
  --online                 (verify) also ask upstream, with the tokens as they are
  --limit N                (history) how many, default 50
  --days N                 (stats) over how many days, default 30

Options of simulate:
  --port N                 default: a free one
  --accounts N             default 3
  --agent-dir DIR          also write a codex-accounts.json with these accounts there

  -h, --help     this text
  -V, --version  the version
";
