"""The mail server Exim: STARTTLS on one port, TLS from the first byte on another.

    python3 exim_server.py FOLDER

FOLDER holds certificate.pem and key.pem; each mail becomes a file in FOLDER/mails. Prints both ports.

Debian's Exim looks for a user of its own. A library that answers such questions from a file stands in for it, so that
nobody is added to this machine.
"""

import os
import socket
import sys
import time
from pathlib import Path

folder = Path(sys.argv[1])
exim = Path(os.environ["TRANSPORTS_PEERS"]) / "exim4"
# Exim runs as no other user than Debian-exim, who may be anybody but root.
is_root = os.getuid() == 0
user, group = (65534, 65534) if is_root else (os.getuid(), os.getgid())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


starttls, implicit = free_port(), free_port()
# A mail gets its name when it is whole: Exim writes a maildir.
maildir = folder / "maildir"
for name in ("cur", "new", "tmp"):
    (maildir / name).mkdir(parents=True)
(folder / "mails").rmdir()
(folder / "mails").symlink_to(maildir / "new")
(folder / "spool").mkdir()

entry = f"Debian-exim:x:{user}:{group}::{folder}:/usr/sbin/nologin\n"
(folder / "passwd").write_text(Path("/etc/passwd").read_text() + entry)
(folder / "group").write_text(Path("/etc/group").read_text() + f"Debian-exim:x:{group}:\n")
wrapper = {
    "LD_PRELOAD": "libnss_wrapper.so",
    "NSS_WRAPPER_PASSWD": str(folder / "passwd"),
    "NSS_WRAPPER_GROUP": str(folder / "group"),
}

# The refusals are Exim's own, but for the sender's, which it leaves to its configuration.
(folder / "exim.conf").write_text(f"""
exim_path = {exim}
primary_hostname = localhost
spool_directory = {folder}/spool
log_file_path = {folder}/log-%s
pid_file_path = {folder}/pid
keep_environment =
add_environment = <; {"; ".join(f"{name}={value}" for name, value in wrapper.items())}
deliver_drop_privilege
never_users =
daemon_smtp_ports = {starttls} : {implicit}
tls_on_connect_ports = {implicit}
local_interfaces = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
received_header_text =
domainlist local_domains = example.com
acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept

begin acl
check_mail:
  deny !authenticated = *
       message = authentication required
  accept condition = ${{if eq{{$sender_address}}{{$authenticated_id@example.com}}}}
  deny message = Sender <$sender_address> is not allowed for $authenticated_id

check_rcpt:
  require verify = recipient
  accept

begin routers
known:
  driver = accept
  domains = +local_domains
  local_parts = bob
  transport = mailbox

begin transports
mailbox:
  driver = appendfile
  directory = {maildir}
  maildir_format
  create_directory = false
  message_prefix =
  message_suffix =
  use_crlf
  user = Debian-exim

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{alice}}}}{{eq{{$auth3}}{{secret}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{alice}}}}{{eq{{$auth2}}{{secret}}}}}}}}
  server_set_id = $auth1
""")

if is_root:
    folder.chmod(0o711)
    (folder / "exim.conf").chmod(0o644)
    for path in [folder, folder / "spool", maildir, *maildir.iterdir()]:
        os.chown(path, user, group)



def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if os.fork() == 0:
    # Another process tells the ports: this one becomes the server, so that whoever started it can end it.
    while not (answers(starttls) and answers(implicit)):
        time.sleep(0.02)
    print(starttls, implicit, flush=True)
    os._exit(0)
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
os.execve(exim, [exim, "-C", folder / "exim.conf", "-bdf"], os.environ | wrapper)
