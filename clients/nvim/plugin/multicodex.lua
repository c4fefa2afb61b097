if vim.g.loaded_multicodex then
  return
end
vim.g.loaded_multicodex = true

vim.api.nvim_create_user_command("Multicodex", function(command)
  require("multicodex").command(command.args)
end, {
  nargs = "*",
  desc = "Accounts of the multicodex sidecar; without arguments, what there is",
  complete = function(word, line, position)
    return require("multicodex.suggest").complete(word, line, position)
  end,
})
