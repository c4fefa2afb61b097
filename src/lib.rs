//! multicodex: a JSON-RPC 2.0 sidecar on stdin and stdout that manages several ChatGPT/Codex accounts. When a completion
//! meets a limit before any output, the next account answers it.
//!
//! **Decisions are pure and take `now`; only the rim touches the world.** Which account serves, for how long it cools, what
//! an answer of upstream means and how two credentials merge are plain functions over plain data. Files, HTTP, clocks and
//! stdio are around them, each outside thing in one place.
//!
//! # Map
//!
//! | module | holds | never |
//! | --- | --- | --- |
//! | [`pool`] | accounts, usage, selection, health, failover, token rules | does I/O, reads a clock, draws randomness |
//! | [`protocol`] | the wire types, and the schema made from them | names a type of `pool` or `secret` |
//! | [`rpc`] | framing, dispatch, requests in flight, the outgoing queue | knows a method of the sidecar |
//! | [`upstream`] | completions, usage, and what each answer means | knows an account |
//! | [`auth`] | JWTs, the token endpoint, logins | decides when a token is refreshed |
//! | [`store`], [`watch`] | the files, their locks, and who changed them | decides what a change means |
//! | [`sidecar`] | the owners of all state, and one function per method | parses HTTP, touches a file itself |
//! | [`gateway`] | the same completions over HTTP on loopback, on request | decides anything |
//! | [`render`] | answers as text for people | asks for anything |
//! | [`cli`] | arguments, logs, signals, the subcommands | decides anything |
//! | [`http`], [`clock`], [`secret`] | the one HTTP client, the one clock, secrets as a type | |
//! | `client`, `sim` (feature `sim`) | a Rust client, and the simulated backend of `demo` and the tests | are named by the rest |
//!
//! `tests/it/layers` reads the paths in every file and enforces these rows. Facts about upstream, with their sources, are in
//! `schema/upstream.md`; the protocol is in `schema/protocol.md` and `schema/reference.md`.
//!
//! Where to look: a usage limit is classified in [`upstream::classify`]; the next account is chosen in
//! `pool::selection::ranking`; what a failure does to an account is `pool::failover::failure_policy`; a refresh token is sent
//! in `sidecar::credentials::refresh_token`; pi's auth.json is merged in `sidecar::import::merge_login` by the rules of
//! `pool::tokens::import`; the footer is computed in `pool::footer`; the table of methods is `sidecar::router`.
//!
//! # Glossary
//!
//! - **account**: one identity, i.e. the pair of workspace id (`chatgpt_account_id`) and user id. Its **label** is its name for
//!   people, its id (`acc_…`) is derived from the identity.
//! - **credential**: access token, refresh token and expiry. **To refresh** exchanges the refresh token for a new credential
//!   (RFC 6749); older files call this "redeem". **To adopt** takes over a newer credential that another program stored.
//! - **linked**: pi's auth.json owns the account's credential. **Tombstone**: the record that the user removed pi's login.
//! - **pin**: the user's choice of an account. **Session affinity**: a session keeps its account while it can be used.
//! - **cooldown**: the account met a limit and is not used until then. **Back-off**: it had a transient failure and ranks last
//!   until then.
//! - **window**: one usage limit with a length, a used percentage and a time at which it resets.
//! - **attempt**: one request of a completion to one account. **Failover**: going on to the next account. **Preamble**: the
//!   events before the first output; they are held back, so that a failed attempt is not seen.
//! - **needs login**: only a new login helps. **Deactivated**: upstream closed the account.
//! - **journal**: the file that records the intent to send a refresh token before it is sent. **Lane**: the lock by which one
//!   refresh runs at a time on a host. **Single flight**: requests for the same refresh share one.
//! - **pending write**: a credential that its file did not take yet. It is used from memory and written again later.
//!
//! # Owners
//!
//! Each piece of state has one owner with private fields. An owner knows those before it in this list, and none after it.
//!
//! 1. `Notifier`: warnings and notifications, combined and sent after `initialize`.
//! 2. `AccountRegistry`: the pool, codex-accounts.json, the state file, the settings, the pending writes. Its `decide` passes
//!    the pool and one `now` to a decision, and is the only way to the pool.
//! 3. `Imports`: pi's login file, and the record of what was merged from it.
//! 4. `TokenRefresher`: the refresh journal. It alone sends a refresh token.
//! 5. `ResetCredits`: the journal of redeemed reset credits.
//! 6. `UsageService`: what is read from upstream about usage, on request and on a schedule.
//! 7. `Logins`: logins in progress.
//!
//! # Lock order
//!
//! This is the whole order. A lock may be taken while locks above it are held, never while one below it is held.
//!
//! 1. the user's edits: `AccountRegistry::edits` for accounts, or `Preferences::edits` for settings, in the order of asking
//! 2. the lock of redemptions (`ResetLane`, a file lock)
//! 3. pi's lock on auth.json (`LockDirectory`), through the whole refresh of an account whose token pi has, too
//! 4. the turn of refreshes in this process (`TokenRefresher::turn`)
//! 5. the lane of the host, and then the lock of the credential (`RefreshLane`, two file locks), over the request
//! 6. the lock of the import record (`ImportsFile`, a file lock)
//! 7. the turn at the accounts file (`FileTurn`)
//! 8. the lock of the accounts file (`AccountsFile`, a file lock), never over a request
//! 9. the lock of the state file (`StateFile`) or of the poll log (`PollLogFile`), file locks
//! 10. the pool (`AccountRegistry::pool`), never over an await, and never twice
//! 11. what was last saved: `StateSaver::flags` and `StateSaver::choices`
//! 12. the state of the notifier
//!
//! Two more chains end in it: pi's lock on settings.json → `Preferences::turn` → its footer → the pool; and the locks of the
//! history file and of the gateway's files, which are held alone. All other mutexes (requests in flight, the outgoing queue, subscriptions, logins, single
//! flights, pending writes, caches) are held for a few statements that take no other lock.
//!
//! Two exceptions do not wait without an end. A journal that does not parse is set aside under the lane, which is tried
//! without waiting. When pi's lock was taken away from us during a write, it is waited for again (30 s at most, three times)
//! although the lane is held, because the old refresh token is consumed and pi must get the new one.
//!
//! # Life of a request
//!
//! 1. `rpc::stdio` reads bytes from stdin, `rpc::framing` cuts them into messages by the framing of the first one.
//! 2. `rpc::dispatch` checks the message, registers its id in `rpc::in_flight` and calls the method in the order of arrival.
//! 3. `sidecar::router` parses the params and calls the function of the method in `sidecar::methods` (or `command`, `verify`,
//!    `completion`). A method that waits runs as a task; several run at the same time.
//! 4. The function asks the pool by `AccountRegistry::decide`, does the I/O without holding the pool, and tells the pool the
//!    result by another `decide`. Time is read once per decision.
//! 5. The answer and all notifications go through one bounded queue (`rpc::outbox`) to one writer. When the client does not
//!    read, the queue is full, and the sidecar stops reading requests and upstream.
//!
//! A completion (`complete`) goes on from step 3:
//!
//! 1. `completion::request` checks the body and resolves the account that the params name.
//! 2. `pool::failover` says what is next: try this account, wait, or end. `completion::run` carries it out.
//! 3. `credentials::token` gives a valid access token, after a refresh if needed.
//! 4. `completion::attempt` sends the request through `upstream`, holds back the preamble and forwards events unchanged.
//! 5. A failure is classified by `upstream::classify`, `failure_policy` applies it to the account, and step 2 follows again.
//! 6. After output nothing is repeated. Exactly one `done`, `error` or `cancelled` ends the completion.
//!
//! # Invariants
//!
//! - A token reaches a client only in the answer of `accounts/token`. It is in no log, error, notification or state file.
//! - stdout holds protocol messages and nothing else.
//! - Every request gets exactly one answer, and every completion exactly one last notice.
//! - The client sees nothing of an attempt that failed before output, and nothing is repeated after output.
//! - A refresh token is sent at most once. The intent is on disk before it is sent, the new credential before it is used.
//!   Only a closed list of refusals means "needs login".
//! - A shared file is replaced, never overwritten in place, and not at all when it does not parse. Unknown members keep their
//!   bytes. A file that does not parse never means that someone logged out.
//! - Files on disk are the truth about credentials; memory is a cache. Every change takes the file's lock and reads again first.
//! - `pool` decides from its arguments alone: the same arguments always give the same decision.
//! - Memory is bounded: bodies, heads, events, queues, warnings and histories have limits.
//! - `unsafe` is forbidden.

#[cfg(not(unix))]
compile_error!("multicodex is for Linux and macOS; under Windows it runs in WSL");

pub mod auth;
pub mod cli;
#[cfg(feature = "sim")]
pub mod client;
pub mod clock;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gateway;
pub mod http;
pub mod pool;
pub mod protocol;
pub mod render;
pub mod rpc;
pub mod secret;
pub mod sidecar;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;
pub mod upstream;
pub mod watch;
