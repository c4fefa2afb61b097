//! The sidecar: the owners of its state, and the methods that clients call on them. Parses no HTTP and touches no file
//! itself.
//!
//! Each piece of state has one owner with private fields: [`AccountRegistry`] (the pool, the accounts file, the state file,
//! the settings), [`Imports`] (pi's login), [`TokenRefresher`], [`ResetCredits`], [`UsageService`], [`Logins`] and [`Notifier`]. An owner
//! knows the ones before it in the order in which [`Sidecar::start`] makes them, and none of the later ones.

pub(crate) mod accounts;
mod blocking;
mod command;
pub(crate) mod completion;
pub(crate) mod credentials;
mod error;
mod import;
pub(crate) mod login;
mod lookup;
pub(crate) mod methods;
mod models;
pub(crate) mod notify;
mod options;
mod params;
mod redact;
pub(crate) mod reset_credits;
mod router;
mod tasks;
#[cfg(test)]
mod testing;
pub(crate) mod usage;
mod verify;
mod view;
mod words;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::http::HttpClient;
use crate::store::{HistoryFile, PollLogFile, RefreshJournal, ResetJournal};
use crate::upstream::Upstream;

pub use command::{footer_change, rotation_change, setting_lines};
pub use completion::collect::{CollectError, complete_into};
pub use completion::relay::{Relay, RelayRequest, Relayed, collect_relayed, relay};
pub use login::logins::LoginOptions;
pub use methods::refresh::refresh_accounts;
pub use models::list_models;
pub use options::{Options, Start};
pub use router::methods;
pub use words::quoted;

pub(crate) use self::blocking::on_a_thread;
pub(crate) use self::error::answer as error_answer;
use self::notify::notifier::Notifier;
pub(crate) use self::params::parse as parse_params;
use accounts::AccountRegistry;
use completion::run::Completions;
use credentials::{LOCK_PATIENCE, OAuthTokenEndpoint, RefreshTiming, TokenRefresher};
use import::Imports;
use login::logins::Logins;
use methods::history::HistoryRecorder;
use methods::initialize::ClientSession;
use reset_credits::ResetCredits;
use usage::UsageService;

/// One running sidecar.
pub struct Sidecar {
    options: Options,
    notifier: Arc<Notifier>,
    registry: Arc<AccountRegistry>,
    imports: Arc<Imports>,
    refresher: Arc<TokenRefresher>,
    reset_credits: Arc<ResetCredits>,
    usage: Arc<UsageService>,
    logins: Arc<Logins>,
    completions: Completions,
    history: Arc<HistoryRecorder>,
    session: ClientSession,
}

impl std::fmt::Debug for Sidecar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sidecar").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Sidecar {
    /// Reads the files and is ready to answer. Faults in the files become warnings, not errors: everything usable is
    /// used.
    pub fn start(options: Options) -> Arc<Self> {
        let sidecar = Sidecar::assemble(options);
        sidecar.registry.load_settings();
        match sidecar.options.start {
            Start::ReadOnly => sidecar.registry.load_read_only(),
            Start::Merging | Start::NotMerging => {
                sidecar.registry.load();
                sidecar.refresher.check_unknown_outcomes();
            }
        }
        if sidecar.options.start == Start::Merging {
            sidecar.imports.merge_at_start();
        }
        Arc::new(sidecar)
    }

    fn assemble(options: Options) -> Self {
        let paths = &options.paths;
        let clock = Clock::System;
        let http = HttpClient::new();
        let upstream = Upstream::new(http.clone(), options.upstream_url.clone());
        let journal = RefreshJournal::new(paths.guard_dir.clone(), &paths.state_dir);
        let notifier = Arc::new(Notifier::default());
        let registry = Arc::new(AccountRegistry::new(paths, journal.clone(), notifier.clone(), clock));
        let imports = Arc::new(Imports::new(paths, registry.clone(), notifier.clone()));
        let refresher = Arc::new(TokenRefresher::new(
            registry.clone(),
            imports.clone(),
            notifier.clone(),
            journal,
            Box::new(OAuthTokenEndpoint { http: http.clone(), url: options.auth_url.clone() }),
            RefreshTiming {
                spacing: options.refresh_spacing,
                upkeep_interval: options.upkeep_interval,
                lock_patience: LOCK_PATIENCE,
            },
        ));
        let reset_credits = Arc::new(ResetCredits::new(
            registry.clone(),
            refresher.clone(),
            notifier.clone(),
            Arc::new(upstream.clone()),
            ResetJournal::new(&paths.guard_dir),
        ));
        let usage = Arc::new(UsageService::new(
            registry.clone(),
            refresher.clone(),
            notifier.clone(),
            Arc::new(upstream.clone()),
            options.usage_schedule,
            PollLogFile::new(&paths.state_dir),
            reset_credits.clone(),
        ));
        let logins = Arc::new(Logins::new(
            registry.clone(),
            refresher.clone(),
            notifier.clone(),
            http.clone(),
            options.auth_url.clone(),
            options.login.clone(),
        ));
        let history =
            Arc::new(HistoryRecorder::new(HistoryFile::new(&paths.state_dir), notifier.clone(), clock));
        Sidecar {
            notifier,
            registry,
            imports,
            refresher,
            reset_credits,
            usage,
            logins,
            completions: Completions::new(upstream),
            history,
            session: ClientSession::new(http),
            options,
        }
    }

    /// Finishes the work: results of refreshes are stored, and the state is saved. The caller limits the time.
    pub async fn finish(&self) {
        if self.options.start == Start::ReadOnly {
            return;
        }
        if self.refresher.is_refreshing() {
            // A slow token endpoint may use up all the time.
            self.registry.save().await;
            self.refresher.finish().await;
        }
        self.logins.finish().await;
        self.registry.save().await;
        self.history.finish().await;
        self.refresher.flush_pending(Duration::ZERO).await;
        // Last, because it waits for a client that does not read.
        let _ = self.notifier.send_events().await;
    }

    /// Returns why the accounts file could not be read, if that is why there are no accounts.
    pub fn accounts_unreadable(&self) -> Option<String> {
        self.registry.unreadable()
    }
}
