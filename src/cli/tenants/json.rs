//! Renders tenants as one JSON document, in parts.

use serde_json::{Value, json};

use crate::store::tenant_list::TenantRow;

/// One tenant a line, so that tools can process large documents by lines.
pub(super) fn part(tenants: &[TenantRow], is_first: bool) -> String {
    let mut text = if is_first { "{\"tenants\":[".to_owned() } else { String::new() };
    for (index, tenant) in tenants.iter().map(tenant).enumerate() {
        let begin = if is_first && index == 0 { "\n" } else { ",\n" };
        text.push_str(begin);
        text.push_str(&tenant.to_string());
    }
    text
}

/// `after` is where the next page begins.
pub(super) fn end(after: Option<&str>) -> String {
    match after {
        Some(after) => format!("\n],\"after\":{}}}\n", json!(after)),
        None => "\n]}\n".to_owned(),
    }
}

/// Uses the names of the API; unset members are absent.
fn tenant(listed: &TenantRow) -> Value {
    let group = &listed.group;
    let mut tenant = json!({
        "tenantId": listed.tenant,
        "serviceProvider": group.provider(),
        "errorCode": group.state(),
        "authFailures": listed.auth_failures,
        "passwordAtMicrosoft365": group.has_password_at_microsoft365(),
        "modificationTime": listed.modified_at.to_iso(),
        "lastUpdated": listed.updated_at.to_iso(),
    });
    let optional = [
        ("diagnosisCode", group.code().map(Value::from)),
        ("serverAddress", listed.server_address.as_deref().map(Value::from)),
        ("serverPort", listed.server_port.map(Value::from)),
        ("securityType", listed.security_type.as_deref().map(Value::from)),
        ("providerTenantId", listed.provider_tenant.as_deref().map(Value::from)),
        ("senderDomain", listed.sender_domain.as_deref().map(Value::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            tenant[name] = value;
        }
    }
    tenant
}
