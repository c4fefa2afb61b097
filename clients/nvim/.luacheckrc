std = "luajit"
read_globals = { "vim" }
globals = { "vim.g", "vim.bo", "vim.wo", "vim.opt", "vim.ui", "vim.notify" }
max_line_length = 120
