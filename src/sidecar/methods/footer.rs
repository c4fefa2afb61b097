//! `footer` and `footer/set`: how the footer looks.

use std::sync::Arc;

use crate::pool::FOOTER_SETTINGS;
use crate::protocol::{Footer, FooterChange, NoParams, RpcError};
use crate::sidecar::methods::rotation::setting_changes;
use crate::sidecar::{Sidecar, view};

pub(crate) fn show(sidecar: &Arc<Sidecar>, _: NoParams) -> Result<Footer, RpcError> {
    Ok(view::footer(&sidecar.registry.footer_preferences()))
}

pub(crate) async fn set(sidecar: Arc<Sidecar>, params: FooterChange) -> Result<Footer, RpcError> {
    let change = setting_changes(FOOTER_SETTINGS, &params)?;
    let setter = sidecar.clone();
    let set = move || {
        if !change.is_empty() {
            setter.registry.change_settings(|file, held| file.set_footer(&change, held))?;
        }
        setter.notifier.check_status();
        Ok(view::footer(&setter.registry.footer_preferences()))
    };
    sidecar.registry.edit_settings(set).await
}
