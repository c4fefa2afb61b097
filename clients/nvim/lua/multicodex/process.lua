--- A child process that writes lines. Its callbacks run on the main loop, in the order of the lines.
local uv = vim.uv or vim.loop

local M = {}

local KEPT_LOG_LINES = 20
local GRACE_MS = 500
-- The sidecar ends within two seconds of being asked to; more is for a busy machine.
local PATIENCE_MS = 5000

---@class multicodex.Process
---@field write fun(text: string)
---@field close fun()  Closes its input, and kills it when it does not end by itself.
---@field log fun(): string  The last lines of its stderr.

--- Calls `on_line` with each complete line. The chunks of a long line are joined once.
---@param on_line fun(line: string)
---@return fun(chunk: string)
local function splitter(on_line)
  local pieces = {}
  return function(chunk)
    local from = 1
    while true do
      local to = chunk:find("\n", from, true)
      if not to then
        break
      end
      pieces[#pieces + 1] = chunk:sub(from, to - 1)
      local line = table.concat(pieces)
      pieces = {}
      from = to + 1
      if line:find("%S") then
        on_line(line)
      end
    end
    pieces[#pieces + 1] = chunk:sub(from)
  end
end

---@param command string[]
---@param on_line fun(line: string)
---@param on_end fun(how: string)
---@return multicodex.Process|nil
---@return string|nil why_not
function M.start(command, on_line, on_end)
  local stdin, stdout, stderr = uv.new_pipe(false), uv.new_pipe(false), uv.new_pipe(false)
  local timer = uv.new_timer()
  local log = {}
  local handle, how, closing

  local function close_all(...)
    for _, each in ipairs({ ... }) do
      if not each:is_closing() then
        each:close()
      end
    end
  end

  local function ended()
    if not timer:is_closing() then
      close_all(timer, stdin, stdout, stderr, handle)
      vim.schedule(function()
        on_end(how)
      end)
    end
  end

  local why_not
  handle, why_not = uv.spawn(command[1], {
    args = vim.list_slice(command, 2),
    stdio = { stdin, stdout, stderr },
    hide = true,
  }, function(code, signal)
    how = signal ~= 0 and ("killed by signal %d"):format(signal) or ("exit code %d"):format(code)
    -- Its last lines may still be in the pipes, which a browser that it opened may hold.
    timer:start(GRACE_MS, 0, ended)
  end)
  if not handle then
    close_all(timer, stdin, stdout, stderr)
    return nil, ("The multicodex sidecar cannot be started: %s"):format(why_not)
  end

  local lines, draining = {}, false
  local take = splitter(function(line)
    lines[#lines + 1] = line
    if draining then
      return
    end
    draining = true
    vim.schedule(function()
      local now = lines
      lines, draining = {}, false
      for _, each in ipairs(now) do
        -- An error in one callback does not keep the lines from the others.
        local done, why = xpcall(on_line, debug.traceback, each)
        if not done then
          vim.notify(why, vim.log.levels.ERROR, { title = "multicodex" })
        end
      end
    end)
  end)
  stdout:read_start(function(_, chunk)
    if chunk then
      take(chunk)
    elseif how then
      ended()
    end
  end)
  local note = splitter(function(line)
    log[#log + 1] = line
    if #log > KEPT_LOG_LINES then
      table.remove(log, 1)
    end
  end)
  stderr:read_start(function(_, chunk)
    if chunk then
      note(chunk)
    end
  end)

  return {
    write = function(text)
      if not closing and not stdin:is_closing() then
        stdin:write(text)
      end
    end,
    close = function()
      if closing or timer:is_closing() then
        return
      end
      closing = true
      stdin:shutdown(function()
        close_all(stdin)
      end)
      timer:start(PATIENCE_MS, 0, function()
        handle:kill("sigkill")
      end)
    end,
    log = function()
      return table.concat(log, "\n")
    end,
  }
end

return M
