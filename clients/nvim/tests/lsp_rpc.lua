-- Neovim's own JSON-RPC, which frames by Content-Length, with the real sidecar:
--
--   clients/with-simulator nvim --headless -u NONE -i NONE -S clients/nvim/tests/lsp_rpc.lua

local function run()
  local types, ended = {}, false
  local dispatchers = {
    notification = function(method, params)
      if method == "complete" and types[#types] ~= params.result.type then
        table.insert(types, params.result.type)
      end
    end,
    on_exit = function(code)
      ended = code
    end,
  }
  local binary = vim.env.MULTICODEX_BIN
  local rpc
  if vim.fn.has("nvim-0.10") == 1 then
    rpc = vim.lsp.rpc.start({ binary, "serve" }, dispatchers)
  else
    rpc = vim.lsp.rpc.start(binary, { "serve" }, dispatchers)
  end
  local function ask(method, params)
    local answer
    rpc.request(method, params, function(err, result)
      answer = { err, result }
    end)
    assert(vim.wait(60000, function()
      return answer
    end, 10), "no answer to " .. method)
    assert(not answer[1], vim.inspect(answer[1]))
    return answer[2]
  end

  assert(ask("initialize", { client = { name = "vim.lsp.rpc" } }).server.name == "multicodex")
  assert(#ask("accounts", {}).accounts == 3)
  local request = { model = "gpt-6.1-sol", input = { { role = "user", content = "Hello" } } }
  assert(type(ask("complete", { request = request })) == "string")
  assert(vim.wait(60000, function()
    return types[#types] == "done"
  end, 10), vim.inspect(types))
  assert(vim.deep_equal(types, { "accepted", "event", "done" }), vim.inspect(types))
  ask("shutdown", {})
  rpc.notify("exit", {})
  assert(vim.wait(60000, function()
    return ended
  end, 10), "it does not end")
  assert(ended == 0, "exit code " .. ended)
end

local passed, why = xpcall(run, debug.traceback)
io.stdout:write(passed and "ok      vim.lsp.rpc speaks with the sidecar\n" or why .. "\n")
vim.cmd(passed and "qa!" or "cq")
