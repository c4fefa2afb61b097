--- The options and their defaults.
local M = {
  --- The sidecar; by default $MULTICODEX_BIN, then `multicodex` on PATH.
  ---@type string|nil
  binary = nil,
  --- Further flags of `multicodex serve`.
  ---@type string[]
  args = {},
  --- Whether a login opens the browser of this machine.
  open_browser = true,
  --- How long completion on the command line waits for the sidecar, in milliseconds.
  suggest_timeout = 1000,
}

local KNOWN = { binary = "string", args = "table", open_browser = "boolean", suggest_timeout = "number" }

---@param given table|nil
function M.set(given)
  for name, value in pairs(given or {}) do
    if not KNOWN[name] then
      error(("multicodex: there is no option %q; see :help multicodex-options"):format(name), 0)
    end
    if type(value) ~= KNOWN[name] then
      error(("multicodex: the option %s is a %s"):format(name, KNOWN[name]), 0)
    end
    M[name] = value
  end
end

return M
