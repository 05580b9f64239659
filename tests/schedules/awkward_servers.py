"A mail server that fails at the step it is told to, and a web hook that checks signatures: real sockets on this machine, in one process with the test."
import http.server, socketserver, threading
from contextlib import contextmanager
from datetime import datetime
from marketing_mlops.schedules.messages import is_signed

STEPS = ("connect", "ehlo", "mail", "rcpt", "data", "half", "dot", "slow", "quit")

class _Post(socketserver.StreamRequestHandler):
    "Speaks SMTP (RFC 5321) as far as a sender without encryption needs it."
    def say(self, line): self.wfile.write(line.encode() + b"\r\n")
    def handle(self):
        server = self.server
        server.said.append("CONNECT")
        if server.at("connect"): return self.say(server.answer) if server.answer else None
        self.say("220 here")
        while line := self.rfile.readline():
            word, rest = line.decode("utf-8", "replace").strip().partition(" ")[::2]
            server.said.append(line.decode("utf-8", "replace").strip())
            if self.stopped_at(word.lower(), rest): return
            if word.upper() == "DATA" and not self.take(): return
            elif word.upper() == "QUIT": return self.say("221 bye")
            elif word.upper() != "DATA": self.say("250 fine")

    def stopped_at(self, step, rest):
        "Answers, or hangs up, where it was told to; True where the conversation is over."
        server = self.server
        if not server.at(step, rest): return False
        if not server.answer: return True
        self.say(server.answer)
        if step in ("rcpt", "data"): server.passed = True
        return self.wait_for_the_end()

    def wait_for_the_end(self):
        while line := self.rfile.readline():
            self.server.said.append(line.decode("utf-8", "replace").strip())
            if line.upper().startswith(b"QUIT"): self.say("221 bye"); break
            self.say("503 no")
        return True

    def take(self):
        "Takes a message to its dot, and keeps it unless it was told to fail before; False where it hangs up."
        server = self.server
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
            if server.at("half") and sum(map(len, lines)) > 2000: return False
        if not line: server.halves.append(b"".join(lines)); return False
        server.mails.append((next(each for each in reversed(server.said) if each.lower().startswith("rcpt")), b"".join(lines)))
        if server.at("slow"): server.released.wait(20)
        if server.at("dot") and not server.answer: return False
        if server.at("dot"): server.mails.pop()
        self.say(server.answer if server.at("dot") else "250 taken")
        return True

class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    fails_at, answer, only = "", "", ""
    def at(self, step, rest=""): return self.fails_at == step and self.only in rest
    def handle_error(self, request, client_address): pass # a sender that hangs up is part of the test

@contextmanager
def _served(handler, **told):
    with _Threads(("127.0.0.1", 0), handler) as server:
        vars(server).update(told, released=threading.Event())
        listening = threading.Thread(target=server.serve_forever, args=(.01,)); listening.start()
        try: yield server
        finally: server.released.set(); server.shutdown(); listening.join()

def post_office(fails_at="", answer="", only=""):
    "A mail server; `fails_at` one of STEPS with an `answer`, or hanging up where there is none; `only` for a receiver. Its `mails` are those it has taken, `halves` those it has not."
    return _served(_Post, mails=[], halves=[], said=[], fails_at=fails_at, answer=answer, only=only)

class _Chat(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        server, body = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        proof = self.headers.get("X-Mmops-Signature", "")
        if not is_signed(body, proof, server.key, server.now) or proof in server.proofs: return self.reply(401)
        server.proofs.add(proof)
        if not server.hangs_up and server.status < 300: server.posts.append((dict(self.headers), body))
        if server.hangs_up: server.posts.append((dict(self.headers), body)); self.close_connection = True; return self.connection.close()
        self.reply(server.status)
    def reply(self, status):
        self.send_response(status)
        if self.server.retry_after: self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()
    def log_message(self, *said): pass

def team_chat(now, status=200, retry_after="", hangs_up=False, key="our key"):
    "A web hook whose clock stands at `now`, and that takes what is signed with `key`, lately, and was not seen before. Its `posts` are headers and body of what it has taken."
    return _served(_Chat, posts=[], proofs=set(), now=now, status=status, retry_after=retry_after, hangs_up=hangs_up, key=key)

def variables(post=None, chat=None, key="our key"):
    "What names these servers to the sender."
    named = {"MMOPS_SMTP": f"127.0.0.1:{post.server_address[1]}", "MMOPS_SMTP_FROM": "mmops@example.com"} if post else {}
    return named | ({"TEAM_CHAT": f"http://127.0.0.1:{chat.server_address[1]}/T0/B1/s3cret-token", "MMOPS_WEBHOOK_KEY": key} if chat else {})
