// Generated from schema/multicodex.schema.json by scripts/generate.mjs: do not edit, run `npm run generate`.

/** What each method takes and answers. */
export interface Methods {
  "accounts": { params: AccountsParams; result: AccountList };
  "accounts/disable": { params: AccountParams; result: AccountAnswer };
  "accounts/enable": { params: AccountParams; result: AccountAnswer };
  "accounts/import": { params: ImportParams; result: ImportAnswer };
  "accounts/label": { params: LabelParams; result: AccountAnswer };
  "accounts/remove": { params: AccountParams; result: Removed };
  "accounts/token": { params: TokenParams; result: TokenAnswer };
  "accounts/use": { params: AccountParams; result: AccountAnswer };
  "command": { params: CommandParams; result: CommandAnswer };
  "command/suggest": { params: CommandParams; result: Suggestions };
  "complete": { params: CompleteParams; result: string };
  "complete/cancel": { params: CancelComplete; result: boolean };
  "complete/collect": { params: CompleteParams; result: Collected };
  "footer": { params: NoParams; result: Footer };
  "footer/set": { params: FooterChange; result: Footer };
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
export type CommandLevel = ("info" | "warning") | "error";
/**
 * Why a request failed; the name on the wire is stable.
 */
export type ErrorKind =
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
  | "storage";
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
  | "usage_unavailable";
export type ImportSource = "pi" | "codex";
/**
 * The `result` of one `complete` notification. A completion sends, in this order: `rotated` zero or more times,
 * `accepted` at most once, `event` for each upstream event, and exactly one of `done`, `error` and `cancelled`.
 */
export type Notice =
  RotatedNotice | AcceptedNotice | EventNotice | DoneNotice | ErrorNotice | CancelledNotice;
export type Outcome = "completed" | "incomplete";
export type ResetScope = "all" | "manual" | "quota";
export type Strategy = "reset-first" | "least-used" | "round-robin" | "priority";
export type Severity = ("success" | "unknown") | "notice" | "warning" | "error";
export type StatusRole = ("account" | "separator") | "brand" | "window" | "reset" | "notice";

/**
 * One signed-in account.
 */
export interface Account {
  /**
   * What rotation would use now for a completion without a session.
   */
  active: boolean;
  /**
   * After transient failures the account ranks last until then; its state stays `ready`.
   */
  backoffUntil?: number | null;
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
   * Owned by pi's auth.json.
   */
  linked: boolean;
  pinned: boolean;
  /**
   * As upstream names it, e.g. `plus`; unknown names occur.
   */
  plan?: string | null;
  /**
   * Why it is not ready, or why it is backed off.
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
 * What is known about an account's usage. Its parts come by different ways, so each bears its own time and source;
 * those of the whole belong to `windows` and `reached`.
 */
export interface Usage {
  credits?: Credits | null;
  fetchedAt: number;
  limits?: AdditionalLimit[];
  /**
   * What upstream calls the limit that was reached, e.g. `workspace_member_credits_depleted`; any text may come.
   */
  reached?: string | null;
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
 * When and from where a part was learned.
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
 * A limit of its own beside the main one, e.g. of one model. Its cooldown binds only completions that meet it.
 */
export interface AdditionalLimit {
  /**
   * When the account may be used for it again.
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
   * From the length: `5h`, `7d`, `30d`, …
   */
  name: string;
  resetsAt?: number | null;
  usedPercent: number;
  windowMinutes: number;
}
/**
 * How often the user may have the limits reset, at chatgpt.com.
 */
export interface ResetCredits {
  available: number;
  fetchedAt: number;
  source: UsageSource;
  /**
   * Older than five minutes.
   */
  stale: boolean;
}
/**
 * The account's own limit on spending. Amounts are texts of upstream.
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
   * In the file's order, which is stable.
   */
  accounts: Account[];
  /**
   * Id of the account that rotation would use now.
   */
  active?: string | null;
  pinned?: string | null;
  /**
   * Grows with every change, within one process.
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
   * Also those that upstream cut short.
   */
  completed: number;
  failed: number;
  rotated: number;
  tokens: TokenCount;
}
/**
 * As upstream counted them.
 */
export interface TokenCount {
  /**
   * Of `input`, how many came from upstream's cache.
   */
  cached: number;
  input: number;
  output: number;
}
/**
 * Accounts changed in a way that a client could see. A burst of changes yields one notification.
 */
export interface AccountsChanged {
  active?: string | null;
  pinned?: string | null;
  reason: ChangeReason;
  revision: number;
}
export interface AccountsParams {
  /**
   * Ask upstream for the usage of every account first.
   */
  refreshUsage?: boolean | null;
}
/**
 * One account was asked for one completion.
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
   * From the beginning of the attempt to the first event handed on.
   */
  firstEventMs?: number | null;
  model?: string | null;
  outcome: AttemptOutcome;
  /**
   * One of the kinds of section "Kinds" in `schema/protocol.md`, or `deadline`.
   */
  reason?: string | null;
  tokens?: TokenCount | null;
  totalMs: number;
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
   * How upstream is spoken to; `sse` so far.
   */
  transports: string[];
}
export interface LoginCapability {
  /**
   * Login flows on offer: `browser`, `device`.
   */
  flows: LoginFlow[];
}
export interface Check {
  /**
   * Account id, of the checks that there are for each account.
   */
  account?: string | null;
  /**
   * The next step; whenever the status is not `pass`.
   */
  hint?: string | null;
  id: CheckId;
  message: string;
  status: CheckStatus;
}
export interface ClientInfo {
  /**
   * Becomes the `originator` and opens the User-Agent upstream.
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
  dropped?: string[];
  /**
   * As in `done`.
   */
  reasoningDropped?: ReasoningDropped | null;
  /**
   * The terminal `response` object, raw.
   */
  response: {
    [k: string]: unknown;
  };
  usage?: {
    [k: string]: unknown;
  } | null;
}
/**
 * Items of reasoning that upstream removed from the input of a response, by the reason that it gave. What is normal
 * (`turn_boundary`) is not counted.
 */
export interface ReasoningDropped {
  /**
   * Left out by the sidecar, because upstream refused the encrypted content of another account.
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
   * What came before it in the conversation was edited.
   */
  prefixMismatch?: number | null;
}
export interface CommandAnswer {
  level: CommandLevel;
  /**
   * For people. None is empty, and none is wider than 80 columns unless it quotes something that is.
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
   * Only this account, no rotation: id, label or e-mail.
   */
  account?: string | null;
  /**
   * The whole completion, all attempts included. No limit when absent.
   */
  deadlineMs?: number | null;
  /**
   * For upstream; allow-listed (see `schema/protocol.md`).
   */
  headers?: {
    [k: string]: string;
  } | null;
  /**
   * Longest silence of upstream; 300000 when absent.
   */
  idleTimeoutMs?: number | null;
  /**
   * An OpenAI Responses body, passed on byte for byte. `stream: true` and `store: false` are set when absent.
   */
  request: {
    [k: string]: unknown;
  };
  /**
   * Affinity key; also `prompt_cache_key` when the body has none.
   */
  sessionId?: string | null;
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
   * Upstream's last answer, unchanged up to its cap of 64 KiB.
   */
  body?: string | null;
  bodyTruncated?: boolean;
  /**
   * Labels (not found) or ids (ambiguous) to choose from.
   */
  candidates?: string[] | null;
  /**
   * What the last attempt failed with, by the kinds of `complete`'s `error`.
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
   * The field that is wrong, e.g. `request.store`.
   */
  path?: string | null;
  retryAt?: number | null;
  /**
   * The same request may succeed later without anyone doing anything.
   */
  retryable: boolean;
  /**
   * Upstream's HTTP status.
   */
  status?: number | null;
}
/**
 * Why a completion failed. `status` and `body` are upstream's last answer, so that a client can map it as if it had
 * spoken to upstream itself.
 */
export interface Failed {
  account?: string | null;
  /**
   * How every account stands, when none could be used.
   */
  accounts?: AccountStanding[] | null;
  /**
   * Accounts tried.
   */
  attempts: number;
  /**
   * At most 64 KiB.
   */
  body?: string | null;
  bodyTruncated?: boolean;
  code?: string | null;
  /**
   * What to do, when none could be used.
   */
  hint?: string | null;
  kind: string;
  message: string;
  phase: Phase;
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
 * What is absent stays as it is.
 */
export interface FooterChange {
  order?: FooterOrder | null;
  resetWindow?: ResetWindow | null;
  showAccount?: boolean | null;
  showReset?: boolean | null;
  usageMode?: UsageMode | null;
}
export interface HistoryAnswer {
  /**
   * One row for each account that was tried within `days`, the busiest first.
   */
  accounts: AccountTally[];
  /**
   * Of all sidecars of this user, the latest first.
   */
  attempts: Attempt[];
  /**
   * One row for each day on which something was tried, the latest first.
   */
  days: DayTally[];
}
export interface HistoryParams {
  /**
   * Only of this account: id, label or e-mail.
   */
  account?: string | null;
  /**
   * Over how many days, today included, the sums go; 30 when absent, 366 at most.
   */
  days?: number | null;
  /**
   * How many attempts; 50 when absent, 1000 at most. 0 for the sums alone.
   */
  limit?: number | null;
}
/**
 * Account ids, by what became of them.
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
   * Whose login; pi's when absent.
   */
  from?: ImportSource | null;
  /**
   * Another file than the usual one. What is found there becomes a copy: only pi's own file is ever written back to.
   */
  path?: string | null;
}
export interface InitializeParams {
  client?: ClientInfo | null;
  /**
   * Exact names of notifications not to be sent.
   */
  optOutNotifications?: string[] | null;
  /**
   * A newer one than the server's is answered with the server's own.
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
   * Unique case-insensitively, not blank.
   */
  label: string;
}
export interface LoginCancelled {
  /**
   * False when it is unknown, has ended, or is being stored already.
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
 * As `login/wait` answers it.
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
   * What a new account is to be called; its e-mail when absent. Not blank.
   */
  label?: string | null;
  /**
   * Open the user's browser.
   */
  open?: boolean | null;
}
/**
 * A login under way.
 */
export interface LoginStarted {
  /**
   * Id of the account that `reauth` renews; absent for `login`.
   */
  account?: string | null;
  /**
   * When it fails with `login_expired`.
   */
  expiresAt: number;
  flow: LoginFlow;
  /**
   * Within this connection.
   */
  loginId: string;
  /**
   * Whether a browser could be started; only when `open` was asked for.
   */
  opened?: boolean | null;
  /**
   * To be opened in a browser.
   */
  url: string;
  /**
   * To be typed there; only of the device flow.
   */
  userCode?: string | null;
}
export interface LoginSubmitParams {
  /**
   * The address the browser ended up at, `code#state`, or the bare code.
   */
  input: string;
  loginId: string;
}
/**
 * Params of methods that take none; members that a client sends all the same are ignored.
 */
export interface NoParams {}
/**
 * An attempt failed before any output. `to` is absent when no account takes over (yet).
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
  status: number;
  type: "accepted";
}
/**
 * One upstream event, raw.
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
   * Members of the request that upstream refuses and that were left out: `max_output_tokens`.
   */
  dropped?: string[];
  outcome: Outcome;
  /**
   * Reasoning in the request that upstream removed, as after a switch of accounts. Absent when none was.
   */
  reasoningDropped?: ReasoningDropped | null;
  timing: Timing;
  type: "done";
  /**
   * Upstream's own `usage` member, raw.
   */
  usage?: {
    [k: string]: unknown;
  } | null;
}
export interface Timing {
  /**
   * From the request to the first event handed on.
   */
  firstEventMs: number;
  totalMs: number;
}
/**
 * It did not end well.
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
   * Id, label or e-mail; when absent the only account that needs a login, else the active one.
   */
  account?: string | null;
  /**
   * `browser` when absent.
   */
  flow?: LoginFlow | null;
  /**
   * Open the user's browser.
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
 * Why one account could not be refreshed: what a request for it alone would have been answered.
 */
export interface RefreshError {
  /**
   * By the kinds of `complete`'s `error`.
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
   * Refresh also when the token is still good, and once more what was refused or whose answer was lost.
   */
  force?: boolean | null;
}
/**
 * One more account of a `refresh` is done.
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
   * The account that is active now.
   */
  active?: string | null;
  removed: Account;
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
   * In the order in which a completion would try the accounts now; those that it would not try come last.
   */
  order: RankedAccount[];
  /**
   * The settings in a sentence or two.
   */
  policy: string;
  settings: RotationSettings;
}
export interface RotationSettings {
  affinity: Affinity;
  /**
   * Cooldown after a usage limit when nothing says when it ends.
   */
  fallbackCooldownMs: number;
  /**
   * Accounts tried per completion; the first counts.
   */
  maxAttempts: number;
  /**
   * Of the accounts that have one; 0 for all others.
   */
  priority: AccountPriority[];
  /**
   * Accounts with less than this share of any window left are kept for when nothing else is left.
   */
  reservePercent: number;
  strategy: Strategy;
  /**
   * How long a completion waits for the first account to come back; 0 is not at all.
   */
  waitForResetMs: number;
}
/**
 * What is absent stays as it is.
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
   * Of the accounts named; the others keep theirs.
   */
  priority?: AccountPriority[] | null;
  /**
   * 0 to 100.
   */
  reservePercent?: number | null;
  strategy?: Strategy | null;
  /**
   * 0 is not to wait.
   */
  waitForResetMs?: number | null;
}
/**
 * Of which completion to tell; without members, of one that has no session.
 */
export interface RotationParams {
  model?: string | null;
  sessionId?: string | null;
}
/**
 * One line about the account in use.
 */
export interface Status {
  /**
   * Id of the account that the next completion would use; absent when there is none.
   */
  account?: string | null;
  /**
   * Separators included, so that `text` is their texts joined by spaces.
   */
  segments: StatusSegment[];
  text: string;
  /**
   * What the countdowns count from.
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
   * Of this session, instead of the one that a completion was made for last.
   */
  sessionId?: string | null;
}
export interface Suggestion {
  /**
   * What to show for it.
   */
  label: string;
  /**
   * The whole line after `/multicodex`, with this suggestion taken.
   */
  value: string;
}
export interface Suggestions {
  items: Suggestion[];
}
export interface TokenAnswer {
  /**
   * Secret.
   */
  accessToken: string;
  /**
   * Account id.
   */
  account: string;
  expiresAt: number;
  /**
   * To be sent as `chatgpt-account-id`.
   */
  workspaceId?: string | null;
}
export interface TokenParams {
  /**
   * An account's id, label or e-mail; the account that rotation would use now when absent.
   */
  account?: string | null;
  /**
   * How much longer the token has to live, five minutes when absent. Beyond the life of any token it is refreshed
   * once, and the freshest is answered.
   */
  minValidMs?: number | null;
}
export interface VerifyAnswer {
  checks: Check[];
  status: CheckStatus;
}
export interface VerifyParams {
  /**
   * Also ask upstream, with the tokens as they are: none is refreshed for it.
   */
  online?: boolean | null;
}
