vim.cmd("colorscheme slate")
vim.o.background = "dark"
vim.o.laststatus = 2
vim.o.ruler = false
vim.o.wrap = false
vim.opt.rtp:prepend("clients/nvim")
vim.o.statusline = " %f%=%{%v:lua.require'multicodex'.statusline()%} "
