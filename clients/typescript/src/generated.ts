// Generated from schema/multicodex.schema.json by scripts/generate.mjs: do not edit, run `npm run generate`.

/** What each method takes and answers. */
export interface Methods {
  "accounts": { params: AccountsParams; result: AccountList };
  "accounts/disable": { params: AccountParams; result: AccountAnswer };
  "accounts/enable": { params: AccountParams; result: AccountAnswer };
  "accounts/import": { params: ImportParams; result: ImportAnswer };
  "accounts/label": { params: LabelParams; result: AccountAnswer };
  "accounts/remove": { params: AccountParams; result: Removed };
  "accounts/resetCredit": { params: ResetCreditParams; result: ResetCreditAnswer };
  "accounts/token": { params: TokenParams; result: TokenAnswer };
  "accounts/use": { params: AccountParams; result: AccountAnswer };
  "command": { params: CommandParams; result: CommandAnswer };
  "command/suggest": { params: CommandParams; result: Suggestions };
  "complete": { params: CompleteParams; result: string };
  "complete/cancel": { params: CancelComplete; result: boolean };
  "complete/collect": { params: CompleteParams; result: Collected };
  "footer": { params: NoParams; result: Footer };
  "footer/set": { params: FooterChange; result: Footer };
  "gateway/start": { params: GatewayStartParams; result: GatewayStarted };
  "gateway/stop": { params: NoParams; result: GatewayStopped };
  "history": { params: HistoryParams; result: HistoryAnswer };
  "initialize": { params: InitializeParams; result: InitializeResult };
  "login": { params: LoginParams; result: LoginStarted };
  "login/cancel": { params: LoginIdParams; result: LoginCancelled };
  "login/submit": { params: LoginSubmitParams; result: AccountAnswer };
  "login/wait": { params: LoginIdParams; result: AccountAnswer };
  "paths": { params: NoParams; result: Paths };
  "reauth": { params: ReauthParams; result: LoginStarted };
  "refresh": { params: RefreshParams; result: RefreshAnswer };
  "reset": { params: ResetParams; result: ResetResult };
  "rotation": { params: RotationParams; result: Rotation };
  "rotation/set": { params: RotationChange; result: Rotation };
  "rpc.discover": { params: NoParams; result: unknown };
  "shutdown": { params: undefined; result: null };
  "status": { params: StatusParams; result: Status };
  "verify": { params: VerifyParams; result: VerifyAnswer };
}

/** What the sidecar sends unasked, beside the notices of a completion. */
export interface Notifications {
  "accounts/changed": AccountsChanged;
  "login/completed": LoginCompleted;
  "refresh/progress": RefreshProgress;
  "status/changed": Status;
  "warning": Warning;
}

export type ReasonScope = "workspace";
export type AccountState = "ready" | "cooling" | "needs_login" | "deactivated" | "disabled";
export type TokenState = ("valid" | "expired") | "expiring";
export type UsageSource = "usage_endpoint" | "response_headers" | "stream_event";
export type ChangeReason =
  | "usage"
  | "login"
  | "import"
  | "removed"
  | "rotation"
  | "refresh"
  | "cooldown"
  | "external"
  | "edited"
  | "health";
export type Affinity = "none" | "session";
export type AttemptOutcome = "completed" | "incomplete" | "rotated" | "failed" | "cancelled";
/**
 * Which transport brought the answer.
 */
export type TransportUsed = "sse" | "websocket";
export type LoginFlow = "browser" | "device";
/**
 * Stable. New ones may come.
 */
export type CheckId =
  | "accounts_file"
  | "accounts_entries"
  | "settings_file"
  | "state_files"
  | "agent_dir_writable"
  | "state_dir_writable"
  | "permissions"
  | "auth_import"
  | "locks"
  | "pi_auth_lock"
  | "pi_settings_lock"
  | "watcher"
  | "accounts"
  | "shared_credentials"
  | "redeeming"
  | "account_login"
  | "account_token"
  | "account_usage"
  | "upstream"
  | "auth_server"
  | "clock";
/**
 * From good to bad.
 */
export type CheckStatus = ("pass" | "fail") | "warn";
/**
 * Why a turn over WebSocket sent the whole conversation.
 */
export type NotContinued =
  | "first_turn"
  | "members_differ"
  | "history_differs"
  | "headers_differ"
  | "new_socket"
  | "account_changed"
  | "refused";
export type CommandLevel = ("info" | "warning") | "error";
/**
 * Which transport a completion asks for.
 */
export type Transport = "sse" | "auto" | "websocket";
export type PlanStepKind = "reserve" | "resetCredit" | "wait";
/**
 * Why a request failed; the name on the wire is stable.
 */
export type ErrorKind =
  | (
      | "invalid_request"
      | "invalid_params"
      | "internal"
      | "account_not_found"
      | "account_ambiguous"
      | "login_required"
      | "no_available_account"
      | "account_unavailable"
      | "login_failed"
      | "login_expired"
      | "login_cancelled"
      | "identity_mismatch"
      | "upstream"
      | "storage"
    )
  | "no_reset_credit";
export type Phase = "before_output" | "after_output";
export type FooterOrder = "account-first" | "usage-first";
export type ResetWindow = "5h" | "7d" | "both";
export type UsageMode = "left" | "used";
export type WarningKind =
  | (
      | "login_required"
      | "pin_cleared"
      | "no_available_account"
      | "shared_credential"
      | "permissions"
      | "corrupt_entry"
      | "corrupt_file"
      | "settings_invalid"
      | "outcome_unknown"
    )
  | "consumed_credential"
  | "redeem_paused"
  | "clock_skew"
  | "usage_unavailable"
  | "reset_credit";
export type ImportSource = "pi" | "codex";
/**
 * The `result` of one `complete` notification. A completion sends, in this order: `rotated` zero or more times,
 * `accepted` at most once, `event` for each upstream event, and exactly one of `done`, `error` and `cancelled`.
 */
export type Notice =
  RotatedNotice | AcceptedNotice | EventNotice | DoneNotice | ErrorNotice | CancelledNotice;
export type Outcome = "completed" | "incomplete";
export type ReserveUse = "never" | "luna" | "any";
export type ResetCreditOutcome =
  "reset" | "nothing_to_reset" | "no_credit" | "already_redeemed" | "refused" | "abandoned";
export type ResetCreditUse = "never" | "when-dry";
export type ResetScope = "all" | "manual" | "quota";
export type Strategy = "reset-first" | "least-used" | "round-robin" | "priority";
export type Severity = ("success" | "unknown") | "notice" | "warning" | "error";
export type StatusRole = ("account" | "separator") | "brand" | "window" | "reset" | "notice";

/**
 * One signed-in account.
 */
export interface Account {
  /**
   * Whether rotation would use it now for a completion without a session.
   */
  active: boolean;
  /**
   * After transient failures the account ranks last until then; its state stays `ready`.
   */
  backoffUntil?: number | null;
  /**
   * It met a limit and is not used before then.
   */
  cooldownUntil?: number | null;
  email?: string | null;
  /**
   * `acc_` and 16 hex digits, derived from workspace and user: survives label changes, re-login and restarts.
   */
  id: string;
  /**
   * Unique, case-insensitively.
   */
  label: string;
  lastUsedAt?: number | null;
  /**
   * pi's auth.json owns its credential.
   */
  linked: boolean;
  /**
   * The user chose it with `accounts/use`.
   */
  pinned: boolean;
  /**
   * Upstream's name for the plan, e.g. `plus`. New names may come.
   */
  plan?: string | null;
  /**
   * Why it is not `ready`, or why it is backed off.
   */
  reason?: Reason | null;
  state: AccountState;
  token: Token;
  usage?: Usage | null;
  /**
   * `chatgpt_account_id`.
   */
  workspaceId?: string | null;
}
export interface Reason {
  /**
   * One of the kinds of section "Kinds" in `schema/protocol.md`.
   */
  kind: string;
  message: string;
  /**
   * Absent when it concerns this account only.
   */
  scope?: ReasonScope | null;
  since: number;
  /**
   * Where it was seen, e.g. `response_body`.
   */
  source: string;
}
export interface Token {
  expiresAt: number;
  state: TokenState;
}
/**
 * What is known about an account's usage. Its parts come from different answers, so each has its own time and source;
 * `fetchedAt`, `source` and `stale` at this level belong to `windows` and `reached`.
 */
export interface Usage {
  credits?: Credits | null;
  fetchedAt: number;
  limits?: AdditionalLimit[];
  /**
   * Upstream's word for the limit that was reached, e.g. `workspace_member_credits_depleted`. New words may come.
   */
  reached?: string | null;
  reserve?: Reserve | null;
  resetCredits?: ResetCredits | null;
  source: UsageSource;
  spendControl?: SpendControl | null;
  /**
   * Older than five minutes.
   */
  stale: boolean;
  /**
   * Shortest first. A window that is not listed is unknown, which is neither 0 % nor untouched.
   */
  windows: Window[];
}
/**
 * When and from where a part of the usage was read.
 */
export interface Credits {
  balance?: string | null;
  fetchedAt: number;
  hasCredits: boolean;
  source: UsageSource;
  /**
   * Older than five minutes.
   */
  stale: boolean;
  unlimited: boolean;
}
/**
 * A separate limit beside the main one, e.g. of one model. Its cooldown affects only completions that meet it.
 */
export interface AdditionalLimit {
  /**
   * Completions that meet this limit do not use the account before then.
   */
  cooldownUntil?: number | null;
  fetchedAt: number;
  limitId: string;
  name?: string | null;
  source: UsageSource;
  /**
   * Older than five minutes.
   */
  stale: boolean;
  windows: Window[];
}
export interface Window {
  /**
   * Derived from the length: `5h`, `7d`, `30d`, …
   */
  name: string;
  resetsAt?: number | null;
  usedPercent: number;
  windowMinutes: number;
}
/**
 * Luna Reserve: a second quota that upstream offers when the ordinary usage is up. It answers with a weaker model.
 */
export interface Reserve {
  /**
   * It was used up here; it is tried again then.
   */
  cooldownUntil?: number | null;
  fetchedAt: number;
  /**
   * Whether it may be used now.
   */
  granted: boolean;
  /**
   * What its model is called otherwise, e.g. `gpt-5.6-luna`.
   */
  ordinaryModel?: string | null;
  source: UsageSource;
  /**
   * Older than five minutes.
   */
  stale: boolean;
}
/**
 * How often the user may have the limits reset: here with `accounts/resetCredit`, or at chatgpt.com.
 */
export interface ResetCredits {
  available: number;
  /**
   * Those that are available, the first to expire first; absent while upstream has only counted them.
   */
  credits?: ResetCredit[];
  fetchedAt: number;
  source: UsageSource;
  /**
   * Older than five minutes.
   */
  stale: boolean;
}
/**
 * Resets the usage windows of its account once.
 */
export interface ResetCredit {
  expiresAt?: number | null;
  id: string;
  /**
   * Upstream's word, e.g. `available`.
   */
  status?: string | null;
}
/**
 * The account's own spending limit. Amounts are upstream's texts.
 */
export interface SpendControl {
  fetchedAt: number;
  limit?: string | null;
  reached: boolean;
  resetsAt?: number | null;
  source: UsageSource;
  /**
   * Older than five minutes.
   */
  stale: boolean;
  used?: string | null;
  usedPercent?: number | null;
}
export interface AccountAnswer {
  account: Account;
}
export interface AccountList {
  /**
   * In the order of the accounts file, which is stable.
   */
  accounts: Account[];
  /**
   * Id of the account that rotation would use now.
   */
  active?: string | null;
  /**
   * Id of the pinned account.
   */
  pinned?: string | null;
  /**
   * Grows with every change while the process lives.
   */
  revision: number;
}
export interface AccountParams {
  /**
   * An account's id, label or e-mail (the latter two case-insensitively).
   */
  account: string;
}
export interface AccountPriority {
  /**
   * In params an id, a label or an e-mail; in answers the id.
   */
  account: string;
  /**
   * -100 to 100, higher first.
   */
  priority: number;
}
export interface AccountStanding {
  account: string;
  state: AccountState;
  until?: number | null;
}
export interface AccountTally {
  /**
   * Account id.
   */
  account: string;
  tally: Tally;
}
/**
 * Sums of attempts.
 */
export interface Tally {
  attempts: number;
  cancelled: number;
  /**
   * Includes those that upstream cut short.
   */
  completed: number;
  /**
   * Those that sent only what was new in their conversation. Absent when 0.
   */
  continued?: number;
  failed: number;
  /**
   * Items of reasoning that their requests lost. Absent when none was.
   */
  reasoningDropped?: ReasoningDropped | null;
  rotated: number;
  /**
   * By how much their requests would have been longer. Absent when 0.
   */
  savedBytes?: number;
  /**
   * Those that another account than before served in their session. Absent when 0.
   */
  switches?: number;
  tokens: TokenCount;
}
/**
 * How many reasoning items were removed from the input, by upstream's reason. Removal at a turn boundary is normal and is
 * not counted.
 */
export interface ReasoningDropped {
  /**
   * The sidecar removed it, because upstream refused the encrypted content of another account.
   */
  encrypted?: number | null;
  /**
   * Produced for another end user.
   */
  endUserMismatch?: number | null;
  /**
   * Produced by another model.
   */
  modelMismatch?: number | null;
  /**
   * Produced by an account of another organization.
   */
  organizationMismatch?: number | null;
  /**
   * An earlier part of the conversation was edited.
   */
  prefixMismatch?: number | null;
}
/**
 * Upstream's count.
 */
export interface TokenCount {
  /**
   * The part of `input` that came from upstream's cache.
   */
  cached: number;
  input: number;
  output: number;
}
/**
 * Something changed that `accounts` shows. Several changes in quick succession are one notification.
 */
export interface AccountsChanged {
  active?: string | null;
  pinned?: string | null;
  reason: ChangeReason;
  revision: number;
}
export interface AccountsParams {
  /**
   * Whether to read the usage of every account from upstream first.
   */
  refreshUsage?: boolean | null;
}
/**
 * One request of a completion to one account.
 */
export interface Attempt {
  /**
   * Account id; the account may have been removed since.
   */
  account: string;
  /**
   * When it began.
   */
  at: number;
  /**
   * Whether only what was new in the conversation was sent.
   */
  continued?: boolean | null;
  /**
   * From the beginning of the attempt to the first event that was sent to the client.
   */
  firstEventMs?: number | null;
  model?: string | null;
  outcome: AttemptOutcome;
  /**
   * One of the kinds of section "Kinds" in `schema/protocol.md`, or `deadline`.
   */
  reason?: string | null;
  /**
   * Items of reasoning that the request lost, as in `done`. Absent when none was.
   */
  reasoningDropped?: ReasoningDropped | null;
  /**
   * Luna Reserve was asked, with a model other than the one that the client named.
   */
  reserve?: boolean;
  /**
   * By how much the whole frame would have been longer. Absent when it was sent.
   */
  savedBytes?: number | null;
  /**
   * Of the body or frame, as it was sent.
   */
  sentBytes?: number | null;
  /**
   * Another account than before served the session. Absent when not.
   */
  switched?: boolean;
  tokens?: TokenCount | null;
  totalMs: number;
  /**
   * Absent when nothing was sent.
   */
  transport?: TransportUsed | null;
}
/**
 * `{subscription}` or `[subscription]`.
 */
export interface CancelComplete {
  subscription: string;
}
export interface Capabilities {
  complete: CompleteCapability;
  login: LoginCapability;
}
export interface CompleteCapability {
  /**
   * The transports to upstream: `sse`, `websocket`.
   */
  transports: string[];
}
export interface LoginCapability {
  /**
   * `browser` and `device`.
   */
  flows: LoginFlow[];
}
export interface Check {
  /**
   * Account id, for the checks that exist once per account.
   */
  account?: string | null;
  /**
   * The next step. Always there when the status is not `pass`.
   */
  hint?: string | null;
  id: CheckId;
  message: string;
  status: CheckStatus;
}
export interface ClientInfo {
  /**
   * Sent upstream as the `originator` and at the start of the User-Agent.
   */
  name?: string | null;
  version?: string | null;
}
/**
 * A completion as one answer.
 */
export interface Collected {
  /**
   * Account id.
   */
  account: string;
  attempts: number;
  /**
   * As in `done`.
   */
  continued: boolean;
  /**
   * As in `done`.
   */
  dropped?: string[];
  /**
   * As in `done`.
   */
  notContinued?: NotContinued | null;
  /**
   * As in `done`.
   */
  reasoningDropped?: ReasoningDropped | null;
  /**
   * The final `response` object of upstream, unchanged.
   */
  response: {
    [k: string]: unknown;
  };
  /**
   * As in `done`.
   */
  sentBytes: number;
  transport: TransportUsed;
  usage?: {
    [k: string]: unknown;
  } | null;
}
export interface CommandAnswer {
  level: CommandLevel;
  /**
   * Text for people. No line is empty, and none is wider than 80 columns unless it quotes something that is.
   */
  lines: string[];
}
export interface CommandParams {
  /**
   * What was typed, with or without the leading `/multicodex`.
   */
  line: string;
}
export interface CompleteParams {
  /**
   * Use only this account (id, label or e-mail), without rotation. When it cannot be used, the completion ends with
   * `account_unavailable` and no request is sent.
   */
  account?: string | null;
  /**
   * Whether Luna Reserve, whose model is a weaker one, may answer when every account is out. It outweighs the setting
   * `reserve`.
   */
  allowReserve?: boolean | null;
  /**
   * Limit for the whole completion, all attempts included; none when absent. Ends it with `deadline`.
   */
  deadlineMs?: number | null;
  /**
   * Request headers for upstream, from a short list.
   */
  headers?: {
    [k: string]: string;
  } | null;
  /**
   * How long upstream may send nothing; 300000 when absent. Before output it fails the attempt, after output the
   * completion (`idle_timeout`).
   */
  idleTimeoutMs?: number | null;
  /**
   * An OpenAI Responses body, sent byte for byte. `stream: true` and `store: false` are added when absent or null;
   * `stream: false`, `store: true` and a `model` of more than 256 bytes are refused.
   */
  request: {
    [k: string]: unknown;
  };
  /**
   * The session for affinity: the account that served it last is kept while it can serve. It is also sent as
   * `prompt_cache_key` when the body has none (hashed when longer than 64 characters).
   */
  sessionId?: string | null;
  /**
   * How to talk to upstream; the setting `transport` when absent.
   */
  transport?: Transport | null;
}
export interface DayTally {
  /**
   * The same for each account, in the order of the answer's `accounts`.
   */
  accounts: AccountTally[];
  /**
   * `2026-11-26`, in UTC.
   */
  day: string;
  tally: Tally;
}
/**
 * The `data` member of every error.
 */
export interface ErrorData {
  /**
   * Account id.
   */
  account?: string | null;
  /**
   * Upstream's last body, unchanged, at most 64 KiB.
   */
  body?: string | null;
  bodyTruncated?: boolean;
  /**
   * Labels (not found) or ids (ambiguous) to choose from.
   */
  candidates?: string[] | null;
  /**
   * What the last attempt failed with: one of the kinds of a `complete` error.
   */
  cause?: string | null;
  /**
   * Upstream's own code.
   */
  code?: string | null;
  /**
   * What to do next.
   */
  hint?: string | null;
  /**
   * An [`ErrorKind`], or one of the transport's own (`parse_error`, `overloaded`, `cancelled`, …).
   */
  kind: string;
  /**
   * The wrong field, e.g. `request.store`.
   */
  path?: string | null;
  /**
   * What is left to do, in this order, when no account could serve.
   */
  plan?: PlanStep[];
  retryAt?: number | null;
  /**
   * The same request may succeed later, although nothing was changed.
   */
  retryable: boolean;
  /**
   * Upstream's HTTP status.
   */
  status?: number | null;
}
/**
 * One thing that is left to do when no account can serve.
 */
export interface PlanStep {
  /**
   * Account id.
   */
  account: string;
  /**
   * Whether the settings allow that a completion does it by itself.
   */
  allowed: boolean;
  /**
   * Of a reset credit.
   */
  expiresAt?: number | null;
  /**
   * For people.
   */
  reason: string;
  step: PlanStepKind;
  /**
   * Of a wait.
   */
  until?: number | null;
}
/**
 * Why a completion failed. `status` and `body` are upstream's last answer, so that a client can treat them as if it had
 * called upstream itself.
 */
export interface Failed {
  account?: string | null;
  /**
   * The state of every account, when none could be used.
   */
  accounts?: AccountStanding[] | null;
  /**
   * How many attempts were made.
   */
  attempts: number;
  /**
   * Upstream's last body, at most 64 KiB.
   */
  body?: string | null;
  bodyTruncated?: boolean;
  code?: string | null;
  /**
   * What to do next, when no account could be used.
   */
  hint?: string | null;
  kind: string;
  message: string;
  phase: Phase;
  /**
   * What is left to do, in this order, when no account could serve.
   */
  plan?: PlanStep[];
  retryAt?: number | null;
  status?: number | null;
}
/**
 * How the footer looks.
 */
export interface Footer {
  order: FooterOrder;
  resetWindow: ResetWindow;
  showAccount: boolean;
  showReset: boolean;
  usageMode: UsageMode;
}
/**
 * Members that are absent stay as they are.
 */
export interface FooterChange {
  order?: FooterOrder | null;
  resetWindow?: ResetWindow | null;
  showAccount?: boolean | null;
  showReset?: boolean | null;
  usageMode?: UsageMode | null;
}
export interface GatewayStartParams {
  /**
   * A free one when absent or 0.
   */
  port?: number | null;
}
export interface GatewayStarted {
  /**
   * The program and its arguments that print the key.
   */
  keyCommand: string[];
  /**
   * Where it listens; `{url}/v1` is the base URL for SDKs.
   */
  url: string;
}
export interface GatewayStopped {
  /**
   * False when none ran.
   */
  stopped: boolean;
}
export interface HistoryAnswer {
  /**
   * One row for each account that was tried within `days`, the busiest first.
   */
  accounts: AccountTally[];
  /**
   * Attempts of all sidecars of this user, the latest first.
   */
  attempts: Attempt[];
  /**
   * One row for each day with an attempt, the latest first.
   */
  days: DayTally[];
}
export interface HistoryParams {
  /**
   * Only this account: id, label or e-mail.
   */
  account?: string | null;
  /**
   * How many days the sums cover, today included; 30 when absent, at most 366.
   */
  days?: number | null;
  /**
   * How many attempts to list; 50 when absent, at most 1000. With 0 only the sums.
   */
  limit?: number | null;
}
/**
 * What an import did, with the ids of the accounts.
 */
export interface ImportAnswer {
  added: string[];
  changed: boolean;
  unchanged: string[];
  updated: string[];
  /**
   * Something a person should know about this import.
   */
  warning?: Warning | null;
}
/**
 * Something a person should know, with what to do about it.
 */
export interface Warning {
  /**
   * Account id.
   */
  account?: string | null;
  hint?: string | null;
  kind: WarningKind;
  message: string;
}
export interface ImportParams {
  /**
   * `pi` when absent.
   */
  from?: ImportSource | null;
  /**
   * A file other than the usual one. Its login becomes a copy: the sidecar writes back only to pi's own file.
   */
  path?: string | null;
}
export interface InitializeParams {
  client?: ClientInfo | null;
  /**
   * Names of notifications that the sidecar does not send.
   */
  optOutNotifications?: string[] | null;
  /**
   * The version that the client was written for. The answer always holds the sidecar's own.
   */
  protocolVersion?: number | null;
}
export interface InitializeResult {
  capabilities: Capabilities;
  paths: Paths;
  protocolVersion: number;
  server: ServerInfo;
}
/**
 * The files this sidecar reads and writes, as absolute paths.
 */
export interface Paths {
  accountsFile: string;
  agentDir: string;
  /**
   * pi's auth.json.
   */
  authFile: string;
  codexAuthFile: string;
  logFile?: string | null;
  settingsFile: string;
  stateDir: string;
}
export interface ServerInfo {
  name: string;
  version: string;
}
export interface LabelParams {
  /**
   * An account's id, label or e-mail.
   */
  account: string;
  /**
   * Not blank, and different from all other labels (case-insensitively).
   */
  label: string;
}
export interface LoginCancelled {
  /**
   * False when the login is unknown, has ended, or is already being stored.
   */
  cancelled: boolean;
}
/**
 * A login ended.
 */
export interface LoginCompleted {
  /**
   * Id of the account that was added or renewed.
   */
  account?: string | null;
  error?: LoginFailure | null;
  loginId: string;
  ok: boolean;
}
/**
 * Why a login failed, as in the answer of `login/wait`.
 */
export interface LoginFailure {
  hint?: string | null;
  kind: ErrorKind;
  message: string;
}
export interface LoginIdParams {
  loginId: string;
}
export interface LoginParams {
  /**
   * `browser` when absent.
   */
  flow?: LoginFlow | null;
  /**
   * The label of a new account, not blank; its e-mail when absent.
   */
  label?: string | null;
  /**
   * Whether to open the user's browser.
   */
  open?: boolean | null;
}
/**
 * A login in progress.
 */
export interface LoginStarted {
  /**
   * Id of the account that `reauth` renews; absent for `login`.
   */
  account?: string | null;
  /**
   * When the login fails with `login_expired`.
   */
  expiresAt: number;
  flow: LoginFlow;
  /**
   * Unique within this connection.
   */
  loginId: string;
  /**
   * Whether a browser could be started; only with `open`.
   */
  opened?: boolean | null;
  /**
   * The address to open in a browser.
   */
  url: string;
  /**
   * The code to type there; only in the device flow.
   */
  userCode?: string | null;
}
export interface LoginSubmitParams {
  /**
   * The address at which the browser ended, `code#state`, or the code alone.
   */
  input: string;
  loginId: string;
}
/**
 * Params of methods without params. Members that a client sends are ignored.
 */
export interface NoParams {}
/**
 * An attempt failed before any output. `to` is the account that is tried next; it is absent when there is none, or
 * when the completion waits for one.
 */
export interface RotatedNotice {
  attempt: number;
  from: string;
  reason: RotatedReason;
  to?: string | null;
  type: "rotated";
  until?: number | null;
}
export interface RotatedReason {
  code?: string | null;
  kind: string;
  message: string;
  status?: number | null;
}
/**
 * This account answers.
 */
export interface AcceptedNotice {
  account: string;
  attempt: number;
  /**
   * x-request-id, openai-model, retry-after and the x-codex-* family.
   */
  headers: {
    [k: string]: string;
  };
  label: string;
  /**
   * Luna Reserve answers, with another model than the one that was asked for.
   */
  reserve?: boolean;
  status: number;
  type: "accepted";
}
/**
 * One event of upstream, unchanged.
 */
export interface EventNotice {
  event: {
    [k: string]: unknown;
  };
  type: "event";
}
/**
 * The completion ended well.
 */
export interface DoneNotice {
  account: string;
  attempts: number;
  /**
   * Only what is new in the conversation was sent; never over SSE.
   */
  continued: boolean;
  /**
   * Members that were left out of the request because upstream refuses them: `max_output_tokens`.
   */
  dropped?: string[];
  /**
   * Why everything was sent over a WebSocket.
   */
  notContinued?: NotContinued | null;
  outcome: Outcome;
  /**
   * Reasoning that upstream removed from the input, e.g. after a switch of accounts. Absent when none was removed.
   */
  reasoningDropped?: ReasoningDropped | null;
  /**
   * Of the body or frame, as it was sent.
   */
  sentBytes: number;
  timing: Timing;
  transport: TransportUsed;
  type: "done";
  /**
   * Upstream's `usage` member, unchanged.
   */
  usage?: {
    [k: string]: unknown;
  } | null;
}
export interface Timing {
  /**
   * From the request to the first event that was sent to the client.
   */
  firstEventMs: number;
  totalMs: number;
}
/**
 * The completion failed.
 */
export interface ErrorNotice {
  error: Failed;
  type: "error";
}
/**
 * After `complete/cancel`.
 */
export interface CancelledNotice {
  type: "cancelled";
}
export interface RankedAccount {
  /**
   * Account id.
   */
  account: string;
  /**
   * Whether a completion would try it.
   */
  eligible: boolean;
  label: string;
  /**
   * From 1; absent when it is not eligible.
   */
  rank?: number | null;
  /**
   * For people, the most decisive first.
   */
  reasons: string[];
}
export interface ReauthParams {
  /**
   * Id, label or e-mail. When absent: the account that needs a login if there is exactly one, else the active one.
   */
  account?: string | null;
  /**
   * `browser` when absent.
   */
  flow?: LoginFlow | null;
  /**
   * Whether to open the user's browser.
   */
  open?: boolean | null;
}
export interface RefreshAnswer {
  /**
   * How many of these accounts need a login.
   */
  needsLogin: number;
  /**
   * In the order of `accounts`.
   */
  results: Refreshed[];
}
export interface Refreshed {
  account: Account;
  error?: RefreshError | null;
  /**
   * Its token is good.
   */
  ok: boolean;
}
/**
 * Why one account could not be refreshed.
 */
export interface RefreshError {
  /**
   * One of the kinds of a `complete` error.
   */
  cause?: string | null;
  /**
   * Upstream's own code.
   */
  code?: string | null;
  hint?: string | null;
  kind: ErrorKind;
  message: string;
  retryAt?: number | null;
  retryable: boolean;
  /**
   * Upstream's HTTP status.
   */
  status?: number | null;
}
export interface RefreshParams {
  /**
   * An account's id, label or e-mail, or `all`, which is the default.
   */
  account?: string | null;
  /**
   * Refresh also tokens that are still good, and try again those that were refused or whose answer was lost.
   */
  force?: boolean | null;
}
/**
 * A `refresh` finished one more account.
 */
export interface RefreshProgress {
  /**
   * Account id.
   */
  account: string;
  done: number;
  total: number;
}
export interface Removed {
  /**
   * Id of the account that rotation would use now.
   */
  active?: string | null;
  removed: Account;
}
export interface ResetCreditAnswer {
  account: Account;
  /**
   * The account's windows before.
   */
  before: Window[];
  /**
   * The one that was redeemed, or would be; absent when there is none.
   */
  credit?: ResetCredit | null;
  dryRun: boolean;
  /**
   * For people.
   */
  notes: string[];
  /**
   * Absent in a dry run.
   */
  outcome?: ResetCreditOutcome | null;
  /**
   * Sent as `redeem_request_id`; absent in a dry run.
   */
  requestId?: string | null;
  /**
   * An earlier request had no outcome, so that one was repeated and no new one made.
   */
  resumed?: boolean;
  /**
   * Whether usage that was read afterwards shows the reset; absent when nothing was spent, or usage could not be read.
   */
  verified?: boolean | null;
}
export interface ResetCreditParams {
  /**
   * An account's id, label or e-mail.
   */
  account: string;
  /**
   * Of `accounts[].usage.resetCredits.credits`; the one that expires first by default.
   */
  creditId?: string | null;
  /**
   * Only tell what is known; nothing is spent.
   */
  dryRun?: boolean | null;
}
export interface ResetParams {
  scope: ResetScope;
}
export interface ResetResult {
  /**
   * Accounts whose cooldown or back-off was cleared.
   */
  cooldownsCleared: number;
  unpinned: boolean;
}
export interface Rotation {
  /**
   * The accounts in the order in which a completion would try them now. Accounts that it would not try come last.
   */
  order: RankedAccount[];
  /**
   * What is left to do, in this order, when no account can serve; empty while one can.
   */
  plan?: PlanStep[];
  /**
   * The settings in a sentence or two.
   */
  policy: string;
  settings: RotationSettings;
}
export interface RotationSettings {
  affinity: Affinity;
  /**
   * The cooldown after a usage limit that does not say when it ends.
   */
  fallbackCooldownMs: number;
  /**
   * How many accounts a completion tries, the first included.
   */
  maxAttempts: number;
  /**
   * The accounts that have a priority; all others have 0.
   */
  priority: AccountPriority[];
  reserve: ReserveUse;
  /**
   * An account with less than this share left of any window is used only when no other can be.
   */
  reservePercent: number;
  resetCredits: ResetCreditUse;
  strategy: Strategy;
  transport: Transport;
  /**
   * How long a completion waits for the first account to become available; 0 means that it does not wait.
   */
  waitForResetMs: number;
}
/**
 * Members that are absent stay as they are.
 */
export interface RotationChange {
  affinity?: Affinity | null;
  /**
   * Above 0.
   */
  fallbackCooldownMs?: number | null;
  /**
   * From 1.
   */
  maxAttempts?: number | null;
  /**
   * Changes the accounts that it names; the others keep their priority.
   */
  priority?: AccountPriority[] | null;
  reserve?: ReserveUse | null;
  /**
   * 0 to 100.
   */
  reservePercent?: number | null;
  resetCredits?: ResetCreditUse | null;
  strategy?: Strategy | null;
  transport?: Transport | null;
  /**
   * 0 means that a completion does not wait.
   */
  waitForResetMs?: number | null;
}
/**
 * The completion to rank the accounts for; without members, one that has no session.
 */
export interface RotationParams {
  model?: string | null;
  sessionId?: string | null;
}
/**
 * One line about the account that the next completion would use.
 */
export interface Status {
  /**
   * Id of the account that the next completion would use; absent when there is none.
   */
  account?: string | null;
  /**
   * Separators included: `text` is their texts joined by spaces.
   */
  segments: StatusSegment[];
  text: string;
  /**
   * The time that the countdowns are computed for.
   */
  updatedAt: number;
}
export interface StatusSegment {
  role: StatusRole;
  severity?: Severity | null;
  text: string;
}
export interface StatusParams {
  /**
   * The session whose account to show; when absent, the session of the last completion.
   */
  sessionId?: string | null;
}
export interface Suggestion {
  /**
   * What to show for it.
   */
  label: string;
  /**
   * The whole line after `/multicodex`, completed with this suggestion.
   */
  value: string;
}
export interface Suggestions {
  items: Suggestion[];
}
export interface TokenAnswer {
  /**
   * A secret.
   */
  accessToken: string;
  /**
   * Account id.
   */
  account: string;
  expiresAt: number;
  /**
   * Send it as `chatgpt-account-id`.
   */
  workspaceId?: string | null;
}
export interface TokenParams {
  /**
   * An account's id, label or e-mail; the account that rotation would use now when absent.
   */
  account?: string | null;
  /**
   * How long the token must still be valid; five minutes when absent. More than the life of a new token means: refresh
   * once and answer the newest.
   */
  minValidMs?: number | null;
}
export interface VerifyAnswer {
  checks: Check[];
  status: CheckStatus;
}
export interface VerifyParams {
  /**
   * Whether to ask upstream, too, with the present tokens; it refreshes none.
   */
  online?: boolean | null;
}
