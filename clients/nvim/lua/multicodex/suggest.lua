--- Completion of `:Multicodex`; the sidecar suggests commands and accounts.
local client = require("multicodex.client")
local options = require("multicodex.options")

local M = {}

--- The sidecar suggests whole lines; the command line needs the part that replaces its last word.
---@param word string
---@param line string
---@param position integer
---@return string[]
function M.complete(word, line, position)
  -- Modifiers come before the command's name, which may be abbreviated; only the name has a capital.
  local typed = line:sub(1, position):gsub("^.-%f[%a]M%a*%s+", "", 1)
  local kept = typed:sub(1, #typed - #word)
  local err, answer = client.request_sync("command/suggest", { line = typed }, options.suggest_timeout)
  if err then
    return {}
  end
  local words = {}
  for _, item in ipairs(answer.items) do
    if item.value:sub(1, #kept):lower() == kept:lower() then
      words[#words + 1] = item.value:sub(#kept + 1)
    end
  end
  return words
end

return M
