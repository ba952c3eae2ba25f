import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { cpuSeconds, peakResidentBytes, processTree, proportionalBytes } from './processes.ts';

describe.runIf(process.platform === 'linux')('reading /proc', () => {
  it('finds the children of a process and what they use', async () => {
    const child = spawn(process.execPath, ['-e', 'console.log("up"); process.stdin.resume()'], { stdio: 'pipe' });
    await once(child.stdout, 'data');
    const pid = child.pid as number;
    expect(processTree(process.pid)).toContain(pid);
    expect(cpuSeconds([pid])).toBeGreaterThan(0);
    expect(peakResidentBytes(pid)).toBeGreaterThan(10_000_000);
    expect(proportionalBytes([pid])).toBeGreaterThan(1_000_000);
    child.stdin.end();
    await once(child, 'exit');
    expect(cpuSeconds([pid])).toBe(0);
  });
});
