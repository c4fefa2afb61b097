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
        """`rpc.discover`: The OpenRPC document of this protocol, the content of `openrpc.json`."""
        return await self.request("rpc.discover")

    async def accounts(self, params: types.AccountsParams | None = None) -> types.AccountList:
        """`accounts`: Lists all accounts, in the order of the accounts file."""
        return cast("types.AccountList", await self.request("accounts", params))

    async def accounts_use(self, params: types.AccountParams) -> types.AccountAnswer:
        """`accounts/use`: Pins an account, after it has made sure that its token is valid."""
        return cast("types.AccountAnswer", await self.request("accounts/use", params))

    async def accounts_remove(self, params: types.AccountParams) -> types.Removed:
        """`accounts/remove`: Removes an account and its credential."""
        return cast("types.Removed", await self.request("accounts/remove", params))

    async def accounts_disable(self, params: types.AccountParams) -> types.AccountAnswer:
        """`accounts/disable`: Takes an account out of rotation and keeps it."""
        return cast("types.AccountAnswer", await self.request("accounts/disable", params))

    async def accounts_enable(self, params: types.AccountParams) -> types.AccountAnswer:
        """`accounts/enable`: Puts a disabled account back into rotation."""
        return cast("types.AccountAnswer", await self.request("accounts/enable", params))

    async def accounts_label(self, params: types.LabelParams) -> types.AccountAnswer:
        """`accounts/label`: Renames an account."""
        return cast("types.AccountAnswer", await self.request("accounts/label", params))

    async def accounts_reset_credit(self, params: types.ResetCreditParams) -> types.ResetCreditAnswer:
        """`accounts/resetCredit`: Redeems a reset credit of an account, or shows what it would do."""
        return cast("types.ResetCreditAnswer", await self.request("accounts/resetCredit", params))

    async def accounts_import(self, params: types.ImportParams | None = None) -> types.ImportAnswer:
        """`accounts/import`: Merges the login of pi, or a copy of another program's login, into the accounts."""
        return cast("types.ImportAnswer", await self.request("accounts/import", params))

    async def login(self, params: types.LoginParams | None = None) -> types.LoginStarted:
        """`login`: Begins the login of a new account."""
        return cast("types.LoginStarted", await self.request("login", params))

    async def reauth(self, params: types.ReauthParams | None = None) -> types.LoginStarted:
        """`reauth`: Begins a new login of an existing account."""
        return cast("types.LoginStarted", await self.request("reauth", params))

    async def login_submit(self, params: types.LoginSubmitParams) -> types.AccountAnswer:
        """`login/submit`: Submits the address or code that a person pasted, and answers when the login has ended."""
        return cast("types.AccountAnswer", await self.request("login/submit", params))

    async def login_wait(self, params: types.LoginIdParams) -> types.AccountAnswer:
        """`login/wait`: Answers when the login has ended."""
        return cast("types.AccountAnswer", await self.request("login/wait", params))

    async def login_cancel(self, params: types.LoginIdParams) -> types.LoginCancelled:
        """`login/cancel`: Ends a login in progress, which then fails with `login_cancelled`."""
        return cast("types.LoginCancelled", await self.request("login/cancel", params))

    async def accounts_token(self, params: types.TokenParams | None = None) -> types.TokenAnswer:
        """`accounts/token`: Answers a valid access token."""
        return cast("types.TokenAnswer", await self.request("accounts/token", params))

    async def refresh(self, params: types.RefreshParams | None = None) -> types.RefreshAnswer:
        """`refresh`: Makes sure that tokens are good and reads the usage, of one account or of all."""
        return cast("types.RefreshAnswer", await self.request("refresh", params))

    async def rotation(self, params: types.RotationParams | None = None) -> types.Rotation:
        """`rotation`: Shows the rotation settings, and in which order accounts would be tried now and why."""
        return cast("types.Rotation", await self.request("rotation", params))

    async def rotation_set(self, params: types.RotationChange | None = None) -> types.Rotation:
        """`rotation/set`: Changes the rotation settings and saves them."""
        return cast("types.Rotation", await self.request("rotation/set", params))

    async def reset(self, params: types.ResetParams) -> types.ResetResult:
        """`reset`: Clears the pin, the cooldowns and back-offs, or both."""
        return cast("types.ResetResult", await self.request("reset", params))

    async def status(self, params: types.StatusParams | None = None) -> types.Status:
        """`status`: The footer: the account, its usage and countdowns, as text and as segments to colour."""
        return cast("types.Status", await self.request("status", params))

    async def footer(self) -> types.Footer:
        """`footer`: Shows how the footer looks."""
        return cast("types.Footer", await self.request("footer"))

    async def footer_set(self, params: types.FooterChange | None = None) -> types.Footer:
        """`footer/set`: Changes how the footer looks and saves it."""
        return cast("types.Footer", await self.request("footer/set", params))

    async def verify(self, params: types.VerifyParams | None = None) -> types.VerifyAnswer:
        """`verify`: Checks files, locks, accounts and, with `online`, upstream."""
        return cast("types.VerifyAnswer", await self.request("verify", params))

    async def history(self, params: types.HistoryParams | None = None) -> types.HistoryAnswer:
        """`history`: The latest attempts with their outcome, tokens and times, and sums by account and by day."""
        return cast("types.HistoryAnswer", await self.request("history", params))

    async def command(self, params: types.CommandParams) -> types.CommandAnswer:
        """`command`: Runs a `/multicodex` command and answers with text to show."""
        return cast("types.CommandAnswer", await self.request("command", params))

    async def command_suggest(self, params: types.CommandParams) -> types.Suggestions:
        """`command/suggest`: Completes a `/multicodex` line."""
        return cast("types.Suggestions", await self.request("command/suggest", params))

    async def paths(self) -> types.Paths:
        """`paths`: The paths of the files that the sidecar reads and writes."""
        return cast("types.Paths", await self.request("paths"))

    async def complete_collect(self, params: types.CompleteParams) -> types.Collected:
        """`complete/collect`: Makes one completion and answers with its final response."""
        return cast("types.Collected", await self.request("complete/collect", params))

    async def gateway_start(self, params: types.GatewayStartParams | None = None) -> types.GatewayStarted:
        """`gateway/start`: Serves the Responses API on loopback until `gateway/stop`, or until the sidecar ends."""
        return cast("types.GatewayStarted", await self.request("gateway/start", params))

    async def gateway_stop(self) -> types.GatewayStopped:
        """`gateway/stop`: Ends the gateway of this sidecar, and what it is answering."""
        return cast("types.GatewayStopped", await self.request("gateway/stop"))

    def on_accounts_changed(self, handler: Callable[[types.AccountsChanged], object]) -> Callable[[], None]:
        """`accounts/changed`: Accounts changed."""
        return self.on("accounts/changed", handler)

    def on_status_changed(self, handler: Callable[[types.Status], object]) -> Callable[[], None]:
        """`status/changed`: The text of the footer changed."""
        return self.on("status/changed", handler)

    def on_login_completed(self, handler: Callable[[types.LoginCompleted], object]) -> Callable[[], None]:
        """`login/completed`: A login ended, with success or not."""
        return self.on("login/completed", handler)

    def on_warning(self, handler: Callable[[types.Warning], object]) -> Callable[[], None]:
        """`warning`: Something a person should know."""
        return self.on("warning", handler)

    def on_refresh_progress(self, handler: Callable[[types.RefreshProgress], object]) -> Callable[[], None]:
        """`refresh/progress`: A `refresh` finished one more account."""
        return self.on("refresh/progress", handler)
