--- The account in use and what is left of its limits, in the text that the sidecar makes for all clients.
local client = require("multicodex.client")

local M = {}

local GROUPS = {
  success = { "MulticodexSuccess", "DiagnosticOk" },
  notice = { "MulticodexNotice", "DiagnosticInfo" },
  warning = { "MulticodexWarning", "DiagnosticWarn" },
  error = { "MulticodexError", "DiagnosticError" },
  unknown = { "MulticodexUnknown", "Comment" },
}

---@type table|nil
local current
local following = false

--- Returns the colours of a group, in the terminal's numbers or in RGB.
---@param name string
---@param rgb boolean
---@return { foreground: integer|nil, background: integer|nil, reverse: boolean|nil }
local function colours_of(name, rgb)
  if vim.api.nvim_get_hl then
    local group = vim.api.nvim_get_hl(0, { name = name, link = false })
    if rgb then
      return { foreground = group.fg, background = group.bg, reverse = group.reverse }
    end
    return { foreground = group.ctermfg, background = group.ctermbg, reverse = (group.cterm or {}).reverse }
  end
  -- Neovim 0.8 and older.
  local known, group = pcall(vim.api.nvim_get_hl_by_name, name, rgb)
  return known and group or {}
end

--- The colours that the level has elsewhere, on the status line's own ground. One that is the reverse of the text gets
--- them as its ground: on a light one they could not be read.
local function colour()
  local line, cterm_line = colours_of("StatusLine", true), colours_of("StatusLine", false)
  local reverse = line.reverse or cterm_line.reverse
  for _, group in pairs(GROUPS) do
    vim.api.nvim_set_hl(0, group[1], {
      fg = colours_of(group[2], true).foreground,
      bg = not reverse and line.background or nil,
      ctermfg = colours_of(group[2], false).foreground,
      ctermbg = not reverse and cterm_line.background or nil,
      reverse = reverse,
      default = true,
    })
  end
end

---@param status table
local function changed(status)
  current = status
  vim.cmd("redrawstatus!")
  vim.api.nvim_exec_autocmds("User", { pattern = "MulticodexStatus", modeline = false })
end

--- Reads the status, and the usage that the next status shows.
local function ask()
  client.request("status", nil, function(err, status)
    if not err then
      changed(status)
    end
  end)
  client.request("accounts", { refreshUsage = true }, function() end)
end

local function follow()
  if following then
    return
  end
  following = true
  colour()
  vim.api.nvim_create_autocmd("ColorScheme", {
    group = vim.api.nvim_create_augroup("multicodex-status", {}),
    callback = colour,
  })
  client.on("status/changed", changed)
  client.on("started", ask)
  -- Later, because this starts the sidecar, and a status line is being drawn now.
  vim.schedule(function()
    if client.is_running() then
      return ask()
    end
    client.start(function(err)
      if err then
        vim.notify(err.message, vim.log.levels.WARN, { title = "multicodex" })
      end
    end)
  end)
end

--- Returns the result of the method `status`, once it is known.
---@return table|nil
function M.status()
  follow()
  return current
end

--- Returns the text for 'statusline', where `%` is special, with a highlight for how much is left.
---@return string
function M.statusline()
  follow()
  if not current then
    return ""
  end
  local parts = {}
  for _, segment in ipairs(current.segments) do
    local text = segment.text:gsub("%%", "%%%%")
    local group = segment.severity and GROUPS[segment.severity]
    parts[#parts + 1] = group and ("%%#%s#%s%%*"):format(group[1], text) or text
  end
  return table.concat(parts, " ")
end

return M
