//! The files: whether they can be read, parse, can be written, and who else may read them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::in_shell;
use crate::auth;
use crate::pool::SeenLogins;
use crate::protocol::{Check, CheckId};
use crate::sidecar::Sidecar;
use crate::sidecar::import::foreign_login::{fingerprint, linked_account};
use crate::store::{
    LinkedCredential, NoReading, PermissionFinding, SettingsFile, StorageError, examine, files_ending_in,
    inspect_writable,
};
use crate::watch::{self, NoticedBy};

/// pi writes its login in place: how often a half-written file is read again, and after how long.
const RETRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(50);

impl Sidecar {
    /// Blocks.
    pub(crate) fn check_files(&self) -> Vec<Check> {
        let paths = &self.options.paths;
        let mut checks = self.check_accounts_file();
        checks.push(check_settings(&paths.settings_file));
        checks.push(self.check_state_files());
        checks.push(writable(
            CheckId::AgentDirWritable,
            &paths.accounts_file,
            "the accounts file can be replaced",
            "make that directory yours and writable, or name another with --agent-dir",
        ));
        checks.push(writable(
            CheckId::StateDirWritable,
            self.registry.state_file().path(),
            "the state dir can be written to",
            "make that directory yours and writable, or name another with --state-dir",
        ));
        checks.extend(self.check_permissions());
        checks.push(self.check_import());
        checks.push(self.check_watcher());
        checks
    }

    fn check_accounts_file(&self) -> Vec<Check> {
        let path = self.registry.accounts_file().path();
        let loaded = match self.registry.accounts_file().load() {
            Ok(loaded) => loaded,
            Err(error) => {
                let hint = "repair it in an editor, or move it away and log in again: multicodex login";
                return vec![Check::fail(CheckId::AccountsFile, error.to_string(), hint)];
            }
        };
        let file = if loaded.read_only {
            Check::fail(
                CheckId::AccountsFile,
                format!("{} was written by a later version and is not changed", path.display()),
                "update multicodex",
            )
        } else {
            let of = match loaded.accounts.len() {
                0 => "no account".to_owned(),
                1 => "1 account".to_owned(),
                count => format!("{count} accounts"),
            };
            Check::pass(CheckId::AccountsFile, format!("{}, with {of}", path.display()))
        };
        let mut checks = vec![file];
        for problem in &loaded.problems {
            let entry = match &problem.label {
                Some(label) => format!("entry {} ({label})", problem.index + 1),
                None => format!("entry {}", problem.index + 1),
            };
            let message = format!("codex-accounts.json, {entry}: {}", problem.message);
            checks.push(if problem.used {
                Check::warn(CheckId::AccountsEntries, message, "repair or remove that member of the entry")
            } else {
                let hint =
                    "the entry is left out: repair it in an editor, or remove it and log in: multicodex login";
                Check::fail(CheckId::AccountsEntries, message, hint)
            });
        }
        if loaded.problems.is_empty() {
            checks.push(Check::pass(CheckId::AccountsEntries, "every entry can be used"));
        }
        checks
    }

    fn check_state_files(&self) -> Check {
        let damaged = [
            self.registry.state_file().look().err(),
            self.refresher.journal().look().err(),
            self.imports.seen_file().look().err(),
            self.history.file().is_sound().err(),
        ];
        if let Some(error) = damaged.into_iter().flatten().next() {
            let hint = match error {
                StorageError::Corrupt { .. } => {
                    "nothing needs to be done: the next sidecar moves it aside and begins a new one"
                }
                _ => "make the state dir and the files in it yours",
            };
            return Check::warn(CheckId::StateFiles, error.to_string(), hint);
        }
        if self.history.file().is_sound().is_ok_and(|sound| !sound) {
            let message = format!("{} is damaged", self.history.file().path().display());
            let hint = "look at the history: it is set aside, and what can be read of it kept";
            return Check::warn(CheckId::StateFiles, message, hint);
        }
        Check::pass(CheckId::StateFiles, format!("{}", self.options.paths.state_dir.display()))
    }

    fn check_permissions(&self) -> Vec<Check> {
        let paths = &self.options.paths;
        let mut checks = Vec::new();
        let tokens: [(&Path, &str); 2] =
            [(&paths.accounts_file, "tokens"), (&paths.auth_file, "pi's tokens")];
        for (path, what) in tokens {
            if let Ok(PermissionFinding::Wide { mode }) = examine(path) {
                checks.push(Check::fail(
                    CheckId::Permissions,
                    format!("{} has mode {mode:04o}: others can access {what}", path.display()),
                    format!("chmod 600 {}", in_shell(path)),
                ));
            }
        }
        let mut ours: Vec<PathBuf> =
            [".json", ".jsonl"].iter().flat_map(|ending| files_ending_in(&paths.state_dir, ending)).collect();
        ours.extend(paths.log_file.clone());
        for path in ours {
            if let Ok(PermissionFinding::Wide { mode }) = examine(&path) {
                checks.push(Check::warn(
                    CheckId::Permissions,
                    format!("{} has mode {mode:04o}", path.display()),
                    format!("chmod 600 {}", in_shell(&path)),
                ));
            }
        }
        if let Ok(PermissionFinding::Wide { mode }) = examine(&paths.state_dir) {
            checks.push(Check::warn(
                CheckId::Permissions,
                format!("{} has mode {mode:04o}", paths.state_dir.display()),
                format!("chmod 700 {}", in_shell(&paths.state_dir)),
            ));
        }
        // pi lets others read its directory, and keeps secrets in files that they cannot read.
        if let Ok(PermissionFinding::Wide { mode }) = examine(&paths.agent_dir)
            && mode & 0o022 != 0
        {
            checks.push(Check::fail(
                CheckId::Permissions,
                format!("{} has mode {mode:04o}: others may replace files in it", paths.agent_dir.display()),
                format!("chmod go-w {}", in_shell(&paths.agent_dir)),
            ));
        }
        if checks.is_empty() {
            checks.push(Check::pass(CheckId::Permissions, "only you can read the files with tokens in them"));
        }
        checks
    }

    fn check_import(&self) -> Check {
        let login = match self.check_pi_login() {
            Ok(Some(login)) => login,
            Ok(None) => return Check::pass(CheckId::AuthImport, "pi is not logged in with ChatGPT"),
            Err(NoReading::Missing { .. }) => {
                return Check::pass(CheckId::AuthImport, "pi has no login file");
            }
            Err(error @ NoReading::Unusable { .. }) => {
                return Check::warn(CheckId::AuthImport, error.to_string(), "log in with pi again: /login");
            }
            Err(error) => {
                let hint = "pi cannot use it either: repair it in an editor, or log in with pi again: /login";
                return Check::fail(CheckId::AuthImport, error.to_string(), hint);
            }
        };
        let theirs = auth::token_hash(&login.refresh);
        let taken = self.registry.decide(|pool, _| {
            let linked = pool.accounts().iter().find(|account| account.linked);
            linked
                .filter(|account| auth::token_hash(&account.credential.refresh) == theirs)
                .map(|account| account.label.clone())
        });
        if let Some(label) = taken {
            return Check::pass(CheckId::AuthImport, format!("the login of pi is {label}"));
        }
        let seen: SeenLogins = self.imports.seen_file().load().unwrap_or_default();
        if seen.removed == Some(fingerprint(&login)) {
            return Check::pass(CheckId::AuthImport, "the login of pi was removed here, and stays removed");
        }
        let account = linked_account(&login);
        let whose = account.email.unwrap_or_else(|| account.id.to_string());
        Check::warn(
            CheckId::AuthImport,
            format!("the login of pi ({whose}) is not imported"),
            "multicodex import says why",
        )
    }

    pub(crate) fn check_pi_login(&self) -> Result<Option<LinkedCredential>, NoReading> {
        for _ in 0..RETRIES {
            match self.imports.auth_file().read() {
                Err(NoReading::HalfWritten { .. }) => std::thread::sleep(PAUSE),
                settled => return settled,
            }
        }
        self.imports.auth_file().read()
    }

    fn check_watcher(&self) -> Check {
        let (by, running) = match self.registry.watch_report() {
            Some(report) => (report.noticed_by(), true),
            None => (
                watch::try_out(
                    self.registry.watched_files(&self.options.paths.auth_file).iter().map(PathBuf::as_path),
                ),
                false,
            ),
        };
        let message = match (by, running) {
            (NoticedBy::Kernel, true) => "the kernel reports changes by other programs",
            (NoticedBy::Kernel, false) => "the kernel would report changes by other programs",
            (NoticedBy::Polling, _) => {
                let message = "changes by other programs are found only by checking, about every second";
                let hint =
                    "raise fs.inotify.max_user_watches or max_user_instances, or use a local file system";
                return Check::warn(CheckId::Watcher, message, hint);
            }
        };
        Check::pass(CheckId::Watcher, message)
    }
}

fn check_settings(path: &Path) -> Check {
    match SettingsFile::new(path).load() {
        Ok(settings) => match settings.problems.first() {
            None => Check::pass(CheckId::SettingsFile, path.display().to_string()),
            Some(problem) => {
                let more = match settings.problems.len() {
                    1 => String::new(),
                    count => format!(", and {} more", count - 1),
                };
                Check::warn(
                    CheckId::SettingsFile,
                    format!("{}: {} must be {}{more}", path.display(), problem.path, problem.expected),
                    "the default is used: change the value, or take it out",
                )
            }
        },
        Err(error) => {
            Check::fail(CheckId::SettingsFile, error.to_string(), "repair it in an editor, or move it away")
        }
    }
}

fn writable(id: CheckId, path: &Path, good: &str, hint: &str) -> Check {
    match inspect_writable(path) {
        Ok(()) => Check::pass(id, good),
        Err(error @ StorageError::Full { .. }) => Check::fail(id, error.to_string(), "free some space there"),
        Err(error) => Check::fail(id, error.to_string(), hint),
    }
}
