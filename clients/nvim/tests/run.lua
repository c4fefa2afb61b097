-- The plugin in a real Neovim with the real sidecar:
--
--   clients/with-simulator nvim --headless -u NONE -i NONE --cmd 'set rtp^=clients/nvim' -S clients/nvim/tests/run.lua

local multicodex = require("multicodex")
vim.cmd("runtime plugin/multicodex.lua")
multicodex.setup({ open_browser = false })

local PATIENCE_MS = 60000
local told = {}
vim.notify = function(text, level)
  table.insert(told, { text = text, level = level })
end

local function until_true(what, condition)
  assert(vim.wait(PATIENCE_MS, condition, 10), "waited in vain for " .. what)
end

local function until_told(pattern)
  local found
  until_true("a message like " .. pattern, function()
    for at, message in ipairs(told) do
      if message.text:find(pattern) then
        found = table.remove(told, at)
        return true
      end
    end
  end)
  return found
end

local function equal(expected, found)
  assert(
    vim.deep_equal(expected, found),
    ("expected %s, found %s"):format(vim.inspect(expected), vim.inspect(found))
  )
end

local function contains(text, part)
  assert(text:find(part, 1, true), ("no %q in %s"):format(part, text))
end

local function request(method, params)
  local err, result = multicodex.request_sync(method, params, PATIENCE_MS)
  assert(not err, vim.inspect(err))
  return result
end

local function simulator(what, body)
  local command = { "curl", "-sS", "--fail-with-body", vim.env.SIMULATOR .. "/" .. what }
  if body then
    vim.list_extend(command, { "-d", vim.json.encode(body) })
  end
  local answer = vim.fn.system(command)
  assert(vim.v.shell_error == 0, answer)
  return vim.json.decode(answer)
end

local function window_lines()
  local buffer
  until_true("a window", function()
    buffer = vim.api.nvim_win_get_buf(0)
    return vim.bo[buffer].filetype == "multicodex"
  end)
  local lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
  vim.api.nvim_feedkeys("q", "x", false)
  equal("", vim.bo.filetype)
  return lines
end

local HELLO = { request = { model = "gpt-6.1-sol", input = { { role = "user", content = "Hello" } } } }

local tests = {
  {
    "the command line is completed by the sidecar",
    function()
      equal({ "use" }, vim.fn.getcompletion("Multicodex us", "cmdline"))
      equal({ "ada@example.com" }, vim.fn.getcompletion("Multicodex use ad", "cmdline"))
      equal({ "manual", "quota", "all" }, vim.fn.getcompletion("Multi reset ", "cmdline"))
      equal({ "quota" }, require("multicodex.suggest").complete("q", "silent Multicodex reset q", 25))
      request("accounts/label", { account = "cleo@example.com", label = "Cleo at work" })
      equal({ '"Cleo at work"' }, vim.fn.getcompletion("Multicodex use cl", "cmdline"))
      equal({ 'work"' }, vim.fn.getcompletion('Multicodex use "Cleo at wo', "cmdline"))
      request("accounts/label", { account = "Cleo at work", label = "cleo@example.com" })
    end,
  },
  {
    "one line of an answer is a message, more are a window",
    function()
      vim.cmd("Multicodex use ada@example.com")
      equal(vim.log.levels.INFO, until_told("now using ada@example.com").level)
      vim.cmd("Multicodex accounts")
      local lines = window_lines()
      equal(4, #lines)
      contains(lines[2], "ada@example.com")
      vim.cmd("Multicodex usee")
      contains(table.concat(window_lines(), "\n"), "did you mean")
    end,
  },
  {
    "an account is chosen from a list",
    function()
      local select = vim.ui.select
      vim.ui.select = function(accounts, options, chosen)
        equal("ada@example.com (active)", options.format_item(accounts[1]))
        equal("bob@example.com", options.format_item(accounts[2]))
        chosen(accounts[2])
      end
      vim.cmd("Multicodex use")
      until_told("now using bob@example.com")
      vim.ui.select = select
      vim.cmd("Multicodex reset manual")
      until_told("the pin was cleared")
    end,
  },
  {
    "the status line shows the account and what is left",
    function()
      vim.cmd("Multicodex use cleo@example.com")
      until_told("now using cleo@example.com")
      local drawn
      until_true("a status", function()
        drawn = vim.api.nvim_eval_statusline(multicodex.statusline(), { highlights = true })
        return drawn.str:find("cleo@example.com .*88%%")
      end)
      local groups = {}
      for _, highlight in ipairs(drawn.highlights) do
        groups[highlight.group] = true
      end
      equal(true, groups.MulticodexSuccess)
      equal(multicodex.status().text, drawn.str)
    end,
  },
  {
    "a completion is streamed, and rotates",
    function()
      request("reset", { scope = "all" })
      simulator("behaviour", { behaviour = "usage_limit", when = { next = 1 } })
      local types, text = {}, ""
      multicodex.complete(HELLO, function(notice)
        if types[#types] ~= notice.type then
          table.insert(types, notice.type)
        end
        if notice.type == "event" and notice.event.type == "response.output_text.delta" then
          text = text .. notice.event.delta
        end
      end)
      until_true("its end", function()
        return types[#types] == "done"
      end)
      equal({ "rotated", "accepted", "event", "done" }, types)
      contains(text, "Hello")
    end,
  },
  {
    "the mistake of one callback costs no other its answer",
    function()
      local answered
      multicodex.request("paths", nil, function()
        error("a mistake")
      end)
      multicodex.request("paths", nil, function(_, paths)
        answered = paths
      end)
      until_true("the second answer", function()
        return answered
      end)
      until_told("a mistake")
    end,
  },
  {
    "a completion is aborted",
    function()
      simulator("behaviour", {
        behaviour = { stream = { spoken = { deltas = { count = 1000, size = 4 } }, pace = { each_ms = 200 } } },
      })
      local last
      local cancel = multicodex.complete(HELLO, function(notice)
        last = notice
      end)
      until_true("an event", function()
        return last and last.type == "event"
      end)
      cancel()
      until_true("its end", function()
        return last.type == "cancelled"
      end)
      -- And before it has an id.
      multicodex.complete(HELLO, function(notice)
        last = notice
      end)()
      until_true("its end", function()
        return last.type == "cancelled"
      end)
      simulator("behaviour", { behaviour = "normal" })
    end,
  },
  {
    "a login, with the browser on another machine",
    function()
      simulator("visitor", { account = "bob" })
      local input = vim.ui.input
      local paste
      vim.ui.input = function(_, given)
        paste = given
      end
      vim.cmd("Multicodex reauth bob@example.com")
      local lines = window_lines()
      equal("Open this address in a browser:", lines[1])
      -- The page sends the browser to an address that it cannot open there.
      local ended_at = vim.fn.system({ "curl", "-sS", "-o", "/dev/null", "-w", "%{redirect_url}", lines[2] })
      until_true("the question", function()
        return paste
      end)
      paste("nonsense with spaces")
      equal(vim.log.levels.ERROR, until_told("no code in it").level)
      paste(ended_at)
      until_told("Logged in")
      vim.ui.input = input
    end,
  },
  {
    "a death is told once, and the next request works",
    function()
      local pids = vim.fn.tempname()
      local wrapper = vim.fn.tempname()
      vim.fn.writefile({
        "#!/bin/sh",
        ('echo $$ >> "%s"; exec "%s" "$@"'):format(pids, vim.env.MULTICODEX_BIN),
      }, wrapper)
      vim.fn.setfperm(wrapper, "rwx------")
      multicodex.stop()
      multicodex.setup({ binary = wrapper })
      request("paths")
      told = {}
      simulator("behaviour", { behaviour = "hang" })
      local last
      multicodex.complete(HELLO, function(notice)
        last = notice
      end)
      until_true("the request", function()
        for _, logged in ipairs(simulator("log")) do
          if logged.route == "responses" and logged["end"] == "open" then
            return true
          end
        end
      end)
      vim.loop.kill(tonumber(vim.fn.readfile(pids)[1]), "sigkill")
      until_told("ended unexpectedly %(killed by signal 9%)")
      equal("sidecar_gone", last.error.kind)
      contains(request("paths").accountsFile, "codex-accounts.json")
      equal(2, #vim.fn.readfile(pids))
      equal({}, told)
      simulator("behaviour", { behaviour = "normal" })
    end,
  },
  {
    "what cannot be started says why",
    function()
      multicodex.stop()
      multicodex.setup({ binary = "/nowhere/multicodex" })
      vim.cmd("Multicodex accounts")
      contains(until_told("named by the option").text, "cargo install")
      equal({}, vim.fn.getcompletion("Multicodex us", "cmdline"))
      multicodex.setup({ binary = vim.env.MULTICODEX_BIN, args = { "--frobnicate" } })
      vim.cmd("Multicodex accounts")
      contains(table.concat(window_lines(), "\n"), "frobnicate")
      multicodex.stop()
      local chatty = vim.fn.tempname()
      vim.fn.writefile({ "#!/bin/sh", "echo Welcome!", "exec cat >/dev/null" }, chatty)
      vim.fn.setfperm(chatty, "rwx------")
      multicodex.setup({ binary = chatty, args = {} })
      vim.cmd("Multicodex accounts")
      until_told("not its protocol: Welcome!")
      multicodex.stop()
      local old = [[read -r line; id=$(expr "$line" : '.*"id": *\([0-9]*\)'); ]]
        .. [[echo '{"jsonrpc":"2.0","id":'$id',"result":]]
        .. [[{"protocolVersion":0,"server":{"name":"multicodex","version":"0.0.9"}}}'; exec cat >/dev/null]]
      vim.fn.writefile({ "#!/bin/sh", old }, chatty)
      vim.cmd("Multicodex accounts")
      until_told("multicodex 0.0.9 with version 0 .* needs version 1. Install a newer")
      multicodex.stop()
      multicodex.setup({ binary = vim.env.MULTICODEX_BIN })
      equal(false, pcall(multicodex.setup, { binray = "" }))
      equal(false, pcall(multicodex.setup, { args = "--log debug" }))
      told = {}
    end,
  },
  {
    "the health check asks the sidecar",
    function()
      vim.cmd("checkhealth multicodex")
      local report = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
      contains(report, "is multicodex ")
      contains(report, "files, accounts and tokens")
      assert(not report:find("ERROR"), report)
      vim.cmd("bwipeout!")
      multicodex.stop()
      multicodex.setup({ binary = "/nowhere/multicodex" })
      vim.cmd("checkhealth multicodex")
      report = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
      contains(report, "ERROR")
      contains(report, "cargo install")
      vim.cmd("bwipeout!")
      multicodex.setup({ binary = vim.env.MULTICODEX_BIN })
    end,
  },
  {
    "the sidecar ends with Neovim",
    function()
      local pid = vim.fn.tempname()
      local wrapper = vim.fn.tempname()
      vim.fn.writefile({ "#!/bin/sh", ('echo $$ > "%s"; exec "%s" "$@"'):format(pid, vim.env.MULTICODEX_BIN) }, wrapper)
      vim.fn.setfperm(wrapper, "rwx------")
      vim.fn.system({
        "nvim",
        "--headless",
        "-u",
        "NONE",
        "-i",
        "NONE",
        "--cmd",
        "set rtp^=" .. vim.fn.fnameescape(vim.api.nvim_list_runtime_paths()[1]),
        "-c",
        ("lua require('multicodex').setup({ binary = '%s' })"):format(wrapper),
        "-c",
        "lua require('multicodex').request_sync('paths', nil, 60000)",
        "-c",
        "qa!",
      })
      until_true("its end", function()
        -- One that no one has asked after may still be listed, as a Z.
        local state = vim.trim(vim.fn.system({ "ps", "-o", "stat=", "-p", vim.fn.readfile(pid)[1] }))
        return state == "" or vim.startswith(state, "Z")
      end)
    end,
  },
  {
    "the help file has its tags",
    function()
      local doc = vim.api.nvim_list_runtime_paths()[1] .. "/doc"
      local copy = vim.fn.tempname()
      vim.fn.mkdir(copy .. "/doc", "p")
      vim.fn.writefile(vim.fn.readfile(doc .. "/multicodex.txt"), copy .. "/doc/multicodex.txt")
      vim.cmd("helptags " .. copy .. "/doc")
      vim.opt.runtimepath:append(copy)
      for _, tag in ipairs({ "multicodex", ":Multicodex", "multicodex-options", "multicodex-statusline" }) do
        vim.cmd("help " .. tag)
        equal("help", vim.bo.filetype)
      end
      vim.cmd("bwipeout!")
    end,
  },
}

local wanted = vim.env.TEST
local failed = 0
for _, test in ipairs(tests) do
  if not wanted or test[1]:find(wanted, 1, true) then
    local passed, why = xpcall(test[2], debug.traceback)
    io.stdout:write((passed and "ok      " or "FAILED  ") .. test[1] .. "\n")
    if not passed then
      failed = failed + 1
      io.stdout:write(why .. "\n" .. vim.inspect(told) .. "\n")
    end
  end
end
vim.cmd(failed == 0 and "qa!" or "cq")
