//! `footer` and `footer/set`: how the footer looks.

use std::sync::Arc;

use crate::pool;
use crate::protocol::{Footer, FooterChange, NoParams, RpcError};
use crate::sidecar::{Sidecar, view};

pub(crate) fn show(sidecar: &Arc<Sidecar>, _: NoParams) -> Result<Footer, RpcError> {
    Ok(view::footer(&sidecar.registry.footer_preferences()))
}

pub(crate) async fn set(sidecar: Arc<Sidecar>, params: FooterChange) -> Result<Footer, RpcError> {
    let change = pool::FooterChange {
        usage_mode: params.usage_mode.map(view::usage_mode_of),
        reset_window: params.reset_window.map(view::reset_window_of),
        show_account: params.show_account,
        show_reset: params.show_reset,
        order: params.order.map(view::footer_order_of),
    };
    let setter = sidecar.clone();
    let set = move || {
        if change != pool::FooterChange::default() {
            setter.registry.change_settings(|file, held| file.set_footer(&change, held))?;
        }
        setter.notifier.check_status();
        Ok(view::footer(&setter.registry.footer_preferences()))
    };
    sidecar.registry.edit_settings(set).await
}
