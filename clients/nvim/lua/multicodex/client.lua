--- JSON-RPC with the sidecar, which is started with the first request and started again when it ends unexpectedly.
local binary = require("multicodex.binary")
local options = require("multicodex.options")
local process = require("multicodex.process")

local uv = vim.uv or vim.loop

local M = {}

local FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 250, 10000
-- A sidecar that lived this long did not fail at its start.
local SETTLED_MS = 30000
-- After so many early ends in a row, only a request starts another process.
local TRIES = 5
local HANDSHAKE_MS = 30000
-- The version of the protocol that this client was written for.
local PROTOCOL_VERSION = 1

---@class multicodex.Error
---@field message string
---@field code integer|nil
---@field data table|nil

---@type multicodex.Process|nil
local running
---@type table<integer, fun(err: multicodex.Error|nil, result: any)>
local pending = {}
---@type table<string, fun(notice: table)>
local subscriptions = {}
---@type table<string, (fun(params: table))[]>
local listeners = {}
---@type (fun(err: multicodex.Error|nil))[]  Requests that wait for the next start.
local waiting = {}
local next_id, failures, started_at = 1, 0, 0
local timer, stopped

local ENDS = { done = true, error = true, cancelled = true }

---@param name string
---@param params any
local function notify(name, params)
  if name == "complete" then
    local subscriber = subscriptions[params.subscription]
    if ENDS[params.result.type] then
      subscriptions[params.subscription] = nil
    end
    if subscriber then
      subscriber(params.result)
    end
    return
  end
  for _, listener in ipairs(listeners[name] or {}) do
    listener(params)
  end
end

---@param message string
local function fail_all(message)
  local callbacks, subscribers = pending, subscriptions
  pending, subscriptions = {}, {}
  for _, callback in pairs(callbacks) do
    callback({ message = message })
  end
  for _, subscriber in pairs(subscribers) do
    subscriber({ type = "error", error = { kind = "sidecar_gone", message = message } })
  end
end

--- Ends a process that is no sidecar for this client. Only a request starts another.
---@param message string
local function give_up(message)
  local ending = running
  running, failures = nil, TRIES
  fail_all(message)
  ending.close()
end

---@param line string
local function received(line)
  local understood, message = pcall(vim.json.decode, line, { luanil = { object = true, array = true } })
  if not understood or type(message) ~= "table" then
    give_up("What the multicodex sidecar wrote is not its protocol: " .. line:sub(1, 80))
    return
  end
  if message.method then
    notify(message.method, message.params)
    return
  end
  local callback = pending[message.id]
  if callback then
    pending[message.id] = nil
    callback(message.error, message.result)
  end
end

---@param message table
local function send(message)
  message.jsonrpc = "2.0"
  running.write(vim.json.encode(message) .. "\n")
end

---@param method string
---@param params table|nil
---@param callback fun(err: multicodex.Error|nil, result: any)
---@return integer id
local function ask(method, params, callback)
  local id = next_id
  next_id = next_id + 1
  pending[id] = callback
  send({ id = id, method = method, params = params })
  return id
end

---@param ended multicodex.Process
---@param how string
local function gone(ended, how)
  if ended ~= running then
    return
  end
  running = nil
  local log = ended.log()
  local message = ("The multicodex sidecar ended unexpectedly (%s)%s"):format(how, log == "" and "." or ":\n" .. log)
  failures = uv.now() - started_at >= SETTLED_MS and 1 or failures + 1
  fail_all(message)
  if failures < TRIES then
    vim.notify(message, vim.log.levels.WARN, { title = "multicodex" })
    M.start(function() end)
  else
    vim.notify(message .. "\nIt is started again for the next request.", vim.log.levels.ERROR, { title = "multicodex" })
  end
end

---@return multicodex.Error|nil
local function start_now()
  local path, why_not = binary.find()
  if not path then
    return { message = why_not }
  end
  local command = vim.list_extend({ path, "serve" }, options.args)
  local this
  this, why_not = process.start(command, function(line)
    if this == running then
      received(line)
    end
  end, function(how)
    gone(this, how)
  end)
  if not this then
    return { message = why_not }
  end
  running, started_at = this, uv.now()
  local handshake = vim.defer_fn(function()
    if this == running then
      give_up(("%s does not answer as a multicodex sidecar does."):format(path))
    end
  end, HANDSHAKE_MS)
  local version = vim.version()
  ask("initialize", {
    client = { name = "neovim", version = ("%d.%d.%d"):format(version.major, version.minor, version.patch) },
    protocolVersion = PROTOCOL_VERSION,
  }, function(err, result)
    if not handshake:is_closing() then
      handshake:close()
    end
    if err then
      return
    end
    if result.protocolVersion < PROTOCOL_VERSION then
      local found = "%s is multicodex %s with version %d of the protocol; this client needs version %d."
      found = found:format(path, result.server.version, result.protocolVersion, PROTOCOL_VERSION)
      give_up(found .. " Install a newer multicodex.")
      return
    end
    notify("started", {})
  end)
end

---@return boolean
function M.is_running()
  return running ~= nil
end

--- Calls back when requests can be written: at once, or after the pause that follows an unexpected end.
---@param callback fun(err: multicodex.Error|nil)
function M.start(callback)
  stopped = false
  if running then
    return callback()
  end
  if failures == 0 then
    return callback(start_now())
  end
  waiting[#waiting + 1] = callback
  if timer then
    return
  end
  timer = vim.defer_fn(function()
    timer = nil
    local callbacks = waiting
    waiting = {}
    local err
    if stopped then
      err = { message = "The multicodex sidecar was stopped." }
    elseif not running then
      err = start_now()
    end
    for _, each in ipairs(callbacks) do
      each(err)
    end
  end, math.min(FIRST_PAUSE_MS * 2 ^ (failures - 1), LONGEST_PAUSE_MS))
end

--- Calls `listener` with the params of each such notification. This client adds one of its own, `started`: a process
--- has started, the first one or one that replaces another.
---@param name string
---@param listener fun(params: table)
function M.on(name, listener)
  listeners[name] = listeners[name] or {}
  table.insert(listeners[name], listener)
end

--- Sends a request. Returns a function that cancels it; the callback is called in each case.
---@param method string
---@param params table|nil
---@param callback fun(err: multicodex.Error|nil, result: any)
---@return fun() cancel
function M.request(method, params, callback)
  local id
  M.start(function(err)
    if err then
      return callback(err)
    end
    id = ask(method, params, callback)
  end)
  return function()
    if id and pending[id] and running then
      send({ method = "$/cancelRequest", params = { id = id } })
    end
  end
end

--- Sends a request and waits for the answer.
---@param method string
---@param params table|nil
---@param timeout integer  In milliseconds.
---@return multicodex.Error|nil
---@return any result
function M.request_sync(method, params, timeout)
  local answer
  local cancel = M.request(method, params, function(err, result)
    answer = { err, result }
  end)
  vim.wait(timeout, function()
    return answer ~= nil
  end, 5)
  if not answer then
    cancel()
    return { message = ("The multicodex sidecar did not answer within %d ms."):format(timeout) }
  end
  return answer[1], answer[2]
end

--- Streams a completion: `on_notice` gets each notice. The last one always has the type `done`, `error` or `cancelled`.
--- Returns a function that cancels the completion.
---@param params table
---@param on_notice fun(notice: table)
---@return fun() cancel
function M.complete(params, on_notice)
  local subscription, cancelled
  local function cancel()
    cancelled = true
    if subscription and subscriptions[subscription] and running then
      ask("complete/cancel", { subscription = subscription }, function() end)
    end
  end
  M.request("complete", params, function(err, id)
    if err then
      local data = err.data or {}
      on_notice({ type = "error", error = { kind = data.kind or "sidecar_gone", message = err.message } })
      return
    end
    subscription = id
    subscriptions[id] = on_notice
    if cancelled then
      cancel()
    end
  end)
  return cancel
end

--- Ends the sidecar. The next request starts another.
function M.stop()
  stopped = true
  local ending = running
  running, failures = nil, 0
  if ending then
    fail_all("The multicodex sidecar was stopped.")
    ending.close()
  end
end

return M
