import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { DiskWatch } from './disk-watch.js';

const anHour = 3_600_000;
const limitBytes = 2 * 1024 ** 2;

let folder: string;
let exceeded: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'disk-watch-'));
  await writeFile(join(folder, 'input'), 'x');
  exceeded = 0;
});

afterEach(() => rm(folder, { recursive: true }));

/** A watch that has finished its scan at the start; by default it makes no regular one. */
async function startedWatch(periodMs = anHour): Promise<DiskWatch> {
  const onExceeded = (): void => void (exceeded += 1);
  const watch = new DiskWatch({ folder, limitBytes, periodMs, onExceeded });
  await waitFor('the scan at the start', () => watch.peakBytes > 0, { deadlineMs: 1000 });
  return watch;
}

describe('DiskWatch', () => {
  it('finds what was written after its last scan, and does not report it as running', async () => {
    const watch = await startedWatch();
    // Synchronous, so that no scan comes in between.
    writeFileSync(join(folder, 'data'), Buffer.alloc(3_000_000));
    await watch.finish();
    expect(watch.isExceeded).toBe(true);
    expect(watch.peakBytes).toBeGreaterThanOrEqual(3_000_000);
    expect(exceeded).toBe(0);
  });

  it('is not exceeded by files within the limit', async () => {
    const watch = await startedWatch();
    writeFileSync(join(folder, 'data'), Buffer.alloc(1_000_000));
    await watch.finish();
    expect(watch.isExceeded).toBe(false);
    expect(exceeded).toBe(0);
  });

  it('reports once while it runs', async () => {
    const watch = await startedWatch(50);
    writeFileSync(join(folder, 'data'), Buffer.alloc(3_000_000));
    await waitFor('the report', () => exceeded > 0, { deadlineMs: 5000 });
    await watch.finish();
    expect(exceeded).toBe(1);
  });
});
