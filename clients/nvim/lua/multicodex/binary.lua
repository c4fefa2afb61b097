--- Finds the binary of the sidecar.
local options = require("multicodex.options")

local M = {}

local HOW_TO_GET_IT = "Install it from a checkout of multicodex with `cargo install --locked --path .`"

--- Returns the first of: the option, $MULTICODEX_BIN, `multicodex` on PATH. A program that is named and cannot be run
--- is an error; nothing else is tried.
---@return string|nil path
---@return string|nil why_not
function M.find()
  local named, by = options.binary, "the option `binary`"
  if not named then
    named, by = vim.env.MULTICODEX_BIN, "$MULTICODEX_BIN"
  end
  if named and named ~= "" then
    local path = vim.fn.exepath(vim.fn.expand(named))
    if path == "" then
      return nil, ("%s, named by %s, is not a program that can be run. %s."):format(named, by, HOW_TO_GET_IT)
    end
    return path
  end
  local path = vim.fn.exepath("multicodex")
  if path == "" then
    return nil,
      ("The multicodex sidecar is not on PATH. %s, or name it: option `binary`, or $MULTICODEX_BIN."):format(
        HOW_TO_GET_IT
      )
  end
  return path
end

return M
