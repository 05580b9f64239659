"Mails over an encrypted connection: STARTTLS and port 465 with a certificate made for this test; without trust nothing is said, neither password nor mail."
import base64, shutil, socketserver, ssl, subprocess, threading
from contextlib import contextmanager
from email.message import EmailMessage
import pytest
from marketing_mlops.schedules.transports import Handover, hand_over_mail, judge_failure

PASSWORD = "s3cret"

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    "By the name it is made out to: a file with a certificate and its key."
    if not shutil.which("openssl"): pytest.skip("openssl is not installed, which makes the certificates")
    folder = tmp_path_factory.mktemp("certificates")
    def made(name):
        file = folder/f"{name}.pem"
        if not file.exists():
            key, cert = folder/f"{name}.key", folder/f"{name}.crt"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                            "-keyout", key, "-out", cert], check=True, capture_output=True)
            file.write_text(key.read_text() + cert.read_text())
        return file
    return made

class _Encrypting(socketserver.StreamRequestHandler):
    "Speaks SMTP; begins encrypted, or becomes so by STARTTLS."
    def setup(self):
        self.is_secret = False
        if self.server.at_once: self.request = self.wrapped()
        super().setup()
    def wrapped(self): self.is_secret = True; return self.server.context.wrap_socket(self.request, server_side=True)
    def say(self, line): self.wfile.write(line.encode() + b"\r\n")
    def handle(self):
        self.say("220 here")
        while line := self.rfile.readline():
            word = line.decode().strip().upper().split(" ")[0]
            self.server.said.append((self.is_secret, line.decode().strip()))
            if word == "EHLO": self.say("250-here\r\n" + ("250 AUTH PLAIN" if self.is_secret else "250 STARTTLS"))
            elif word == "STARTTLS": self.encrypt()
            elif word == "AUTH": self.say("235 welcome" if base64.b64decode(line.split()[-1]).decode().endswith("\0" + PASSWORD) else "535 wrong password")
            elif word == "DATA": self.take()
            elif word == "QUIT": self.say("221 bye"); return
            else: self.say("250 fine")
    def encrypt(self):
        self.say("220 go on")
        if self.server.hangs_up: raise OSError("hung up")
        self.request = self.wrapped()
        super().setup()
    def take(self):
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""): lines.append(line)
        self.server.mails.append(b"".join(lines))
        self.say("250 taken")

class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    def handle_error(self, request, client_address): pass # a sender that does not trust us hangs up

@contextmanager
def encrypting(pem, port=0, hangs_up=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    try: server = _Threads(("127.0.0.1", port), _Encrypting)
    except OSError as error: pytest.skip(f"port {port} is not ours: {error.strerror}")
    with server:
        vars(server).update(context=context, at_once=port == 465, hangs_up=hangs_up, said=[], mails=[])
        listening = threading.Thread(target=server.serve_forever, args=(.01,)); listening.start()
        try: yield server
        finally: server.shutdown(); listening.join()

def mail():
    found = EmailMessage()
    found["From"], found["To"], found["Subject"] = "mmops@example.com", "marketing@example.com", "Weekly performance"
    found.set_content("As usual.")
    return found

def send(server, handover=None, **more):
    "Hands a mail over, with a password."
    given = dict(MMOPS_SMTP=f"localhost:{server.server_address[1]}", MMOPS_SMTP_USER="mmops@example.com", MMOPS_SMTP_PASSWORD=PASSWORD)
    hand_over_mail(mail(), "marketing@example.com", given | more, handover)

@pytest.mark.parametrize("port", [0, 465], ids=["starttls", "465"])
def test_a_mail_arrives_and_nothing_but_the_greeting_was_said_in_the_open(certificate, monkeypatch, port):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate("localhost")))
    with encrypting(certificate("localhost"), port) as server: send(server)
    assert len(server.mails) == 1 and b"As usual." in server.mails[0]
    in_the_open = [line for is_secret, line in server.said if not is_secret]
    assert in_the_open == ([] if port == 465 else ["ehlo localhost", "STARTTLS"]) and any(line.startswith("AUTH") for is_secret, line in server.said if is_secret)

@pytest.mark.parametrize("port", [0, 465], ids=["starttls", "465"])
@pytest.mark.parametrize("name", ["localhost", "other.example.com"], ids=["unknown", "of another server"])
def test_a_certificate_that_cannot_be_trusted_gets_neither_password_nor_mail(certificate, monkeypatch, port, name):
    trusted = certificate("other.example.com")                  # the name is wrong, or the certificate is one that nobody knows
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    handover = Handover()
    with encrypting(certificate(name), port) as server, pytest.raises(OSError) as stopped: send(server, handover)
    failure = judge_failure(stopped.value, handover.begun)
    assert isinstance(stopped.value, ssl.SSLCertVerificationError) and (failure.meaning, handover.begun) == ("later", False)
    assert server.mails == [] and not [line for _, line in server.said if line.startswith(("AUTH", "mail", "DATA"))] and PASSWORD not in failure.words

def test_an_encryption_that_is_offered_and_fails_is_not_gone_without(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate("localhost")))
    with encrypting(certificate("localhost"), hangs_up=True) as server, pytest.raises(OSError): send(server)
    assert server.mails == [] and [line for _, line in server.said] == ["ehlo localhost", "STARTTLS"]

def test_a_wrong_password_is_told_over_the_encrypted_connection_and_never_repeated(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate("localhost")))
    with encrypting(certificate("localhost")) as server, pytest.raises(OSError) as stopped: send(server, MMOPS_SMTP_PASSWORD="gue55ed")
    failure = judge_failure(stopped.value, False)
    assert failure.meaning == "later" and "535 wrong password" in failure.words and "gue55ed" not in failure.words + str(stopped.value) and server.mails == []
