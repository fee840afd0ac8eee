//! The servers of Amazon SES.

/// The regions in which Amazon SES has SMTP servers, see
/// <https://docs.aws.amazon.com/general/latest/gr/ses.html>.
pub(super) const REGIONS: &[(&str, &str)] = &[
    ("us-east-1", "email-smtp.us-east-1.amazonaws.com"),
    ("us-east-2", "email-smtp.us-east-2.amazonaws.com"),
    ("us-west-1", "email-smtp.us-west-1.amazonaws.com"),
    ("us-west-2", "email-smtp.us-west-2.amazonaws.com"),
    ("ca-central-1", "email-smtp.ca-central-1.amazonaws.com"),
    ("sa-east-1", "email-smtp.sa-east-1.amazonaws.com"),
    ("eu-central-1", "email-smtp.eu-central-1.amazonaws.com"),
    ("eu-west-1", "email-smtp.eu-west-1.amazonaws.com"),
    ("eu-west-2", "email-smtp.eu-west-2.amazonaws.com"),
    ("eu-west-3", "email-smtp.eu-west-3.amazonaws.com"),
    ("eu-north-1", "email-smtp.eu-north-1.amazonaws.com"),
    ("eu-south-1", "email-smtp.eu-south-1.amazonaws.com"),
    ("af-south-1", "email-smtp.af-south-1.amazonaws.com"),
    ("me-south-1", "email-smtp.me-south-1.amazonaws.com"),
    ("il-central-1", "email-smtp.il-central-1.amazonaws.com"),
    ("ap-south-1", "email-smtp.ap-south-1.amazonaws.com"),
    ("ap-southeast-1", "email-smtp.ap-southeast-1.amazonaws.com"),
    ("ap-southeast-2", "email-smtp.ap-southeast-2.amazonaws.com"),
    ("ap-southeast-3", "email-smtp.ap-southeast-3.amazonaws.com"),
    ("ap-northeast-1", "email-smtp.ap-northeast-1.amazonaws.com"),
    ("ap-northeast-2", "email-smtp.ap-northeast-2.amazonaws.com"),
    ("ap-northeast-3", "email-smtp.ap-northeast-3.amazonaws.com"),
];
