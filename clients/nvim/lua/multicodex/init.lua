--- multicodex in Neovim. See `:help multicodex`.
local client = require("multicodex.client")
local login = require("multicodex.login")
local options = require("multicodex.options")
local status = require("multicodex.status")
local view = require("multicodex.view")

local M = {
  request = client.request,
  request_sync = client.request_sync,
  complete = client.complete,
  on = client.on,
  stop = client.stop,
  status = status.status,
  statusline = status.statusline,
}

client.on("warning", function(warning)
  view.tell(warning.hint and warning.message .. "\n" .. warning.hint or warning.message, "warning")
end)

client.on("login/completed", function(login_ended)
  if login_ended.ok then
    view.tell("Logged in.", "info")
  else
    view.tell("The login failed: " .. login_ended.error.message, "error")
  end
end)

vim.api.nvim_create_autocmd("VimLeavePre", {
  group = vim.api.nvim_create_augroup("multicodex", {}),
  callback = client.stop,
})

--- Sets options. All are optional.
---@param given table|nil  See `:help multicodex-options`.
function M.setup(given)
  options.set(given)
end

---@param argument string
---@return string|nil
local function unquoted(argument)
  local text = vim.trim(argument)
  local quote = text:sub(1, 1)
  if (quote == '"' or quote == "'") and #text > 1 and text:sub(-1) == quote then
    text = text:sub(2, -2):gsub("\\(.)", "%1")
  end
  return text ~= "" and text or nil
end

---@param line string
local function run(line)
  client.request("command", { line = line }, function(err, answer)
    if err then
      view.show({ err.message }, "error")
    else
      view.show(answer.lines, answer.level)
    end
  end)
end

local function choose_account()
  client.request("accounts", nil, function(err, answer)
    if err then
      return view.show({ err.message }, "error")
    end
    vim.ui.select(answer.accounts, {
      prompt = "Use the account",
      kind = "multicodex.account",
      format_item = function(account)
        local mark = account.active and "active" or account.state ~= "ready" and account.state:gsub("_", " ") or nil
        return mark and ("%s (%s)"):format(account.label, mark) or account.label
      end,
    }, function(account)
      if account then
        client.request("accounts/use", { account = account.id }, function(refused, used)
          view.tell(refused and refused.message or "now using " .. used.account.label, refused and "error" or "info")
        end)
      end
    end)
  end)
end

--- Runs `:Multicodex {line}`.
---@param line string
function M.command(line)
  local word, argument = line:match("^%s*(%S*)%s*(.-)%s*$")
  if word == "login" then
    login.begin("login", { label = unquoted(argument) })
  elseif word == "reauth" then
    login.begin("reauth", { account = unquoted(argument) })
  elseif word == "use" and argument == "" then
    choose_account()
  else
    run(line)
  end
end

return M
