"""The protocol's methods and notifications. Generated from schema/openrpc.json by `python generate.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from . import types


class Methods(ABC):
    """One method for each method of the protocol, and one for each notification."""

    @abstractmethod
    async def request(self, method: str, params: Mapping[str, object] | None = None) -> Any:
        """Send any request and return its result."""

    @abstractmethod
    def on(self, notification: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        """Call `handler` with the params of each such notification; what is returned ends that."""

    async def rpc_discover(self) -> Any:
        """`rpc.discover`: The OpenRPC document of this protocol."""
        return await self.request("rpc.discover")

    async def accounts(self, params: types.AccountsParams | None = None) -> types.AccountList:
        """`accounts`: All accounts, in the file's order."""
        return cast("types.AccountList", await self.request("accounts", params))

    async def accounts_use(self, params: types.AccountParams) -> types.AccountAnswer:
        """`accounts/use`: Pins an account, after making sure that its token is valid."""
        return cast("types.AccountAnswer", await self.request("accounts/use", params))

    async def accounts_remove(self, params: types.AccountParams) -> types.Removed:
        """`accounts/remove`: Forgets an account and its credential."""
        return cast("types.Removed", await self.request("accounts/remove", params))

    async def accounts_disable(self, params: types.AccountParams) -> types.AccountAnswer:
        """`accounts/disable`: Takes an account out of rotation and keeps it."""
        return cast("types.AccountAnswer", await self.request("accounts/disable", params))

    async def accounts_enable(self, params: types.AccountParams) -> types.AccountAnswer:
        """`accounts/enable`: Takes a disabled account into rotation again."""
        return cast("types.AccountAnswer", await self.request("accounts/enable", params))

    async def accounts_label(self, params: types.LabelParams) -> types.AccountAnswer:
        """`accounts/label`: Renames an account."""
        return cast("types.AccountAnswer", await self.request("accounts/label", params))

    async def accounts_import(self, params: types.ImportParams | None = None) -> types.ImportAnswer:
        """`accounts/import`: Merges the login of pi or of the Codex CLI into the accounts."""
        return cast("types.ImportAnswer", await self.request("accounts/import", params))

    async def login(self, params: types.LoginParams | None = None) -> types.LoginStarted:
        """`login`: Begins the login of a new account."""
        return cast("types.LoginStarted", await self.request("login", params))

    async def reauth(self, params: types.ReauthParams | None = None) -> types.LoginStarted:
        """`reauth`: Begins a new login of an account."""
        return cast("types.LoginStarted", await self.request("reauth", params))

    async def login_submit(self, params: types.LoginSubmitParams) -> types.AccountAnswer:
        """`login/submit`: Hands in what a person pasted, and answers when the login has ended."""
        return cast("types.AccountAnswer", await self.request("login/submit", params))

    async def login_wait(self, params: types.LoginIdParams) -> types.AccountAnswer:
        """`login/wait`: Answers when the login has ended; cancelling this does not end it."""
        return cast("types.AccountAnswer", await self.request("login/wait", params))

    async def login_cancel(self, params: types.LoginIdParams) -> types.LoginCancelled:
        """`login/cancel`: Ends a login, which then fails with `login_cancelled`."""
        return cast("types.LoginCancelled", await self.request("login/cancel", params))

    async def accounts_token(self, params: types.TokenParams | None = None) -> types.TokenAnswer:
        """`accounts/token`: A valid access token: the one method that answers a secret."""
        return cast("types.TokenAnswer", await self.request("accounts/token", params))

    async def refresh(self, params: types.RefreshParams | None = None) -> types.RefreshAnswer:
        """`refresh`: Makes sure that tokens are good, and asks for usage; of one account or of all."""
        return cast("types.RefreshAnswer", await self.request("refresh", params))

    async def rotation(self, params: types.RotationParams | None = None) -> types.Rotation:
        """`rotation`: How accounts are chosen, and which one would be used now and why."""
        return cast("types.Rotation", await self.request("rotation", params))

    async def rotation_set(self, params: types.RotationChange | None = None) -> types.Rotation:
        """`rotation/set`: Changes how accounts are chosen, saved in settings.json."""
        return cast("types.Rotation", await self.request("rotation/set", params))

    async def reset(self, params: types.ResetParams) -> types.ResetResult:
        """`reset`: Clears the pin, the cooldowns and back-offs, or both."""
        return cast("types.ResetResult", await self.request("reset", params))

    async def status(self, params: types.StatusParams | None = None) -> types.Status:
        """`status`: The footer: account, usage and countdowns, as text and as segments to colour."""
        return cast("types.Status", await self.request("status", params))

    async def footer(self) -> types.Footer:
        """`footer`: How the footer is to look."""
        return cast("types.Footer", await self.request("footer"))

    async def footer_set(self, params: types.FooterChange | None = None) -> types.Footer:
        """`footer/set`: Changes how the footer looks, saved at once in settings.json."""
        return cast("types.Footer", await self.request("footer/set", params))

    async def verify(self, params: types.VerifyParams | None = None) -> types.VerifyAnswer:
        """`verify`: Looks for what is amiss with files, locks, accounts and (online) upstream."""
        return cast("types.VerifyAnswer", await self.request("verify", params))

    async def history(self, params: types.HistoryParams | None = None) -> types.HistoryAnswer:
        """`history`: The latest attempts with their outcome, tokens and times, and sums by account and by day."""
        return cast("types.HistoryAnswer", await self.request("history", params))

    async def command(self, params: types.CommandParams) -> types.CommandAnswer:
        """`command`: Does what a `/multicodex` line says and answers in words."""
        return cast("types.CommandAnswer", await self.request("command", params))

    async def command_suggest(self, params: types.CommandParams) -> types.Suggestions:
        """`command/suggest`: How a `/multicodex` line may go on."""
        return cast("types.Suggestions", await self.request("command/suggest", params))

    async def paths(self) -> types.Paths:
        """`paths`: Where the files are."""
        return cast("types.Paths", await self.request("paths"))

    async def complete_collect(self, params: types.CompleteParams) -> types.Collected:
        """`complete/collect`: A completion as one answer instead of a stream."""
        return cast("types.Collected", await self.request("complete/collect", params))

    def on_accounts_changed(self, handler: Callable[[types.AccountsChanged], object]) -> Callable[[], None]:
        """`accounts/changed`: Accounts changed; `accounts` has the news."""
        return self.on("accounts/changed", handler)

    def on_status_changed(self, handler: Callable[[types.Status], object]) -> Callable[[], None]:
        """`status/changed`: The footer reads differently than before."""
        return self.on("status/changed", handler)

    def on_login_completed(self, handler: Callable[[types.LoginCompleted], object]) -> Callable[[], None]:
        """`login/completed`: A login ended, well or not."""
        return self.on("login/completed", handler)

    def on_warning(self, handler: Callable[[types.Warning], object]) -> Callable[[], None]:
        """`warning`: Something a person should know."""
        return self.on("warning", handler)

    def on_refresh_progress(self, handler: Callable[[types.RefreshProgress], object]) -> Callable[[], None]:
        """`refresh/progress`: One more account of a `refresh` is done; before its answer."""
        return self.on("refresh/progress", handler)
