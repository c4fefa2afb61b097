--- Shows what the sidecar answers.
local M = {}

local LEVELS = { info = vim.log.levels.INFO, warning = vim.log.levels.WARN, error = vim.log.levels.ERROR }
local BORDERS = { info = "Comment", warning = "DiagnosticWarn", error = "DiagnosticError" }
local KEEP_FREE = 4

---@type integer|nil
local window

---@param text string
---@param level "info"|"warning"|"error"
function M.tell(text, level)
  vim.notify(text, LEVELS[level], { title = "multicodex" })
end

local function close()
  if window and vim.api.nvim_win_is_valid(window) then
    vim.api.nvim_win_close(window, true)
  end
  window = nil
end

--- Shows one line as a message, and more lines in a window that `q` closes.
---@param texts string[]
---@param level "info"|"warning"|"error"
function M.show(texts, level)
  local lines = vim.split(table.concat(texts, "\n"), "\n", { trimempty = true })
  if #lines == 0 then
    return
  end
  if #lines == 1 then
    return M.tell(lines[1], level)
  end
  close()
  local width = 1
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  width = math.min(width, vim.o.columns - KEEP_FREE)
  local height = 0
  for _, line in ipairs(lines) do
    height = height + math.max(1, math.ceil(vim.fn.strdisplaywidth(line) / width))
  end
  height = math.max(1, math.min(height, vim.o.lines - KEEP_FREE))

  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].filetype = "multicodex"
  for _, key in ipairs({ "q", "<Esc>" }) do
    vim.keymap.set("n", key, close, { buffer = buffer, nowait = true })
  end
  window = vim.api.nvim_open_win(buffer, true, {
    relative = "editor",
    style = "minimal",
    border = "rounded",
    width = width,
    height = height,
    row = math.floor((vim.o.lines - height) / 2) - 1,
    col = math.floor((vim.o.columns - width) / 2),
  })
  vim.wo[window].winhighlight = "NormalFloat:Normal,FloatBorder:" .. (BORDERS[level] or BORDERS.info)
  vim.wo[window].wrap = true
end

return M
