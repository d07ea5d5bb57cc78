"""Stands where vLLM's server module stands, starts in a moment, and fails in the ways that the real one was seen to.

``STUB_VLLM`` says how; the real server is in tests/integration/test_vllm.py.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CASE = os.environ.get("STUB_VLLM", "")
ARGS = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
RELOADS = os.environ.get("VLLM_SERVER_DEV_MODE") == "1"
WEIGHTS = [ARGS["--model"]]  # that were loaded, one after another
SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def say(line):
    sys.stderr.write(line + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def parse_request(self):
        if not super().parse_request():
            return False
        if self.path.startswith("/v1") and self.headers["authorization"] != f"Bearer {os.environ['VLLM_API_KEY']}":
            self.reply(401, {"error": "Unauthorized"})
            return False
        return True

    def do_GET(self):
        self.reply(200, {"object": "list", "data": [{"id": ARGS["--served-model-name"], "object": "model"}]})

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/collective_rpc":
            self.reload(question["kwargs"]["weights_path"])
            return
        if self.path == "/reset_prefix_cache":
            self.reply(200, {"success": CASE != "keeps-cache"})
            return
        if question.get("echo"):
            read = [WEIGHTS[0], WEIGHTS[-1]] if CASE == "reload-half" else WEIGHTS[-1:]
            found = [float(byte) for folder in read for byte in (Path(folder) / "model.safetensors").read_bytes()[-64:]]
            choice = {"index": 0, "text": "", "finish_reason": "length", "logprobs": {"token_logprobs": [None, *found]}}
            self.reply(200, {"id": "1", "object": "completion", "choices": [choice]})
            return
        first = question["max_tokens"] == 1
        if first and CASE == "refuse-first":
            say("(Worker pid=9) ERROR 11-23 21:40:41 [x.py:1] RuntimeError: Unsupported head_dim=16")
            self.reply(500, {"error": {"message": "EngineCore encountered an issue."}})
        elif not first and (CASE == "die" or (CASE == "die-once" and not Path("died").exists())):
            Path("died").touch()
            say("(APIServer pid=1) ERROR 11-23 21:40:41 [x.py:1] MemoryError: no room for the cache")
            os._exit(0)
        elif not first and CASE == "silent":
            time.sleep(600)
        else:
            if not first and CASE == "slow":
                say("(APIServer pid=1) INFO 11-23 21:40:41 [loggers.py:1] Engine 000: Prefix cache hit rate: 25.0%")
            said = Path(WEIGHTS[-1]).name if RELOADS else "ok"
            choice = {"index": 0, "finish_reason": "stop", "text": said, "message": {"content": said}}
            usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
            self.reply(200, {"id": "1", "object": "completion", "choices": [choice], "usage": usage})

    def reload(self, folder):
        say(f"reload {folder}")
        if CASE == "reload-dies":
            os._exit(1)
        if CASE != "reload-nothing":
            WEIGHTS.append(folder)
        self.reply(200, {"results": [None]})

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    say(f"arguments: {sys.argv[1:]} offline: {os.environ.get('HF_HUB_OFFLINE')}")
    say(f"batch invariant: {os.environ.get('VLLM_BATCH_INVARIANT')}")
    say(f"devices: {os.environ.get('CUDA_VISIBLE_DEVICES')}")
    # an engine process of its own, as vLLM has
    subprocess.Popen([sys.executable, "-c", STUBBORN if CASE == "stubborn" else SLEEP, "vllm engine"])
    if CASE == "crash":
        say("ValueError: the weights are not there")
        sys.exit(1)
    if CASE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if CASE == "slow":
        say("(EngineCore pid=7) INFO 11-23 21:38:11 [loader.py:9] Loading weights 1/3")
        while not Path("go").exists():
            time.sleep(0.05)
    if CASE == "never-ready":
        time.sleep(600)
    ThreadingHTTPServer((ARGS["--host"], int(ARGS["--port"])), Handler).serve_forever()


main()
