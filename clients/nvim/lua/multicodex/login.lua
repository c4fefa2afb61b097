--- Logins: the address, the browser, and the address that is pasted when the browser is on another machine.
local client = require("multicodex.client")
local options = require("multicodex.options")
local view = require("multicodex.view")

local M = {}

---@param err multicodex.Error
local function refused(err)
  local hint = err.data and err.data.hint
  view.show({ err.message, hint }, "error")
end

---@param started table
local function ask_for_address(started)
  vim.ui.input({ prompt = "Address that the browser ended at (empty when it says it is done): " }, function(input)
    if not input or input == "" then
      return
    end
    client.request("login/submit", { loginId = started.loginId, input = input }, function(err)
      if err then
        refused(err)
      end
    end)
  end)
end

---@param method "login"|"reauth"
---@param params table
function M.begin(method, params)
  params.open = options.open_browser
  client.request(method, params, function(err, started)
    if err then
      return refused(err)
    end
    local lines = { started.opened and "A browser was opened at" or "Open this address in a browser:", started.url }
    if started.userCode then
      lines[#lines + 1] = "and type this code there: " .. started.userCode
    end
    if vim.fn.has("clipboard") == 1 then
      vim.fn.setreg("+", started.url)
      lines[#lines + 1] = "(It is on the clipboard, too.)"
    end
    view.show(lines, "info")
    if not started.opened and not started.userCode then
      ask_for_address(started)
    end
  end)
end

return M
