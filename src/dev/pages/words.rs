//! The texts of the inbox's pages.

use crate::language::texts;

texts! {
    pub(super) INBOX = "Test inbox";
    pub(super) CONSOLE = "Back to the console";
    pub(super) SEARCH = "Search";
    pub(super) SEARCH_LABEL = "Search the emails";
    pub(super) DELETE_ALL = "Delete all";
    pub(super) DELETE_ALL_QUESTION = "Delete all emails?";
    pub(super) EMAILS = "Emails";
    pub(super) NONE_YET = "No email yet. Emails appear here as soon as they arrive.";
    pub(super) NONE_IN_LIST = "No email yet.";
    pub(super) NO_MATCH = "No matching email.";
    pub(super) CHOOSE = "Choose an email.";
    pub(super) ONE = "1 email";
    pub(super) COUNT = "{count} emails";
    pub(super) COUNT_OF = "{count} of {total}";
    pub(super) KEPT = "Emails stay here until the program ends.";
    pub(super) SIGN_IN = "With TLS, sign in as {user} with the password {password}. Without TLS, no sign-in is needed.";
    pub(super) FAILURES = "To see a failure, sign in with a wrong password (535), or send to a recipient that begins with \
                           {unknown} (550), {later} (450 twice), {slow} (a late reply) or {lost} (no reply).";
    pub(super) AS_JSON = "The same emails as JSON: {json}. {delete_all} deletes all of them, {delete_one} deletes one.";
    pub(super) KEYS = "Keys: j and k or the arrows move through the list, / searches, Delete deletes the open or focused \
                       email.";
    pub(super) NO_SUBJECT = "(no subject)";
    pub(super) NO_RECIPIENT = "(no recipient)";
    pub(super) ONE_ATTACHMENT = "1 attachment";
    pub(super) ATTACHMENTS_COUNT = "{count} attachments";
    pub(super) ALL = "All emails";
    pub(super) DELETE = "Delete";
    pub(super) DOWNLOAD = "Download";
    pub(super) FROM = "From";
    pub(super) TO = "To";
    pub(super) CC = "Cc";
    pub(super) DATE = "Date";
    pub(super) RECEIVED = "Received";
    pub(super) ENVELOPE = "Envelope";
    pub(super) ENVELOPE_TEXT = "from <{from}> to <{to}>, {encryption}, {sign_in}";
    pub(super) OVER_TLS = "over TLS";
    pub(super) WITHOUT_TLS = "without TLS";
    pub(super) SIGNED_IN = "signed in";
    pub(super) NOT_SIGNED_IN = "not signed in";
    pub(super) VIEWS = "Views of the email";
    pub(super) VIEW_TEXT = "Text";
    pub(super) VIEW_HEADERS = "Headers";
    pub(super) VIEW_ATTACHMENTS = "Attachments";
    pub(super) VIEW_SOURCE = "Source";
    pub(super) HTML_TITLE = "The HTML of the email";
    pub(super) HTML_NOTE = "Nothing is loaded from elsewhere: images that are not part of the email stay empty.";
    pub(super) NO_ATTACHMENTS = "This email has no attachments.";
    pub(super) UNNAMED = "(unnamed)";
    pub(super) BYTES = "{count} bytes";
    pub(super) CUT_OFF = "Cut off here; the source file is complete.";
    pub(super) NEW_ONE = "New email: {subject}";
    pub(super) NEW_MANY = "{count} new emails";
    pub(super) DELETED = "The email was deleted.";
    pub(super) NOT_DELETED = "The email could not be deleted.";
    pub(super) NOT_ALL_DELETED = "The emails could not be deleted.";
    pub(super) NO_ANSWER = "The inbox does not answer.";
    pub(super) NOT_CONNECTED = "Not connected: new emails are not shown.";
}
