"On PYTHONPATH: every Python process, children included, notes and refuses to look a name up."
import os, socket
_local = {None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0", b"localhost", b"127.0.0.1"}
def _refuse(name, real):
    def look_up(host=None, *rest, **options):
        if host in _local: return real(host, *rest, **options)
        with open(os.environ["MMOPS_TEST_LOOKUPS"], "a") as f: f.write(f"{name} {host}\n")
        raise OSError(f"a name was looked up: {host}")
    return look_up
for _name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"): setattr(socket, _name, _refuse(_name, getattr(socket, _name)))
