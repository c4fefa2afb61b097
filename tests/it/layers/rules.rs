//! The rules, as data: a row for every module at the top of `src`.

/// What one module may name.
#[derive(Debug)]
pub struct Rule {
    /// A folder or file at the top of `src`.
    pub module: &'static str,
    /// Modules of this crate that it may name, besides itself.
    pub crate_modules: &'static [&'static str],
    pub outside: Outside,
}

/// Which other crates, or paths into them, a module may name.
#[derive(Debug)]
pub enum Outside {
    /// These and the standard library without its files, sockets, processes, environment and clocks.
    Pure(&'static [&'static str]),
    /// Everything except these.
    AllBut(&'static [&'static str]),
}

/// What a module that decides does not use.
pub const IMPURE_STD: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::io",
    "std::os",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::hash::RandomState",
    "std::collections::hash_map::RandomState",
];

const RPC: &str = "jsonrpsee";
const HTTP: &str = "reqwest";
const OAUTH: &str = "oauth2";
const WATCH: &str = "notify";
const SERVER: &str = "hyper";
const RUNTIME: &str = "tokio";

pub const RULES: &[Rule] = &[
    Rule {
        module: "pool",
        crate_modules: &["secret"],
        outside: Outside::Pure(&["serde", "strum", "jiff", "thiserror"]),
    },
    Rule { module: "secret", crate_modules: &[], outside: Outside::Pure(&["serde", "zeroize"]) },
    Rule {
        module: "protocol",
        crate_modules: &[],
        outside: Outside::Pure(&["serde", "serde_json", "schemars", "jsonrpsee", "strum"]),
    },
    Rule {
        module: "clock",
        crate_modules: &["pool"],
        outside: Outside::AllBut(&[RPC, HTTP, OAUTH, WATCH, SERVER, RUNTIME]),
    },
    Rule { module: "rpc", crate_modules: &[], outside: Outside::AllBut(&[HTTP, OAUTH, WATCH, SERVER]) },
    Rule { module: "http", crate_modules: &[], outside: Outside::AllBut(&[RPC, OAUTH, WATCH, SERVER]) },
    Rule {
        module: "upstream",
        crate_modules: &["pool", "secret", "http", "clock"],
        outside: Outside::AllBut(&[RPC, OAUTH, WATCH, SERVER, "std::fs"]),
    },
    Rule {
        module: "auth",
        crate_modules: &["pool", "secret", "http", "store"],
        outside: Outside::AllBut(&[RPC, WATCH, SERVER]),
    },
    Rule {
        module: "store",
        crate_modules: &["pool", "secret", "clock"],
        outside: Outside::AllBut(&[RPC, HTTP, OAUTH, WATCH, SERVER, RUNTIME]),
    },
    Rule { module: "watch", crate_modules: &[], outside: Outside::AllBut(&[RPC, HTTP, OAUTH, SERVER]) },
    Rule {
        module: "sidecar",
        crate_modules: &[
            "pool", "protocol", "rpc", "upstream", "auth", "store", "watch", "http", "secret", "clock",
            "render",
        ],
        outside: Outside::AllBut(&[HTTP, OAUTH, WATCH, SERVER]),
    },
    Rule {
        module: "render",
        crate_modules: &["protocol", "pool"],
        outside: Outside::Pure(&["unicode_width", "unicode_segmentation", "anstyle"]),
    },
    Rule {
        module: "gateway",
        crate_modules: &["sidecar", "protocol", "upstream", "pool", "store", "secret", "http", "clock"],
        outside: Outside::AllBut(&[HTTP, OAUTH, WATCH, "std::fs"]),
    },
    Rule {
        module: "cli",
        crate_modules: &[
            "client", "clock", "gateway", "http", "pool", "protocol", "render", "rpc", "secret", "sidecar",
            "sim", "store",
        ],
        outside: Outside::AllBut(&[HTTP, OAUTH, WATCH, SERVER]),
    },
    Rule {
        module: "client",
        crate_modules: &["protocol"],
        outside: Outside::AllBut(&[HTTP, OAUTH, WATCH, SERVER]),
    },
    Rule {
        module: "sim",
        crate_modules: &["pool", "protocol", "clock", "http"],
        outside: Outside::AllBut(&[RPC, HTTP, OAUTH, WATCH]),
    },
    Rule {
        module: "fuzz",
        crate_modules: &["auth", "pool", "rpc", "store", "upstream"],
        outside: Outside::AllBut(&[]),
    },
    Rule { module: "lib", crate_modules: &["cli"], outside: Outside::Pure(&[]) },
    Rule { module: "main", crate_modules: &[], outside: Outside::AllBut(&[RPC, HTTP, OAUTH, WATCH, SERVER]) },
];

/// Folders whose parts must not import one another in a circle.
pub const WITHOUT_CIRCLES: &[&str] =
    &["store", "cli", "upstream", "auth", "rpc", "protocol", "sidecar", "pool"];
