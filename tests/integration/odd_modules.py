# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules as people write them, and as they should not: each ends, prints or leaves something in its own way."""

from __future__ import annotations

HEAD = "from ansible.module_utils.basic import AnsibleModule\nimport os, signal, sys\n"

ODD_MODULES = {
    "surroundings": HEAD
    + """
import locale, resource
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
module = AnsibleModule({})
module.exit_json(
    uid=os.getuid(), gid=os.getgid(), groups=os.getgroups(), directory=os.getcwd(), mask=os.umask(0o022),
    environment={name: value for name, value in os.environ.items()}, arguments=sys.argv, interpreter=sys.executable,
    original=getattr(sys, 'orig_argv', None), flags=str(sys.flags), path=sys.path[1:], name=__name__,
    file=__file__, stdin=sys.stdin.read(), encoding=sys.stdout.encoding, locale=locale.setlocale(locale.LC_ALL),
    files=[n for n in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + n)],
    kinds=[os.readlink('/proc/self/fd/%d' % n).split(':')[0] for n in range(3)],
    signals=[status[name] for name in ('SigBlk', 'SigIgn', 'SigCgt')],
    capabilities=[status[name] for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs')],
    limits=[resource.getrlimit(n) for n in range(10)], leader=os.getpid() in (os.getsid(0), os.getpgrp()),
    comm=open('/proc/self/comm').read(), nice=os.nice(0), threads=status['Threads'],
    modlib=os.path.exists(_modlib_path), temporary=module.tmpdir.rpartition('/')[0],
)
""",
    "fails": HEAD + "AnsibleModule({}).fail_json(msg='as it should')",
    "without_a_result": HEAD + "AnsibleModule({})",
    "unknown_arguments": HEAD + "AnsibleModule({'needed': {'required': True}}).exit_json()",
    "hard_exit": HEAD + "print('{}')\nsys.stdout.flush()\nos._exit(7)",
    "exit_with_text": HEAD + "sys.exit('no more \\u2713')",
    "exit_with_status": HEAD + "print('text')\nsys.exit(300)",
    "raises": HEAD + "AnsibleModule({})\nraise ValueError('unexpected')",
    "interrupted": HEAD + "AnsibleModule({})\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(1)",
    "killed": HEAD + "os.kill(os.getpid(), signal.SIGKILL)",
    "crashed": HEAD + "os.kill(os.getpid(), signal.SIGSEGV)",
    "garbage": HEAD + "os.write(1, bytes(range(256)))\nos.write(2, b'\\xff\\xfe')",
    "garbage_around": HEAD + "print('before')\nprint('{\"changed\": true}')\nprint('after')",
    "large_output": HEAD + "AnsibleModule({}).exit_json(text='x' * 3000000)",
    "warns": HEAD + "module = AnsibleModule({})\nmodule.warn('careful')\nmodule.exit_json(changed=True)",
    "threads_left": HEAD
    + """
import threading, time
threading.Thread(target=time.sleep, args=(0.5,)).start()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
AnsibleModule({}).exit_json()
""",
    "at_exit": HEAD + "import atexit\natexit.register(print, 'late')\nAnsibleModule({}).exit_json()",
    "out_of_memory": HEAD
    + """
import resource
resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))
module = AnsibleModule({})
kept = ['x' * (1 << 20) for number in range(1000)]
""",
    "leaves_a_child": HEAD + "import subprocess\nsubprocess.Popen(['sleep', '4716'])\nAnsibleModule({}).exit_json()",
    "runs_commands": HEAD
    + """
module = AnsibleModule({})
rc, out, err = module.run_command('env | sort; umask; pwd; cat; echo $-', use_unsafe_shell=True, data='in')
module.exit_json(rc=rc, out=out, err=err)
""",
    "imports_everything": HEAD
    + """
from ansible.module_utils import urls, service, facts
from ansible.module_utils.facts.packages import get_all_pkg_managers
from ansible.module_utils.common.text.converters import to_text
import ansible.module_utils.common.text
module = AnsibleModule({})
ours = sorted(name for name in sys.modules if name.split('.')[0] in ('ansible', 'ansible_collections', '__main__'))
files = [getattr(sys.modules[name], '__file__', None) for name in ours]
module.exit_json(modules=ours, files=files, function=to_text.__code__.co_filename)
""",
}

__all__ = ("ODD_MODULES",)
