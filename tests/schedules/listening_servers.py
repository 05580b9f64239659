"A mail server and a web server on this machine that note what they are sent, and misbehave as they are told."
import base64, http.server, socketserver, threading
from contextlib import contextmanager

class _Mail(socketserver.StreamRequestHandler):
    def say(self, line): self.wfile.write(line.encode() + b"\r\n")
    def handle(self):
        server = self.server
        if server.silent: server.released.wait(20); return
        self.say("220 ready")
        while line := self.rfile.readline():
            word, rest = line.decode("utf-8", "replace").strip().partition(" ")[::2]
            server.said.append(line.decode("utf-8", "replace").strip())
            if word.upper() == "DATA": self.take()
            elif word.upper() == "QUIT": self.say("221 bye"); return
            else: self.answer(word.upper(), rest)

    def answer(self, word, rest):
        answers = {"EHLO": "250-here\r\n250 AUTH PLAIN" if self.server.password else "250 here"}
        if word == "RCPT" and self.server.refuses: return self.say("550 no such mailbox")
        self.say(self.judged(rest) if word == "AUTH" else answers.get(word, "250 fine"))

    def judged(self, rest):
        return "235 welcome" if base64.b64decode(rest.split()[-1]).decode().endswith("\0" + self.server.password) else "535 wrong password"

    def take(self):
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""): lines.append(line)
        self.server.mails.append(b"".join(lines))
        self.say("250 taken")

class _Threads(socketserver.ThreadingTCPServer): daemon_threads = allow_reuse_address = True

@contextmanager
def _served(handler, host="127.0.0.1", **told):
    with _Threads((host, 0), handler) as server:
        vars(server).update(told, released=threading.Event())
        listening = threading.Thread(target=server.serve_forever, args=(.01,)); listening.start()
        try: yield server
        finally: server.released.set(); server.shutdown(); listening.join()

def mail_server(host="127.0.0.1", *, refuses=False, silent=False, password=""):
    "Its `mails` and everything that was `said` to it; `server_address` has the port."
    return _served(_Mail, host, mails=[], said=[], refuses=refuses, silent=silent, password=password)

class _Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, dict(self.headers), body))
        self.send_response(self.server.answers)
        if self.server.location: self.send_header("Location", self.server.location)
        self.end_headers()
    do_GET = do_POST
    def log_message(self, *said): pass

def web_hook(answers=200, location=""):
    "Its `posts`, each with path, headers and body."
    return _served(_Hook, posts=[], answers=answers, location=location)
