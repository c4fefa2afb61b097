;;; init.el --- How Emacs looks in the picture  -*- lexical-binding: t; -*-

;;; Code:

(require 'multicodex)

(menu-bar-mode -1)
(setq inhibit-startup-screen t
      frame-background-mode 'dark)
(frame-set-background-mode (selected-frame))
(setq-default truncate-lines t
              mode-line-format '(" " mode-line-buffer-identification "   " mode-line-misc-info))
(set-face-attribute 'mode-line nil :background "brightblack" :foreground "white" :inverse-video nil)
(set-face-attribute 'mode-line-inactive nil :background "black" :foreground "white" :inverse-video nil)
(multicodex-mode 1)
(find-file "README.md")
(add-hook 'window-setup-hook
          (lambda ()
            (multicodex-accounts)
            (window-resize nil (- 8 (window-height)))))

;;; init.el ends here
