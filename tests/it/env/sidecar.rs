//! A running sidecar behind the typed Rust client.

use std::time::Duration;

use jsonrpsee::core::client::Error;
use multicodex::client::Client;
use multicodex::protocol::{
    Account, Accounts, AccountsParams, AccountsToken, Initialize, InitializeParams, Refresh, RefreshAnswer,
    RefreshParams, TokenAnswer, TokenParams,
};
use multicodex::sim::SimAccount;
use serde_json::Value;
use tokio::process::Command;

/// One running sidecar after `initialize`. Dropping it sends SIGKILL.
pub struct Sidecar {
    pub client: Client,
}

impl Sidecar {
    pub async fn start(command: Command) -> Sidecar {
        let client = Client::spawn(command).expect("the sidecar starts");
        client.request::<Initialize>(&InitializeParams::default()).await.expect("initialize");
        Sidecar { client }
    }

    pub async fn accounts(&self) -> Vec<Account> {
        self.client.request::<Accounts>(&AccountsParams::default()).await.expect("accounts").accounts
    }

    pub async fn account(&self, name: &str) -> Account {
        let accounts = self.accounts().await;
        accounts.into_iter().find(|account| account.label == email(name)).expect("the account is there")
    }

    pub async fn token(&self, name: &str) -> Result<TokenAnswer, Refused> {
        let params = TokenParams { account: Some(email(name)), min_valid_ms: None };
        self.client.request::<AccountsToken>(&params).await.map_err(Refused::from)
    }

    pub async fn refresh(&self, name: Option<&str>, force: bool) -> RefreshAnswer {
        let params = RefreshParams { account: name.map(email), force: Some(force) };
        self.client.request::<Refresh>(&params).await.expect("refresh")
    }

    /// Ends the sidecar in order.
    pub async fn end(self) {
        let ended = self.client.end(Duration::from_secs(5)).await.expect("it ends in time");
        assert!(ended.success(), "{ended}");
    }
}

/// An error answer.
#[derive(Debug)]
pub struct Refused {
    pub code: i32,
    pub data: Value,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let Error::Call(error) = error else { panic!("not an answer: {error}") };
        let data = error.data().map_or(Value::Null, |data| serde_json::from_str(data.get()).expect("JSON"));
        Refused { code: error.code(), data }
    }
}

pub fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// An account whose first token has expired.
pub fn expired(name: &str) -> SimAccount {
    SimAccount { first_expires_in: Some(-60), ..SimAccount::named(name) }
}

/// An account whose first token lives for another minute, so that it is refreshed before it is used.
pub fn expiring(name: &str) -> SimAccount {
    SimAccount { first_expires_in: Some(60), ..SimAccount::named(name) }
}
