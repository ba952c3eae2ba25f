import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a command with our own standard streams, hands signals on to it, and waits for its end.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions & { timeoutMs?: number }} [options] after `timeoutMs` the command is ended
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null, timedOut: boolean }>}
 * @throws the error of the operating system when the command can't be started, e.g. `ENOENT`
 */
export function runForeground(command, args, options = {}) {
  const { timeoutMs, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', ...spawnOptions });
    // A terminal sends Ctrl-C to the whole foreground group: the child already has it, and a second one would mean "at once".
    const forward = (signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    let timedOut = false;
    const timers = [];
    const end = () => {
      timedOut = true;
      child.kill('SIGTERM');
      timers.push(setTimeout(() => child.kill('SIGKILL'), 10_000));
    };
    if (timeoutMs) timers.push(setTimeout(end, timeoutMs));
    const release = () => {
      for (const signal of FORWARDED) process.off(signal, forward);
      for (const timer of timers) clearTimeout(timer);
    };
    child.once('error', (error) => {
      release();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      release();
      resolve({ code, signal, timedOut });
    });
  });
}

/** The exit code that a shell would show for a process that ended in this way. */
export function exitCodeOf({ code, signal }) {
  return code ?? 128 + (constants.signals[signal] ?? 0);
}

/** Whether a process of this id exists, be it ours or another user's. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
