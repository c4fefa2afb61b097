//! The methods: one file per noun, each thin: parse, ask the pool, do I/O, tell the pool, answer. Parses no HTTP and
//! touches no file itself.
//!
//! The pool lives behind one mutex: lock, decide, unlock, and never held over an await. Credentials on disk are the
//! truth; [`load`] brings them into memory, [`refresh`] replaces them, [`persist`] keeps what was learned about them.

pub(crate) mod accounts;
mod blocking;
mod command;
pub(crate) mod completion;
pub(crate) mod credentials;
mod error;
mod import;
pub(crate) mod login;
pub(crate) mod methods;
pub(crate) mod notify;
mod params;
mod redact;
mod reset_credits;
mod router;
pub(crate) mod usage;
mod verify;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::http::{BaseUrl, HttpClient};
use crate::pool::{PollSchedule, Pool, RotationSettings};
use crate::protocol::ChangeReason;
use crate::store::{AccountsFile, HistoryFile, Paths, PollLogFile, RefreshJournal, SettingsFile, StateFile};
use crate::upstream::Upstream;
use crate::watch::WatchReport;

pub use command::{footer_change, quoted, rotation_change, setting_lines};
pub use completion::collect::complete_into;
pub use login::logins::LoginOptions;
pub use methods::refresh::refresh_accounts;
pub use router::methods;

use self::accounts::persist::StateSaver;
use self::notify::notifier::Notifier;
use accounts::settings::Preferences;
use completion::run::Completions;
use credentials::pending_writes::PendingWrites;
use credentials::refresher::Refresher;
use import::Imports;
use login::logins::Logins;
use methods::history::HistoryRecorder;
use methods::initialize::ClientSession;
use methods::status::StatusNotifier;
use reset_credits::ResetCredits;
use usage::fetch::UsageFetches;
use usage::poll::UsagePolls;

/// Where everything is; decided once by the command line.
#[derive(Clone, Debug)]
pub struct Options {
    pub paths: Paths,
    pub upstream_url: BaseUrl,
    pub auth_url: BaseUrl,
    /// How long the host lane rests between two refreshes (upstream revokes families that are refreshed in a burst).
    pub refresh_spacing: Duration,
    pub login: LoginOptions,
    /// How often accounts that reason uses are looked after.
    pub upkeep_interval: Duration,
    pub usage_tempo: PollSchedule,
    pub start: Start,
}

/// What is done before anything is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// pi's login is merged.
    Merging,
    NotMerging,
    /// Nothing is changed, not even what should be.
    ReadOnly,
}

/// One running sidecar: the pool, the files and the clients around it.
pub struct Sidecar {
    options: Options,
    pool: Mutex<Pool>,
    accounts_file: AccountsFile,
    /// Held by whoever takes the accounts file into the pool, or changes both.
    file_turn: Mutex<()>,
    /// Held through a change that the user asked for. Whoever waits for it is served in the order of asking.
    edits: Arc<tokio::sync::Mutex<()>>,
    state_file: StateFile,
    preferences: Preferences,
    imports: Imports,
    http: HttpClient,
    upstream: Upstream,
    session: ClientSession,
    notifier: Notifier,
    persist: StateSaver,
    refreshes: Refresher,
    unstored: PendingWrites,
    logins: Logins,
    completions: Completions,
    usage_fetches: UsageFetches,
    shown: StatusNotifier,
    usage_polls: UsagePolls,
    reset_credits: ResetCredits,
    log: HistoryRecorder,
    watching: OnceLock<WatchReport>,
}

impl std::fmt::Debug for Sidecar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sidecar").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Sidecar {
    /// Reads the files and is ready to answer. Faults in the files become warnings, not errors: what can be used is
    /// used.
    pub fn start(options: Options) -> Arc<Self> {
        let http = HttpClient::new();
        let sidecar = Arc::new(Sidecar {
            pool: Mutex::new(Pool::new(RotationSettings::default())),
            accounts_file: AccountsFile::new(options.paths.accounts_file.clone(), &options.paths.guard_dir),
            file_turn: Mutex::default(),
            edits: Arc::default(),
            state_file: StateFile::new(&options.paths.state_dir),
            preferences: Preferences::new(SettingsFile::new(options.paths.settings_file.clone())),
            imports: Imports::new(&options.paths.auth_file, &options.paths.state_dir),
            upstream: Upstream::new(http.clone(), options.upstream_url.clone()),
            http,
            session: ClientSession::default(),
            notifier: Notifier::default(),
            persist: StateSaver::default(),
            refreshes: Refresher::new(RefreshJournal::new(
                options.paths.guard_dir.clone(),
                &options.paths.state_dir,
            )),
            unstored: PendingWrites::default(),
            logins: Logins::default(),
            completions: Completions::default(),
            usage_fetches: UsageFetches::default(),
            shown: StatusNotifier::default(),
            usage_polls: UsagePolls::new(PollLogFile::new(&options.paths.state_dir), clock::now()),
            reset_credits: ResetCredits::default(),
            log: HistoryRecorder::new(HistoryFile::new(&options.paths.state_dir)),
            watching: OnceLock::new(),
            options,
        });
        sidecar.load_settings();
        match sidecar.options.start {
            Start::ReadOnly => sidecar.inspect_everything(),
            Start::Merging | Start::NotMerging => {
                sidecar.load_everything();
                sidecar.check_unknown_outcomes();
            }
        }
        if sidecar.options.start == Start::Merging {
            sidecar.merge_at_start();
        }
        sidecar
    }

    /// The pool, for one decision. A panic while it was held leaves plain data behind, so poisoning is ignored.
    pub(crate) fn pool(&self) -> MutexGuard<'_, Pool> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.observe_clock(clock::now()) {
            self.changed(ChangeReason::Cooldown);
        }
        pool
    }

    /// Taken on threads that may block, never on the runtime's.
    fn file_turn(&self) -> MutexGuard<'_, ()> {
        self.file_turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something about accounts changed: clients are told, and what was learned is kept.
    pub(crate) fn changed(&self, reason: ChangeReason) {
        self.notifier.accounts_changed(reason);
        self.persist.soon();
    }

    /// Ends what is under way: refreshes that were sent are stored, and what was learned is kept. The caller bounds the
    /// time.
    pub async fn finish(self: &Arc<Self>) {
        if self.options.start == Start::ReadOnly {
            return;
        }
        if self.refreshes.are_under_way() {
            // A slow token endpoint may use up all the time there is.
            self.flush().await;
            self.refreshes.settle().await;
        }
        self.logins.settle().await;
        self.flush().await;
        self.finish_history().await;
        self.flush_pending(Duration::ZERO).await;
        // Last, because a client that does not read makes this wait. One that is gone misses nothing.
        let _ = self.send_events().await;
    }
}
