import { succeeds } from './processes.mjs';
import { KnownFailure, say } from './say.mjs';

const STILL_AT_WORK_MS = 10_000;

/**
 * Runs npm, quietly: says every ten seconds that it is still at work. Its own lines are long and end in stack traces, so of a failure
 * only the reason is kept.
 *
 * @returns {Promise<string | null>} the reason why it failed, on one line; null when it did not
 */
export async function runNpm(args, cwd) {
  let output = '';
  const begun = Date.now();
  const timer = setInterval(() => say(`  … ${Math.round((Date.now() - begun) / 1000)} s`), STILL_AT_WORK_MS);
  const onOutput = (text) => {
    output += text;
  };
  try {
    // Asked kindly, npm first undoes its work for half a minute; what it leaves half-done the next run begins anew.
    const options = { cwd, onOutput, stopWith: 'SIGKILL' };
    const isContent = await succeeds('npm', ['--no-audit', '--no-fund', '--loglevel=error', ...args], options);
    return isContent ? null : reasonIn(output);
  } catch (error) {
    if (error instanceof KnownFailure) throw error;
    return `it does not start (${error.code})`;
  } finally {
    clearInterval(timer);
  }
}

/** What npm complains of: the code of its error, and the first line in words. */
export function reasonIn(output) {
  const lines = output.split('\n').filter((line) => /^npm (error|ERR!)/.test(line));
  const said = lines.map((line) => line.replace(/^npm (error|ERR!)\s*/, '')).filter((line) => line !== '');
  const code = said.find((line) => line.startsWith('code '))?.slice('code '.length);
  const words = said.find((line) => !/^(code|syscall|errno|path|dest|network|command|signal)\b/.test(line));
  return [code, words].filter(Boolean).join(': ') || 'it gives no reason';
}
