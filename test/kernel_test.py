"""Jupyter's own test of kernels. Run by test/kernel.test.ts."""

import unittest

import jupyter_kernel_test


class KernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "stability-training"
    language_name = "typescript"
    file_extension = ".ts"

    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('oh no')"
    completion_samples = [
        {"text": "Math.flo", "matches": {"floor"}},
        {"text": "const word = 'a'; word.toUpp", "matches": {"toUpperCase"}},
        {"text": "zzzzzz", "matches": set()},
    ]
    complete_code_samples = [
        "1",
        "const a: number = 1;",
        "function f() {\n  return 1;\n}",
        "await Promise.resolve(1)",
        "import * as fs from 'fs';",
        "",
    ]
    incomplete_code_samples = [
        "for (const a of [1]) {",
        "const a = [",
        "f(",
        "`text",
        "/* comment",
        "const a =",
        "class A {\n  b = 1;",
    ]
    invalid_code_samples = ["const a: = 1", "1 +* 2", "f)", "import"[:3] + " 1 2"]
    code_generate_error = "throw new Error('on purpose')"
    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "[1, 2].map((n) => n * n)", "result": "[ 1, 4 ]"},
        {
            "code": "({ [Symbol.for('Jupyter.mimebundle')]: () => ({ 'text/html': '<b>hi</b>' }) })",
            "result": "<b>hi</b>",
            "mime": "text/html",
        },
    ]
    code_display_data = [
        {"code": "import * as tslab from 'tslab'; tslab.display.html('<b>hi</b>')", "mime": "text/html"},
        {"code": "import * as tslab from 'tslab'; tslab.display.png(new Uint8Array([1, 2]))", "mime": "image/png"},
    ]
    code_history_pattern = "1 +* 3"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "Math.floor"
    code_clear_output = "(globalThis as any)[Symbol.for('jupyter.kernel.client')].clearOutput()"

    def debug(self, command, **arguments):
        content = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
        message = self.kc.session.msg("debug_request", content)
        self.kc.control_channel.send(message)
        while True:
            reply = self.kc.get_control_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                self.assertTrue(reply["content"]["success"], reply["content"])
                return reply["content"]["body"]

    def next_event(self, **fields):
        while True:
            message = self.kc.get_iopub_msg(timeout=60)
            if fields.items() <= message["content"].items():
                return message

    def test_debugger(self):
        code = "let n: number = 1;\nn += 1;\nn"
        self.debug("initialize")
        self.debug("attach")
        path = self.debug("dumpCell", code=code)["sourcePath"]
        self.debug("setBreakpoints", source={"path": path}, breakpoints=[{"line": 2}])
        self.debug("configurationDone")
        cell = self.kc.execute(code)
        self.next_event(event="stopped")
        frame = self.debug("stackTrace", threadId=1)["stackFrames"][0]
        self.assertEqual((frame["line"], frame["source"]["path"]), (2, path))
        self.debug("continue", threadId=1)
        # What is left would be read by the next test, which does not know it.
        self.next_event(event="continued")
        self.assertEqual(self.get_non_kernel_info_reply(timeout=60)["parent_header"]["msg_id"], cell)
        self.debug("disconnect")

    def test_comm(self):
        """Data and buffers both ways, by jupyter_client's own session."""

        def published(msg_type):
            while (message := self.kc.get_iopub_msg(timeout=60))["msg_type"] != msg_type:
                pass
            return message

        self.flush_channels()
        self.kc.execute(
            "const comm = (globalThis as any)[Symbol.for('jupyter.kernel.client')].comm.open('t', { a: 1 },"
            " { metadata: { version: '1' }, buffers: [new Uint8Array([1, 2])] });"
            "comm.onMessage((data: object, buffers: Uint8Array[]) => comm.send(data, { buffers }));"
        )
        self.kc.get_shell_msg(timeout=60)
        opened = published("comm_open")
        content = opened["content"]
        self.assertEqual((content["target_name"], content["data"], opened["metadata"]), ("t", {"a": 1}, {"version": "1"}))
        self.assertEqual([bytes(buffer) for buffer in opened["buffers"]], [b"\x01\x02"])
        session = self.kc.session
        message = session.msg("comm_msg", {"comm_id": content["comm_id"], "data": {"b": 2}})
        session.send(self.kc.shell_channel.socket, message, buffers=[b"\x00\xff", b""])
        answer = published("comm_msg")
        self.assertEqual(answer["content"]["data"], {"b": 2})
        self.assertEqual(answer["parent_header"]["msg_id"], message["header"]["msg_id"])
        self.assertEqual([bytes(buffer) for buffer in answer["buffers"]], [b"\x00\xff", b""])


class IopubWelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "stability-training"
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main()
