;;; multicodex-tests.el --- In a real Emacs with the real sidecar  -*- lexical-binding: t; -*-

;; clients/with-simulator emacs -Q --batch -L clients/emacs -l clients/emacs/tests/multicodex-tests.el \
;;   -f ert-run-tests-batch-and-exit

;;; Code:

(require 'ert)
(require 'multicodex)

(setq multicodex-open-browser nil)

(defconst multicodex-tests--patience 60)

(defun multicodex-tests--until (condition)
  "Wait until CONDITION returns something, and return it."
  (let ((end (+ (float-time) multicodex-tests--patience))
        found)
    (while (not (setq found (funcall condition)))
      (when (> (float-time) end) (error "Waited in vain for %S" condition))
      (accept-process-output nil 0.02))
    found))

(defun multicodex-tests--until-told (pattern)
  "Wait for a message like PATTERN."
  (multicodex-tests--until
   (lambda ()
     (with-current-buffer (messages-buffer)
       (goto-char (point-min))
       (re-search-forward pattern nil t)))))

(defun multicodex-tests--forget-messages ()
  "Erase the messages."
  (with-current-buffer (messages-buffer)
    (let ((inhibit-read-only t)) (erase-buffer))))

(defun multicodex-tests--simulator (what &optional body)
  "Ask the simulator for WHAT, with BODY."
  (with-temp-buffer
    (should (equal 0 (apply #'call-process "curl" nil t nil "-sS" "--fail-with-body"
                            (concat (getenv "SIMULATOR") "/" what)
                            (when body (list "-d" (json-serialize body))))))
    (goto-char (point-min))
    (json-parse-buffer :object-type 'plist)))

(defun multicodex-tests--wrapper ()
  "Return a sidecar that notes its process ids, and the file where."
  (let ((wrapper (make-temp-file "multicodex-wrapper"))
        (pids (make-temp-file "multicodex-pids")))
    (with-temp-file wrapper
      (insert (format "#!/bin/sh\necho $$ >> '%s'\nexec '%s' \"$@\"\n" pids (getenv "MULTICODEX_BIN"))))
    (set-file-modes wrapper #o700)
    (add-hook 'kill-emacs-hook (lambda () (mapc #'delete-file (list wrapper pids))))
    (cons wrapper pids)))

(defun multicodex-tests--pids (file)
  "Return the process ids noted in FILE."
  (with-temp-buffer
    (insert-file-contents file)
    (mapcar #'string-to-number (split-string (buffer-string)))))

(defun multicodex-tests--until-dead (pids)
  "Wait until no process of PIDS runs; one that no one has asked after may still be listed."
  (multicodex-tests--until
   (lambda ()
     (seq-every-p (lambda (pid) (member (alist-get 'state (process-attributes pid)) '(nil "Z"))) pids))))

(defun multicodex-tests--text (buffer)
  "Wait for BUFFER and return its text."
  (multicodex-tests--until (lambda () (get-buffer buffer)))
  (with-current-buffer buffer (buffer-string)))

(defmacro multicodex-tests--define (name &rest body)
  "Define the test NAME, which does BODY with a sidecar of its own."
  (declare (indent 1))
  `(ert-deftest ,name ()
     (multicodex-tests--forget-messages)
     (multicodex-tests--simulator "behaviour" '(:behaviour "normal"))
     (unwind-protect (progn ,@body)
       (multicodex-mode -1)
       (multicodex-request-sync "reset" '(:scope "all"))
       (multicodex-stop)
       (dolist (buffer '("*multicodex*" "*multicodex accounts*"))
         (when (get-buffer buffer) (kill-buffer buffer))))))

(defconst multicodex-tests--hello
  '(:request (:model "gpt-6.1-sol" :input [(:role "user" :content "Hello")])))

(multicodex-tests--define multicodex-tests-commands
  (multicodex "use ada@example.com")
  (multicodex-tests--until-told "now using ada@example.com")
  (multicodex "accounts")
  (let ((text (multicodex-tests--text "*multicodex*")))
    (should (string-match-p "^ada@example.com.*plus" text))
    (should (string-match-p "^cleo@example.com" text)))
  (multicodex-use "bob@example.com")
  (multicodex-tests--until-told "Now using bob@example.com")
  (multicodex-use "nobody")
  (multicodex-tests--until-told "multicodex: .*nobody"))

(multicodex-tests--define multicodex-tests-completion
  (let ((table (completion-table-dynamic #'multicodex--suggestions)))
    (should (equal '("use") (all-completions "us" table)))
    (should (equal '("use ada@example.com") (all-completions "use a" table)))
    (should (equal "use cleo@example.com" (try-completion "use c" table)))
    (should (string-match-p "pin" (get-text-property 0 'multicodex-label
                                                     (car (multicodex--suggestions "us"))))))
  ;; As typed: the space is one, and tab completes.
  (let ((unread-command-events (listify-key-sequence (kbd "u s e SPC c TAB RET")))
        (executing-kbd-macro t))
    (should (equal "use cleo@example.com" (let ((noninteractive nil)) (multicodex--read-line))))))

(multicodex-tests--define multicodex-tests-mode-line
  (let ((global-mode-string '("")))
    (multicodex-mode 1)
    (multicodex-use "cleo@example.com")
    (should (member 'multicodex--mode-line global-mode-string))
    (multicodex-tests--until (lambda () (string-match "cleo@example.com .*88%" multicodex--mode-line)))
    (string-match "88%" multicodex--mode-line)
    (should (eq 'multicodex-success (get-text-property (match-beginning 0) 'face multicodex--mode-line)))
    (multicodex-mode -1)
    (should (equal '("") global-mode-string))))

(multicodex-tests--define multicodex-tests-accounts
  (multicodex-request-sync "refresh" nil)
  (multicodex-request-sync "accounts/use" '(:account "ada@example.com"))
  (save-window-excursion
    (multicodex-accounts)
    (let ((buffer (get-buffer "*multicodex accounts*")))
      (with-current-buffer buffer
        (should (string-match-p "^\\* +ada@example.com +plus +88% +95% +ready, pinned$" (buffer-string)))
        (goto-char (point-min))
        (search-forward "cleo@example.com")
        (multicodex-accounts-use)
        (multicodex-tests--until
         (lambda () (string-match-p "^\\* +cleo@example.com .*ready, pinned$" (buffer-string))))
        (should (looking-back "cleo@example.com" (line-beginning-position)))
        (multicodex-accounts-toggle)
        (multicodex-tests--until (lambda () (string-match-p "cleo@example.com .*disabled" (buffer-string))))
        (multicodex-accounts-toggle)
        (multicodex-tests--until (lambda () (string-match-p "cleo@example.com .*ready" (buffer-string))))
        (multicodex-accounts-refresh)
        (multicodex-tests--until-told "Refreshed")))))

(multicodex-tests--define multicodex-tests-complete-rotates
  (multicodex-tests--simulator "behaviour" '(:behaviour "usage_limit" :when (:next 1)))
  (let (types (text ""))
    (multicodex-complete multicodex-tests--hello
                         (lambda (notice)
                           (unless (equal (car types) (plist-get notice :type))
                             (push (plist-get notice :type) types))
                           (let ((event (plist-get notice :event)))
                             (when (equal (plist-get event :type) "response.output_text.delta")
                               (setq text (concat text (plist-get event :delta)))))))
    (multicodex-tests--until (lambda () (equal (car types) "done")))
    (should (equal '("rotated" "accepted" "event" "done") (reverse types)))
    (should (string-match-p "Hello" text))))

(multicodex-tests--define multicodex-tests-complete-aborted
  (multicodex-tests--simulator
   "behaviour"
   '(:behaviour (:stream (:spoken (:deltas (:count 1000 :size 4)) :pace (:each_ms 200)))))
  (let* (last
         (cancel (multicodex-complete multicodex-tests--hello (lambda (notice) (setq last notice)))))
    (multicodex-tests--until (lambda () (equal "event" (plist-get last :type))))
    (funcall cancel)
    (multicodex-tests--until (lambda () (equal "cancelled" (plist-get last :type))))
    (setq last nil)
    ;; And before there is an answer.
    (funcall (multicodex-complete multicodex-tests--hello (lambda (notice) (setq last notice))))
    (multicodex-tests--until (lambda () (equal "cancelled" (plist-get last :type))))))

(multicodex-tests--define multicodex-tests-death
  (pcase-let* ((`(,wrapper . ,pids) (multicodex-tests--wrapper))
               (multicodex-executable wrapper)
               (last nil))
    (multicodex-tests--simulator "behaviour" '(:behaviour "hang"))
    (multicodex-mode 1)
    (multicodex-tests--until (lambda () (string-match-p "@example.com" multicodex--mode-line)))
    (multicodex-complete multicodex-tests--hello (lambda (notice) (setq last notice)))
    (multicodex-tests--until
     (lambda () (seq-some (lambda (request) (and (equal "responses" (plist-get request :route))
                                                   (equal "open" (plist-get request :end))))
                          (multicodex-tests--simulator "log"))))
    (setq multicodex--mode-line "")
    (signal-process (car (multicodex-tests--pids pids)) 'KILL)
    (multicodex-tests--until (lambda () (equal "error" (plist-get last :type))))
    (should (equal "sidecar_gone" (plist-get (plist-get last :error) :kind)))
    (multicodex-tests--until-told "ended unexpectedly")
    ;; Another one is started, and the mode line comes back by itself.
    (multicodex-tests--until (lambda () (equal 2 (length (multicodex-tests--pids pids)))))
    (multicodex-tests--until (lambda () (string-match-p "@example.com" multicodex--mode-line)))
    (multicodex-stop)
    (multicodex-tests--until-dead (multicodex-tests--pids pids))))

(multicodex-tests--define multicodex-tests-too-old
  (let* ((old (make-temp-file "multicodex-old"))
         (multicodex-executable old)
         (answer (concat "{\"jsonrpc\":\"2.0\",\"id\":'$id',\"result\":{\"protocolVersion\":0,"
                         "\"server\":{\"name\":\"multicodex\",\"version\":\"0.0.9\"}}}"))
         failed)
    (with-temp-file old
      (insert "#!/bin/sh\nread -r length\nread -r _\nlength=$(printf %s \"$length\" | tr -dc 0-9)\n"
              "id=$(dd bs=1 count=\"$length\" 2>/dev/null | sed -n 's/.*\"id\":\\([0-9]*\\).*/\\1/p')\n"
              (format "body='%s'\n" answer)
              "printf 'Content-Length: %d\\r\\n\\r\\n%s' ${#body} \"$body\"\nexec cat >/dev/null\n"))
    (set-file-modes old #o700)
    (unwind-protect
        (progn
          (multicodex-request "paths" nil #'ignore (lambda (why) (setq failed (plist-get why :message))))
          (multicodex-tests--until (lambda () failed))
          (should (string-match-p "multicodex 0.0.9 with version 0 .* needs version 1.  Install a newer" failed))
          (should-not multicodex--revival)
          (should-not (multicodex--running-p)))
      (delete-file old))))

(multicodex-tests--define multicodex-tests-requests-wait-for-the-pause
  (pcase-let* ((`(,wrapper . ,pids) (multicodex-tests--wrapper))
               (multicodex-executable wrapper)
               (answered nil))
    (multicodex-request-sync "paths" nil)
    (signal-process (car (multicodex-tests--pids pids)) 'KILL)
    (multicodex-tests--until-told "ended unexpectedly")
    ;; Without the mode nothing starts another one but a request, and that one waits.
    (should-not multicodex--revival)
    (setq multicodex--not-before (+ (float-time) 0.5))
    (multicodex-request "paths" nil (lambda (paths) (setq answered paths)))
    (should (equal 1 (length (multicodex-tests--pids pids))))
    (should multicodex--revival)
    (multicodex-tests--until (lambda () answered))
    (should (equal 2 (length (multicodex-tests--pids pids))))))

(multicodex-tests--define multicodex-tests-mistakes-of-callbacks
  ;; With it the debugger gets the mistake, as it should.
  (let ((debug-on-error nil)
        answered)
    (multicodex-request "paths" nil (lambda (_) (error "A mistake")))
    (multicodex-request "paths" nil (lambda (paths) (setq answered paths)))
    (multicodex-tests--until (lambda () answered))
    (multicodex-tests--until-told "A mistake")))

(multicodex-tests--define multicodex-tests-ends-with-emacs
  (pcase-let ((`(,wrapper . ,pids) (multicodex-tests--wrapper)))
    (call-process (expand-file-name invocation-name invocation-directory) nil nil nil
                  "-Q" "--batch" "-L" (file-name-directory (locate-library "multicodex")) "-l" "multicodex"
                  "--eval" (format "(setq multicodex-executable %S)" wrapper)
                  "--eval" "(multicodex-request-sync \"paths\" nil)")
    (should (equal 1 (length (multicodex-tests--pids pids))))
    (multicodex-tests--until-dead (multicodex-tests--pids pids))))

(multicodex-tests--define multicodex-tests-cannot-be-started
  (let ((multicodex-executable "/nowhere/multicodex"))
    (should (string-match-p "named by .*cargo install"
                            (cadr (should-error (multicodex-request-sync "paths" nil)
                                                :type 'multicodex-error)))))
  (let ((multicodex-arguments '("--frobnicate")))
    (should (string-match-p "frobnicate"
                            (cadr (should-error (multicodex-request-sync "paths" nil)
                                                :type 'multicodex-error))))))

(multicodex-tests--define multicodex-tests-login
  (multicodex-tests--simulator "visitor" '(:account "bob"))
  (multicodex-login)
  (let ((url (progn
               (multicodex-tests--text "*multicodex*")
               (with-current-buffer "*multicodex*"
                 (goto-char (point-min))
                 (forward-line 1)
                 (buffer-substring (point) (line-end-position)))))
        ;; The page sends the browser to an address that it cannot open there.
        ended-at)
    (with-temp-buffer
      (call-process "curl" nil t nil "-sS" "-o" "/dev/null" "-w" "%{redirect_url}" url)
      (setq ended-at (buffer-string)))
    (multicodex-submit-login "nonsense with spaces")
    (multicodex-tests--until-told "multicodex: ")
    (multicodex-submit-login ended-at)
    (multicodex-tests--until-told "Logged in")))

(provide 'multicodex-tests)
;;; multicodex-tests.el ends here
