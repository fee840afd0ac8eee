//! Attachments, in every form that clients send.

use super::*;

#[test]
fn attachments_are_read_in_every_form_that_clients_send() {
    let png = json!({"filename": "logo.png", "content": "UE5H", "inline_content_id": "logo"});
    for (attachment, filename, content_type, content) in [
        (json!({"filename": "a.pdf", "content": "UERG"}), Some("a.pdf"), "application/pdf", "PDF"),
        (json!({"filename": "a.pdf", "content": "UEQ"}), Some("a.pdf"), "application/pdf", "PD"),
        (json!({"content": "UE\r\nRG\r\n"}), None, "application/octet-stream", "PDF"),
        (json!({"filename": false, "content": ""}), None, "application/octet-stream", ""),
        (json!({"filename": "a", "content": [80, 68, 70]}), Some("a"), "application/octet-stream", "PDF"),
        (
            json!({"filename": "a.txt", "content": {"type": "Buffer", "data": [72, 105]}, "content_type": "x/y"}),
            Some("a.txt"),
            "x/y",
            "Hi",
        ),
        (png, Some("logo.png"), "image/png", "PNG"),
    ] {
        let request = good(&json!({"attachments": [attachment]}));
        let RequestBody::Parts { attachments, .. } = request.body else { panic!("not built of parts") };
        let [found] = &attachments[..] else { panic!("one attachment") };
        assert_eq!(
            found.filename.as_ref().map(crate::mail::message::Filename::as_str),
            filename,
            "{attachment}"
        );
        assert_eq!(found.content_type.as_str(), content_type, "{attachment}");
        assert_eq!(found.content, content.as_bytes(), "{attachment}");
    }
}

#[test]
fn bad_attachments_are_refused() {
    use Reason::*;
    for (attachment, pointer, reason) in [
        (json!("x"), "", NotAnObject),
        (json!({}), "/content", Required),
        (json!({"content": "a*b"}), "/content", NotBase64),
        (json!({"content": "AB==CD"}), "/content", NotBase64),
        (json!({"content": [256]}), "/content", NotBase64),
        (json!({"content": [-1]}), "/content", NotBase64),
        (json!({"content": ["a"]}), "/content", NotBase64),
        (json!({"content": {"type": "Buffer"}}), "/content", NotBase64),
        (json!({"content": 1}), "/content", NotBase64),
        (json!({"path": "https://example.com/a"}), "/path", NotSupported),
        (json!({"path": "https://example.com/a", "content": "UERG"}), "/path", NotSupported),
        (json!({"content": "", "filename": "a/b"}), "/filename", InvalidCharacter),
        (json!({"content": "", "filename": true}), "/filename", NotAString),
        (json!({"content": "", "filename": "a\r\nb"}), "/filename", ControlCharacter),
        (json!({"content": "", "content_type": "pdf"}), "/content_type", NotAContentType),
        (json!({"content": "", "content_type": "message/rfc822"}), "/content_type", NotAContentType),
        (json!({"content": "", "content_id": "a b"}), "/content_id", InvalidCharacter),
        (json!({"content": "", "contentType": "a/b"}), "/contentType", UnknownField),
    ] {
        let found = faults(request(&json!({"attachments": [{"content": ""}, attachment]})));
        assert_eq!(found, [(format!("/attachments/1{pointer}"), reason, ATTACHMENT)], "{attachment}");
    }
}
