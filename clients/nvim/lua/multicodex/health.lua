--- `:checkhealth multicodex`
local binary = require("multicodex.binary")
local client = require("multicodex.client")

local M = {}

-- Neovim 0.9 and older have other names.
local health = vim.health or require("health")
local start = health.start or health.report_start
local ok = health.ok or health.report_ok
local warn = health.warn or health.report_warn
local fail = health.error or health.report_error

local TIMEOUT_MS = 20000

local function check_sidecar()
  start("multicodex: the sidecar")
  local path, why_not = binary.find()
  if not path then
    fail(why_not)
    return false
  end
  local version = vim.trim(vim.fn.system({ path, "--version" }))
  if vim.v.shell_error ~= 0 then
    fail(("%s cannot be run: %s"):format(path, version))
    return false
  end
  ok(("%s is %s"):format(path, version))
  return true
end

local function check_accounts()
  start("multicodex: files, accounts and tokens")
  local err, answer = client.request_sync("verify", nil, TIMEOUT_MS)
  if err then
    fail(err.message)
    return
  end
  for _, check in ipairs(answer.checks) do
    if check.status == "pass" then
      ok(check.message)
    else
      local report = check.status == "warn" and warn or fail
      report(check.message, { check.hint })
    end
  end
end

function M.check()
  if check_sidecar() then
    check_accounts()
  end
end

return M
