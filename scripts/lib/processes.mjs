import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Interrupted } from './say.mjs';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** What a command that does not stop when asked gets, in milliseconds. */
const GRACE_MS = 10_000;

/**
 * @typedef {object} End how a command ended
 * @property {number | null} code
 * @property {NodeJS.Signals | null} signal
 * @property {NodeJS.Signals | null} forwarded the signal that we got ourselves, and handed on
 * @property {boolean} timedOut
 */

/**
 * Runs a command with our own standard streams, hands signals on to it, and waits for its end.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions & {
 *   timeoutMs?: number, onOutput?: (text: string) => void, stopWith?: NodeJS.Signals }} [options]
 *   after `timeoutMs` the command is ended; with `onOutput`, what it prints goes there instead; `stopWith` is sent in the place of
 *   any signal that we get
 * @returns {Promise<End>}
 * @throws the error of the operating system when the command can't be started, e.g. `ENOENT`
 */
export function runForeground(command, args, { timeoutMs, onOutput, stopWith, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = onOutput ? ['ignore', 'pipe', 'pipe'] : 'inherit';
    const child = spawn(command, args, { stdio, ...options });
    if (onOutput) for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', onOutput);
    const end = { forwarded: null, timedOut: false };
    const forward = (signal) => {
      end.forwarded = signal;
      // A terminal sends Ctrl-C to the whole foreground group: the child already has it, and a second one would mean "at once".
      const has = signal === 'SIGINT' && process.stdin.isTTY;
      if (stopWith) child.kill(stopWith);
      else if (!has) child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    const timers = [];
    const stop = () => {
      end.timedOut = true;
      child.kill('SIGTERM');
      timers.push(setTimeout(() => child.kill('SIGKILL'), GRACE_MS));
    };
    if (timeoutMs) timers.push(setTimeout(stop, timeoutMs));
    const release = () => {
      for (const signal of FORWARDED) process.off(signal, forward);
      for (const timer of timers) clearTimeout(timer);
    };
    child.once('error', (error) => {
      release();
      reject(error);
    });
    child.once(onOutput ? 'close' : 'exit', (code, signal) => {
      release();
      resolve({ code, signal, ...end });
    });
  });
}

/**
 * Runs a command that is one step of several. Answers whether it was content.
 *
 * @throws {Interrupted} when somebody asked us, or it, to stop
 */
export async function succeeds(command, args, options) {
  const end = await runForeground(command, args, options);
  if (end.forwarded || end.signal)
    throw new Interrupted(exitCodeOf({ code: null, signal: end.forwarded ?? end.signal }));
  return end.code === 0;
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
