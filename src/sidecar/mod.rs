//! The methods: one file per noun, each thin: parse, ask the pool, do I/O, tell the pool, answer. Parses no HTTP and
//! touches no file itself.
//!
//! The pool lives behind one mutex: lock, decide, unlock, and never held over an await. Credentials on disk are the
//! truth; [`load`] brings them into memory, [`redeem`] replaces them, [`persist`] keeps what was learned about them.

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
mod router;
pub(crate) mod usage;
mod verify;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::http::{BaseUrl, HttpClient};
use crate::pool::{Pool, RotationSettings, Tempo};
use crate::protocol::ChangeReason;
use crate::store::{AccountsFile, HistoryFile, Paths, RedeemFile, SettingsFile, StateFile, UsageAsksFile};
use crate::upstream::Upstream;
use crate::watch::WatchReport;

pub use login::logins::LoginOptions;
pub use router::methods;

use self::accounts::persist::Persist;
use accounts::settings::Preferences;
use completion::run::Completions;
use credentials::pending_writes::Unstored;
use credentials::refresher::Redeems;
use import::Imports;
use login::logins::Logins;
use methods::history::Log;
use methods::initialize::Session;
use methods::status::Shown;
use notify::notifier::Notifier;
use usage::fetch::UsageFetches;
use usage::poll::UsagePolls;

/// Where everything is; decided once by the command line.
#[derive(Clone, Debug)]
pub struct Options {
    pub paths: Paths,
    pub upstream_url: BaseUrl,
    pub auth_url: BaseUrl,
    /// How long the host lane rests between two redeems (upstream revokes families that are refreshed in a burst).
    pub redeem_spacing: Duration,
    pub login: LoginOptions,
    /// How often accounts that nobody uses are looked after.
    pub upkeep_interval: Duration,
    pub usage_tempo: Tempo,
    pub start: Start,
}

/// What is done before anything is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// pi's login is merged.
    Merging,
    NotMerging,
    /// Nothing is changed, not even what should be.
    LookingOnly,
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
    session: Session,
    notifier: Notifier,
    persist: Persist,
    redeems: Redeems,
    unstored: Unstored,
    logins: Logins,
    completions: Completions,
    usage_fetches: UsageFetches,
    shown: Shown,
    usage_polls: UsagePolls,
    log: Log,
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
            accounts_file: AccountsFile::new(options.paths.accounts_file.clone(), &options.paths.state_dir),
            file_turn: Mutex::default(),
            edits: Arc::default(),
            state_file: StateFile::new(&options.paths.state_dir),
            preferences: Preferences::new(SettingsFile::new(options.paths.settings_file.clone())),
            imports: Imports::new(&options.paths.auth_file, &options.paths.state_dir),
            upstream: Upstream::new(http.clone(), options.upstream_url.clone()),
            http,
            session: Session::default(),
            notifier: Notifier::default(),
            persist: Persist::default(),
            redeems: Redeems::new(RedeemFile::new(options.paths.state_dir.clone())),
            unstored: Unstored::default(),
            logins: Logins::default(),
            completions: Completions::default(),
            usage_fetches: UsageFetches::default(),
            shown: Shown::default(),
            usage_polls: UsagePolls::new(UsageAsksFile::new(&options.paths.state_dir), clock::now()),
            log: Log::new(HistoryFile::new(&options.paths.state_dir)),
            watching: OnceLock::new(),
            options,
        });
        sidecar.load_settings();
        match sidecar.options.start {
            Start::LookingOnly => sidecar.look_at_everything(),
            Start::Merging | Start::NotMerging => {
                sidecar.load_everything();
                sidecar.look_for_unknown_outcomes();
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
        if pool.pass_time(clock::now()) {
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

    /// Ends what is under way: redeems that were sent are stored, and what was learned is kept. The caller bounds the
    /// time.
    pub async fn finish(self: &Arc<Self>) {
        if self.options.start == Start::LookingOnly {
            return;
        }
        if self.redeems.are_under_way() {
            // A slow token endpoint may use up all the time there is.
            self.flush().await;
            self.redeems.settle().await;
        }
        self.logins.settle().await;
        self.flush().await;
        self.finish_history().await;
        self.store_the_unstored(Duration::ZERO).await;
        // Last, because a client that does not read makes this wait. One that is gone misses nothing.
        let _ = self.send_events().await;
    }
}
