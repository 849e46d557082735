import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { payloadSetup } from '../testing/payload-setup.js';
import { ProcessMonitor } from './process-monitor.js';

const setup = payloadSetup();
const { run } = setup;

/** A monitor that never takes a sample. */
class Blind extends ProcessMonitor {
  override add(): () => void {
    return () => undefined;
  }
}

/**
 * Compares CPU time with the output of the builtin `times`: the shell's own times, then those of its
 * children; minutes and seconds, user and system.
 */
function expectSeconds(cpuSeconds: number, out: string): void {
  const seconds = [...out.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, rest]) => Number(minutes) * 60 + Number(rest),
  );
  expect(seconds).toHaveLength(4);
  expect(Math.abs(cpuSeconds - seconds.reduce((a, b) => a + b, 0))).toBeLessThanOrEqual(0.05);
}

describe('usage of a payload', () => {
  const burn = (ms: number): string =>
    `${process.execPath} -e "const used=()=>{const{user,system}=process.cpuUsage();return user+system};while(used()<${ms}e3);"`;

  it('includes CPU time of ended children, as the shell itself reports it', async () => {
    const { usage, out } = await run(`${burn(300)}; ${burn(400)}; times`);
    expect(usage.cpuSeconds).toBeGreaterThanOrEqual(0.68);
    expectSeconds(usage.cpuSeconds, out);
    expect(usage.isPartial).toBe(false);
  });

  it('includes CPU time of a process that left its session', async () => {
    const { usage } = await run(`setsid ${burn(500)} & wait`);
    expect(usage.cpuSeconds).toBeGreaterThanOrEqual(0.48);
  });

  it('has CPU time and traffic of a payload shorter than one sample, marked as partial', async () => {
    setup.services = { ...setup.services, monitor: new Blind() };
    const { usage, out } = await run(
      'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; head -c 1000000 /dev/zero > data; times',
    );
    expect(usage).toMatchObject({ isPartial: true, peakMemoryMiB: null });
    expect(usage.writeBytes).toBeGreaterThanOrEqual(1_000_000);
    expect(usage.writeBytes).toBeLessThan(1_500_000);
    expect(usage.cpuSeconds).toBeGreaterThan(0);
    expectSeconds(usage.cpuSeconds, out);
  });

  it('has peak memory and bytes written to storage', async () => {
    const { usage } = await run(
      `dd if=/dev/zero of=data bs=1M count=20 conv=fsync 2>/dev/null; ${process.execPath} -e "const b=Buffer.alloc(150e6,1);setTimeout(()=>b,600)"`,
    );
    expect(usage.peakMemoryMiB).toBeGreaterThan(150);
    expect(usage.peakMemoryMiB).toBeLessThan(600);
    expect(usage.writeBytes).toBeGreaterThanOrEqual(20 * 2 ** 20);
    expect(await readFile(join(setup.folder, 'data'))).toHaveLength(20 * 2 ** 20);
  });
});
