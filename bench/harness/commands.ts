import { spawn, spawnSync } from 'node:child_process';

/** Runs a program to its end and returns its standard output. Throws with its standard error when it fails. */
export async function run(program: string, args: readonly string[], options: { input?: string } = {}): Promise<string> {
  const child = spawn(program, args, { stdio: 'pipe' });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdin.end(options.input);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${errors.trim().slice(-500) || output.slice(-500)}`);
  return output;
}

/** Where a program is, looking into the directories of system daemons too, or null. */
export function which(program: string): string | null {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const found = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program], { env: { ...process.env, PATH: path } });
  return found.status === 0 ? found.stdout.toString().trim() : null;
}

const DEBIAN_PACKAGES: Readonly<Record<string, string>> = {
  nginx: 'nginx-light',
  wrk: 'wrk',
  curl: 'curl',
  ffmpeg: 'ffmpeg',
};

/**
 * Path of a program that a claim needs; installed from Debian where it is missing and we may. Null when it cannot be
 * had: the claim then says so and goes on with the other peers.
 */
export async function obtain(program: string): Promise<string | null> {
  const present = which(program);
  const wanted = DEBIAN_PACKAGES[program];
  if (present || !wanted || process.getuid?.() !== 0 || !which('apt-get')) return present;
  console.log(`  installing ${wanted}, which is missing here`);
  // A package's service would listen on a well-known port: RUNLEVEL=1 asks not to start it.
  const environment = ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1'];
  const install = [...environment, 'apt-get', 'install', '-y', '--no-install-recommends', wanted];
  try {
    // A fresh machine has no package lists yet: ask for them only when the first attempt fails.
    await run('env', install).catch(() => run('apt-get', ['update']).then(() => run('env', install)));
  } catch (error) {
    console.log(`  ${wanted} cannot be installed: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
  }
  return which(program);
}
