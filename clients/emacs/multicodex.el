;;; multicodex.el --- Several ChatGPT/Codex accounts behind one sidecar  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The multicodex authors

;; Author: The multicodex authors
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: comm, tools
;; SPDX-License-Identifier: MIT OR Apache-2.0

;; This file is not part of GNU Emacs.

;;; Commentary:

;; The multicodex sidecar keeps ChatGPT/Codex accounts logged in, and moves a
;; completion to the next account when one is at its limit.  This package shows
;; and changes the accounts, and hands completions to other packages.
;;
;; - `multicodex-mode' shows the account in use, and what is left of its
;;   limits, in the mode line.
;; - `multicodex-accounts' lists the accounts; RET uses one.
;; - `multicodex' runs any command of the /multicodex family, with completion.
;; - `multicodex-request' and `multicodex-complete' are for other packages.
;;
;; The sidecar starts with the first request, and ends with Emacs.

;;; Code:

(require 'browse-url)
(require 'jsonrpc)
(require 'seq)
(require 'subr-x)
(require 'tabulated-list)

(defgroup multicodex nil
  "Several ChatGPT/Codex accounts behind one sidecar."
  :group 'comm
  :prefix "multicodex-")

(defcustom multicodex-executable nil
  "The sidecar, a program.
When nil it is the value of the environment variable MULTICODEX_BIN, else
\"multicodex\" on the variable `exec-path'."
  :type '(choice (const :tag "MULTICODEX_BIN, or on the path" nil) file))

(defcustom multicodex-arguments nil
  "Further flags of `multicodex serve'."
  :type '(repeat string))

(defcustom multicodex-open-browser t
  "Whether a login has the sidecar open a browser on this machine."
  :type 'boolean)

(defcustom multicodex-timeout 30
  "How many seconds a command waits for the sidecar."
  :type 'number)

(defface multicodex-success '((t :inherit success))
  "Much of a limit is left, or an account that is ready.")

(defface multicodex-notice '((t))
  "At most half of a limit is left.")

(defface multicodex-warning '((t :inherit warning))
  "At most a quarter of a limit is left, or an account that waits.")

(defface multicodex-error '((t :inherit error))
  "At most a tenth of a limit is left, or an account that needs its user.")

(defface multicodex-unknown '((t :inherit shadow))
  "What is left of a limit is not known.")


;;; The sidecar

(define-error 'multicodex-error "Multicodex")

(defconst multicodex--how-to-get-it
  "Install it from a checkout of multicodex with `cargo install --locked --path .'")

;; A sidecar that lived for so many seconds did not fail at its start.
(defconst multicodex--settled 30)
;; After so many early ends in a row, only a request starts another.
(defconst multicodex--tries 5)
;; How many seconds a sidecar may take to answer `initialize', and to end.
(defconst multicodex--handshake 30)
(defconst multicodex--grace 5)
;; The version of the protocol that this package was written for.
(defconst multicodex--protocol-version 1)

(defvar multicodex--connection nil
  "The connection to the sidecar, or nil.")

(defvar multicodex--subscriptions (make-hash-table :test #'equal)
  "From subscriptions to functions that take a notice.")

(defvar multicodex--failures 0
  "How many sidecars in a row ended early.")

(defvar multicodex--started-at 0
  "When the last sidecar was started.")

(defvar multicodex--revival nil
  "The timer that starts another sidecar, or nil.")

(defvar multicodex--not-before 0
  "When the next sidecar may be started, in seconds.")

(defvar multicodex--waiting nil
  "Requests that wait for the next start, the latest first.
Each is a function; its argument is nil, or why there was no start.")

(defvar multicodex-notification-functions nil
  "Functions to call with the name of a notification, a symbol, and its params.")

(defun multicodex--find-executable ()
  "Return the sidecar's file name, or signal why there is none."
  (let* ((variable (getenv "MULTICODEX_BIN"))
         (variable (unless (member variable '(nil "")) variable))
         (named (or multicodex-executable variable)))
    (cond
     ((and named (executable-find (if (file-name-directory named) (expand-file-name named) named))))
     (named
      (signal 'multicodex-error
              (list (format "%s, named by %s, is not a program that can be run.  %s"
                            named
                            (if multicodex-executable "`multicodex-executable'" "MULTICODEX_BIN")
                            multicodex--how-to-get-it))))
     ((executable-find "multicodex"))
     (t
      (signal 'multicodex-error
              (list (format "The sidecar is not on the path.  %s, or customize `multicodex-executable'"
                            multicodex--how-to-get-it)))))))

(defun multicodex--running-p ()
  "Return non-nil if there is a running sidecar."
  (and multicodex--connection (jsonrpc-running-p multicodex--connection)))

(defun multicodex--connect ()
  "Return the connection to the sidecar; start one if there is none."
  (unless (multicodex--running-p)
    (let ((command (append (list (multicodex--find-executable) "serve") multicodex-arguments)))
      (setq multicodex--started-at (float-time)
            multicodex--connection
            (apply #'make-instance 'jsonrpc-process-connection
                   :name "multicodex"
                   :process (lambda ()
                              (make-process :name "multicodex"
                                            :command command
                                            :connection-type 'pipe
                                            :coding 'utf-8-emacs-unix
                                            :noquery t
                                            :stderr (get-buffer-create "*multicodex stderr*")))
                   :notification-dispatcher #'multicodex--notified
                   :on-shutdown #'multicodex--ended
                   ;; What is logged there would hold the answers to `accounts/token', too.
                   (if (fboundp 'jsonrpc--events-buffer-config)
                       '(:events-buffer-config (:size 0 :format full))
                     '(:events-buffer-scrollback-size 0)))))
    (let* ((process (jsonrpc--process multicodex--connection))
           (late (run-at-time multicodex--handshake nil #'multicodex--give-up process
                              "The program does not answer as a sidecar does")))
      (multicodex--send "initialize"
                        `(:client (:name "emacs" :version ,emacs-version)
                          :protocolVersion ,multicodex--protocol-version)
                        (lambda (server)
                          (cancel-timer late)
                          (multicodex--welcome process server))
                        (lambda (_) (cancel-timer late)))))
  multicodex--connection)

(defun multicodex--welcome (process server)
  "Use PROCESS, whose answer to `initialize' is SERVER, unless it is too old."
  (let ((version (plist-get server :protocolVersion)))
    (if (>= version multicodex--protocol-version)
        (run-hook-with-args 'multicodex-notification-functions 'started nil)
      (multicodex--give-up
       process
       (format "%s is multicodex %s with version %d of the protocol; this package needs version %d.  %s"
               (car (process-command process)) (plist-get (plist-get server :server) :version)
               version multicodex--protocol-version "Install a newer multicodex")))))

(defun multicodex--give-up (process why)
  "Kill PROCESS, which is not a sidecar for this package: WHY.
Only a request starts another."
  (process-put process 'multicodex-why why)
  (setq multicodex--failures multicodex--tries)
  (delete-process process))

(defun multicodex--send (method params on-result on-error)
  "Send METHOD with PARAMS; ON-RESULT gets the result, or ON-ERROR the error."
  (let* ((connection multicodex--connection)
         (ended (lambda () (funcall on-error (list :message (multicodex--why-ended connection))))))
    (condition-case nil
        (jsonrpc-async-request connection (intern method) (or params (make-hash-table))
                               :success-fn on-result
                               :error-fn (lambda (failed)
                                           (if (eq (plist-get failed :code) -1)
                                               (funcall ended)
                                             (funcall on-error failed)))
                               :timeout nil)
      ;; The process ended before it was written to.
      (error (funcall ended)))))

(defun multicodex--log (connection)
  "Return the last lines that the sidecar of CONNECTION logged."
  (let* ((buffer (jsonrpc-stderr-buffer connection))
         (process (get-buffer-process buffer)))
    ;; A browser that the sidecar opened may hold the pipe, so do not wait for its end.
    (while (and process (process-live-p process) (accept-process-output process 0.5)))
    (with-current-buffer buffer
      (string-trim (replace-regexp-in-string
                    "^Process .* stderr finished$" ""
                    (buffer-substring-no-properties
                     (save-excursion (goto-char (point-max)) (line-beginning-position -20))
                     (point-max)))))))

(defun multicodex--why-ended (connection)
  "Return why the sidecar of CONNECTION ended, with the end of its log."
  (or (process-get (jsonrpc--process connection) 'multicodex-why)
      (let ((log (multicodex--log connection)))
        (concat "The sidecar ended unexpectedly" (if (string-empty-p log) "" (concat ": " log))))))

(defun multicodex--ended (connection)
  "Handle the end of the sidecar of CONNECTION."
  (when (eq connection multicodex--connection)
    (let ((why (multicodex--why-ended connection))
           (functions (hash-table-values multicodex--subscriptions)))
      (setq multicodex--connection nil
            multicodex--failures (if (>= (- (float-time) multicodex--started-at) multicodex--settled)
                                     1
                                   (1+ multicodex--failures)))
      (clrhash multicodex--subscriptions)
      (dolist (function functions)
        (multicodex--hand function `(:type "error" :error (:kind "sidecar_gone" :message ,why))))
      (setq multicodex--not-before
            (+ (float-time) (min 10 (* 0.25 (expt 2 (1- multicodex--failures))))))
      (if (>= multicodex--failures multicodex--tries)
          (message "multicodex: %s (it is started again for the next request)" why)
        (message "multicodex: %s" why)
        (when (bound-and-true-p multicodex-mode)
          (multicodex--revive-later))))))

(defun multicodex--revive-later ()
  "Start the sidecar again when the pause after its end is over."
  (unless multicodex--revival
    (setq multicodex--revival
          (run-at-time (max 0 (- multicodex--not-before (float-time))) nil #'multicodex--revive))))

(defun multicodex--revive ()
  "Start the sidecar again, and send the requests that wait for it."
  (setq multicodex--revival nil)
  (multicodex--begin-waiting
   (condition-case failed
       (progn (multicodex--connect) nil)
     (error (message "multicodex: %s" (error-message-string failed))
            (error-message-string failed)))))

(defun multicodex--begin-waiting (why-not)
  "Send the requests that wait for a start, or let them fail with WHY-NOT."
  (let ((waiting (reverse multicodex--waiting)))
    (setq multicodex--waiting nil)
    (dolist (begin waiting)
      (funcall begin why-not))))

(defun multicodex--hand (function news)
  "Call FUNCTION with NEWS.  An error in it does not disturb the connection."
  (with-demoted-errors "multicodex: %S" (funcall function news)))

(defun multicodex--notified (_connection method params)
  "Pass on the notification METHOD with PARAMS."
  (pcase method
    ('complete
     (let* ((subscription (plist-get params :subscription))
            (notice (plist-get params :result))
            (function (gethash subscription multicodex--subscriptions)))
       (when (member (plist-get notice :type) '("done" "error" "cancelled"))
         (remhash subscription multicodex--subscriptions))
       (when function (multicodex--hand function notice))))
    ('warning
     (message "multicodex: %s" (multicodex--with-hint params)))
    ('login/completed
     (if (eq (plist-get params :ok) t)
         (message "multicodex: Logged in")
       (message "multicodex: The login failed: %s" (multicodex--with-hint (plist-get params :error))))))
  (with-demoted-errors "multicodex: %S"
    (run-hook-with-args 'multicodex-notification-functions method params)))

(defun multicodex--with-hint (message)
  "Return the text of MESSAGE, which has a :message and perhaps a :hint."
  (let ((hint (or (plist-get message :hint) (plist-get (plist-get message :data) :hint))))
    (concat (plist-get message :message) (if hint (concat "; " hint) ""))))

(defun multicodex-request (method params on-result &optional on-error)
  "Ask the sidecar: METHOD, a string, with PARAMS, a plist or nil.
ON-RESULT is called with the result.  ON-ERROR is called with the error, a plist
with :code, :message and perhaps :data; without it the error is a message."
  (let* ((on-error (apply-partially
                    #'multicodex--hand
                    (or on-error
                        (lambda (failed) (message "multicodex: %s" (multicodex--with-hint failed))))))
         (begin (lambda (why-not)
                  (if why-not
                      (funcall on-error (list :message why-not))
                    (multicodex--send method params
                                      (apply-partially #'multicodex--hand on-result) on-error)))))
    (if (and (not (multicodex--running-p)) (< (float-time) multicodex--not-before))
        (progn (push begin multicodex--waiting)
               (multicodex--revive-later))
      (multicodex--connect)
      (funcall begin nil)))
  nil)

(defun multicodex-request-sync (method params)
  "Ask the sidecar: METHOD with PARAMS, and return the result.
Signal `multicodex-error' when it is refused, or takes longer than
`multicodex-timeout'."
  (let ((end (+ (float-time) multicodex-timeout))
        answer)
    (multicodex-request method params
                        (lambda (result) (setq answer (list 'result result)))
                        (lambda (failed) (setq answer (list 'failed failed))))
    (while (and (not answer) (< (float-time) end))
      (accept-process-output nil 0.05))
    (pcase answer
      (`(result ,result) result)
      (`(failed ,failed) (signal 'multicodex-error (list (multicodex--with-hint failed))))
      (_ (signal 'multicodex-error (list "The sidecar does not answer"))))))

(defun multicodex-complete (params on-notice)
  "Stream a completion with PARAMS, a plist with at least :request.
ON-NOTICE is called with each notice, a plist; the :type of the last one is
\"done\", \"error\" or \"cancelled\" in each case.  Return a function that
cancels the completion."
  (let (subscription cancelled)
    (let ((cancel (lambda ()
                    (setq cancelled t)
                    (when (and subscription (gethash subscription multicodex--subscriptions))
                      (multicodex--send "complete/cancel" `(:subscription ,subscription)
                                        #'ignore #'ignore)))))
      (multicodex-request
       "complete" params
       (lambda (id)
         (setq subscription id)
         (puthash id on-notice multicodex--subscriptions)
         (when cancelled (funcall cancel)))
       (lambda (failed)
         (funcall on-notice
                  `(:type "error" :error (:kind ,(or (plist-get (plist-get failed :data) :kind)
                                                     "sidecar_gone")
                                          :message ,(plist-get failed :message))))))
      cancel)))

(defun multicodex-stop ()
  "End the sidecar.  Another one is started for the next request."
  (interactive)
  (when multicodex--revival
    (cancel-timer multicodex--revival)
    (setq multicodex--revival nil))
  (setq multicodex--failures 0
        multicodex--not-before 0)
  (multicodex--begin-waiting "The sidecar was stopped")
  (when-let ((connection multicodex--connection))
    (setq multicodex--connection nil)
    (when (jsonrpc-running-p connection)
      (let ((process (jsonrpc--process connection)))
        (process-put process 'multicodex-why "The sidecar was stopped")
        ;; It ends by itself when its input ends.
        (process-send-eof process)
        (run-at-time multicodex--grace nil
                     (lambda () (when (process-live-p process) (delete-process process))))))
    (let ((functions (hash-table-values multicodex--subscriptions)))
      (clrhash multicodex--subscriptions)
      (dolist (function functions)
        (multicodex--hand function '(:type "error"
                                     :error (:kind "sidecar_gone" :message "The sidecar was stopped")))))))


(defun multicodex--stop-with-emacs ()
  "End the sidecar in order, before the end of Emacs."
  (when-let ((process (and (multicodex--running-p) (jsonrpc--process multicodex--connection))))
    (multicodex-stop)
    (let ((end (+ (float-time) multicodex--grace)))
      (while (and (process-live-p process) (< (float-time) end))
        (accept-process-output process 0.05)))))

(add-hook 'kill-emacs-hook #'multicodex--stop-with-emacs)


;;; The mode line

(defvar multicodex--mode-line ""
  "The account in use and what is left of its limits.")
;; The mode line shows the faces of a variable's text only if the variable is risky.
(put 'multicodex--mode-line 'risky-local-variable t)

(defconst multicodex--faces
  '(("success" . multicodex-success) ("notice" . multicodex-notice)
    ("warning" . multicodex-warning) ("error" . multicodex-error)
    ("unknown" . multicodex-unknown)))

(defun multicodex--show-status (status)
  "Show STATUS in the mode line."
  (setq multicodex--mode-line
        (concat " "
                (mapconcat (lambda (segment)
                             (let ((face (cdr (assoc (plist-get segment :severity) multicodex--faces)))
                                   (text (plist-get segment :text)))
                               (if face (propertize text 'face face) text)))
                           (plist-get status :segments) " ")))
  (force-mode-line-update t))

(defun multicodex--follow-status (name params)
  "Keep the mode line up to date with the notification NAME and its PARAMS."
  (pcase name
    ('status/changed (multicodex--show-status params))
    ('started (multicodex--ask-status))))

(defun multicodex--ask-status ()
  "Ask for the status, and for the usage, which is in the next status."
  (multicodex-request "status" nil #'multicodex--show-status)
  (multicodex-request "accounts" '(:refreshUsage t) #'ignore #'ignore))

;;;###autoload
(define-minor-mode multicodex-mode
  "Show the account in use, and what is left of its limits, in the mode line."
  :global t
  (if multicodex-mode
      (progn
        (add-hook 'multicodex-notification-functions #'multicodex--follow-status)
        (unless global-mode-string (setq global-mode-string '("")))
        (add-to-list 'global-mode-string 'multicodex--mode-line t)
        (condition-case why
            (if (multicodex--running-p) (multicodex--ask-status) (multicodex--connect))
          (multicodex-error (message "multicodex: %s" (cadr why)))))
    (remove-hook 'multicodex-notification-functions #'multicodex--follow-status)
    (setq global-mode-string (delq 'multicodex--mode-line global-mode-string)
          multicodex--mode-line "")
    (force-mode-line-update t)))


;;; Commands

(defun multicodex--show (answer)
  "Show ANSWER, the result of the method `command'."
  (let* ((lines (append (plist-get answer :lines) nil))
         (face (pcase (plist-get answer :level)
                 ("error" 'multicodex-error)
                 ("warning" 'multicodex-warning)
                 (_ 'default))))
    (if (null (cdr lines))
        (message "%s" (propertize (or (car lines) "") 'face face))
      (with-current-buffer (get-buffer-create "*multicodex*")
        (special-mode)
        (let ((inhibit-read-only t))
          (erase-buffer)
          (insert (propertize (string-join lines "\n") 'face face) "\n")
          (goto-char (point-min)))
        (display-buffer (current-buffer) '(nil (window-height . fit-window-to-buffer)))))))

(defun multicodex--suggestions (line)
  "Return the completions of LINE."
  (condition-case nil
      (mapcar (lambda (item)
                (propertize (plist-get item :value) 'multicodex-label (plist-get item :label)))
              (plist-get (multicodex-request-sync "command/suggest" `(:line ,line)) :items))
    (multicodex-error nil)))

(defun multicodex--read-line ()
  "Read a command of the /multicodex family."
  (let ((completion-extra-properties
         '(:annotation-function
           (lambda (line)
             (concat "  " (or (get-text-property 0 'multicodex-label line) ""))))))
    (minibuffer-with-setup-hook
        (lambda ()
          ;; A command has several words.
          (use-local-map (make-composed-keymap
                          (let ((map (make-sparse-keymap)))
                            (define-key map " " #'self-insert-command)
                            map)
                          (current-local-map))))
      (completing-read "multicodex: " (completion-table-dynamic #'multicodex--suggestions)))))

;;;###autoload
(defun multicodex (line)
  "Run LINE, a command of the /multicodex family such as \"use ada\"."
  (interactive (list (multicodex--read-line)))
  (multicodex-request "command" `(:line ,line) #'multicodex--show))

(defun multicodex--accounts ()
  "Return the accounts."
  (append (plist-get (multicodex-request-sync "accounts" nil) :accounts) nil))

(defun multicodex--read-account (prompt)
  "Read an account with PROMPT, and return its id."
  (let* ((accounts (mapcar (lambda (account) (cons (plist-get account :label) account))
                           (multicodex--accounts)))
         (completion-extra-properties
          (list :annotation-function
                (lambda (label)
                  (concat "  " (multicodex--state (cdr (assoc label accounts)))))))
         (label (completing-read prompt accounts nil t)))
    (plist-get (cdr (assoc label accounts)) :id)))

;;;###autoload
(defun multicodex-use (account)
  "Use ACCOUNT, an id, label or e-mail, until it reaches a limit."
  (interactive (list (multicodex--read-account "Use the account: ")))
  (multicodex-request "accounts/use" `(:account ,account)
                      (lambda (used)
                        (message "Now using %s"
                                 (plist-get (plist-get used :account) :label)))))

;;;###autoload
(defun multicodex-refresh ()
  "Renew tokens that expire, and read the usage of all accounts."
  (interactive)
  (multicodex "refresh"))

;;;###autoload
(defun multicodex-verify ()
  "Check files, tokens and accounts."
  (interactive)
  (multicodex "verify"))

;;;###autoload
(defun multicodex-login (&optional label)
  "Add an account, called LABEL or by its e-mail."
  (interactive (list (read-string "Label (empty for the e-mail): ")))
  (multicodex--begin-login "login" (unless (member label '(nil "")) (list :label label))))

;;;###autoload
(defun multicodex-reauth (account)
  "Log ACCOUNT in again."
  (interactive (list (multicodex--read-account "Log in again: ")))
  (multicodex--begin-login "reauth" (list :account account)))

(defvar multicodex--login nil
  "The login that was begun last.")

(defun multicodex--begin-login (method params)
  "Begin a login by METHOD with PARAMS, and show where to continue it."
  (multicodex-request
   method `(,@params :open ,(if multicodex-open-browser t :json-false))
   (lambda (started)
     (let ((url (plist-get started :url))
           (opened (eq (plist-get started :opened) t)))
       (setq multicodex--login (plist-get started :loginId))
       (unless opened (kill-new url))
       (multicodex--show
        `(:level "info"
          :lines (,(if opened "A browser was opened at" "Open this address in a browser (it can be yanked):")
                  ,url
                  ""
                  "If that browser is on another machine, submit the address at which it ends:"
                  "M-x multicodex-submit-login")))))))

(defun multicodex-submit-login (address)
  "Submit ADDRESS, at which the browser of a login ended."
  (interactive (list (read-string "Address that the browser ended at: ")))
  (multicodex-request "login/submit" `(:loginId ,multicodex--login :input ,address) #'ignore))


;;; The list of accounts

(defvar multicodex-accounts-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "RET") #'multicodex-accounts-use)
    (define-key map "u" #'multicodex-accounts-use)
    (define-key map "r" #'multicodex-accounts-refresh)
    (define-key map "l" #'multicodex-accounts-reauth)
    (define-key map "t" #'multicodex-accounts-toggle)
    (define-key map "k" #'multicodex-accounts-remove)
    (define-key map "+" #'multicodex-login)
    map)
  "Keys of `multicodex-accounts-mode'.")

(define-derived-mode multicodex-accounts-mode tabulated-list-mode "Multicodex"
  "The accounts of the multicodex sidecar.

\\{multicodex-accounts-mode-map}"
  (setq tabulated-list-format [("" 1 nil) ("Account" 28 t) ("Plan" 8 t) ("5h left" 8 nil) ("7d left" 8 nil)
                               ("State" 0 t)]
        tabulated-list-entries #'multicodex--rows)
  (tabulated-list-init-header))

(defun multicodex--left (account name)
  "Return what is left of the window NAME of ACCOUNT, as a cell."
  (let* ((windows (plist-get (plist-get account :usage) :windows))
         (window (seq-find (lambda (window) (equal (plist-get window :name) name)) windows))
         (used (plist-get window :usedPercent)))
    (if (not used)
        (propertize "?" 'face 'multicodex-unknown)
      (let ((left (max 0 (- 100 (round used)))))
        (propertize (format "%d%%" left)
                    'face (cond ((<= left 10) 'multicodex-error)
                                ((<= left 25) 'multicodex-warning)
                                ((<= left 50) 'multicodex-notice)
                                (t 'multicodex-success)))))))

(defun multicodex--state (account)
  "Return the state of ACCOUNT in words."
  (let* ((state (plist-get account :state))
         (until (plist-get account :cooldownUntil))
         (words (concat (string-replace "_" " " state)
                        (if (and until (equal state "cooling"))
                            (format-time-string " until %a %H:%M" (seconds-to-time (/ until 1000)))
                          "")
                        (if (eq (plist-get account :pinned) t) ", pinned" ""))))
    (propertize words 'face (pcase state
                              ("ready" 'multicodex-success)
                              ("cooling" 'multicodex-warning)
                              ("disabled" 'multicodex-unknown)
                              (_ 'multicodex-error)))))

(defun multicodex--rows ()
  "Return the rows of the list."
  (mapcar (lambda (account)
            (list (plist-get account :id)
                  (vector (if (eq (plist-get account :active) t) "*" "")
                          (plist-get account :label)
                          (or (plist-get account :plan) "")
                          (multicodex--left account "5h")
                          (multicodex--left account "7d")
                          (multicodex--state account))))
          (multicodex--accounts)))

(defun multicodex--follow-accounts (name _params)
  "Keep the list up to date with the notification NAME."
  (when (memq name '(accounts/changed started))
    ;; Later, because the list sends requests, and a message of the sidecar is being read now.
    (run-at-time 0 nil #'multicodex--redraw-accounts)))

(defun multicodex--redraw-accounts ()
  "Draw the list again, if there is one."
  (when-let ((buffer (get-buffer "*multicodex accounts*")))
    (with-current-buffer buffer
      (with-demoted-errors "%S" (tabulated-list-print t)))))

;;;###autoload
(defun multicodex-accounts ()
  "List the accounts, in a buffer that is kept up to date."
  (interactive)
  (add-hook 'multicodex-notification-functions #'multicodex--follow-accounts)
  (with-current-buffer (get-buffer-create "*multicodex accounts*")
    (multicodex-accounts-mode)
    (tabulated-list-print)
    (pop-to-buffer (current-buffer))))

(defun multicodex--account-here ()
  "Return the id of the account at point."
  (or (tabulated-list-get-id) (user-error "There is no account on this line")))

(defun multicodex-accounts-use ()
  "Use the account at point until it reaches a limit."
  (interactive)
  (multicodex-use (multicodex--account-here)))

(defun multicodex-accounts-refresh ()
  "Renew the token of the account at point if it expires, and read its usage."
  (interactive)
  (multicodex-request "refresh" `(:account ,(multicodex--account-here))
                      (lambda (_) (message "Refreshed"))))

(defun multicodex-accounts-reauth ()
  "Log the account at point in again."
  (interactive)
  (multicodex-reauth (multicodex--account-here)))

(defun multicodex-accounts-toggle ()
  "Take the account at point out of rotation, or put it back."
  (interactive)
  (let* ((id (multicodex--account-here))
         (account (seq-find (lambda (account) (equal (plist-get account :id) id)) (multicodex--accounts)))
         (disabled (equal (plist-get account :state) "disabled")))
    (multicodex-request (if disabled "accounts/enable" "accounts/disable") `(:account ,id) #'ignore)))

(defun multicodex-accounts-remove ()
  "Remove the account at point, after asking."
  (interactive)
  (let ((id (multicodex--account-here)))
    (when (yes-or-no-p (format "Remove %s and its login? " (aref (tabulated-list-get-entry) 1)))
      (multicodex-request "accounts/remove" `(:account ,id) #'ignore))))

(provide 'multicodex)
;;; multicodex.el ends here
