/**
 * The story of our own outages: core, the gateway and the store are gone for several leases, one after the
 * other, while payloads run on real pilots. Some end during each outage, the others go on.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { type TestProcess, waitFor } from '@rhizome/testkit';
import { startPilot } from '../system/pilots.js';
import { alive } from '../system/processes.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';
import { PayloadGroup } from './payloads.js';

/** Size of the story. */
export interface OutageSize {
  readonly pilots: number;
  /** Payloads of each pilot: a fourth ends in each outage, and the rest at the end. */
  readonly payloadsOfPilot: number;
  /** Length of each outage. */
  readonly leases: number;
}

const queue = 'short-lease';
const leaseSeconds = 2;

/** Each part of the system that goes, with its return. */
const outages = (system: ServiceSystem) => ({
  core: async (silence: () => Promise<void>) => restart(system, 'core', silence),
  gateway: async (silence: () => Promise<void>) => restart(system, 'gateway', silence),
  store: async (silence: () => Promise<void>) => {
    const { members } = system.mongo;
    await Promise.all(members.map(async (member) => member.kill('SIGKILL')));
    await silence();
    for (const member of members) await member.restart();
  },
});

async function restart(system: ServiceSystem, name: string, silence: () => Promise<void>): Promise<void> {
  system.service(name).signal('SIGKILL');
  await system.service(name).exited;
  await silence();
  await system.startAgain(name);
}

async function startSystem({ pilots, payloadsOfPilot }: OutageSize): Promise<{
  readonly system: ServiceSystem;
  readonly pilots: readonly TestProcess[];
}> {
  const system = await startServices({ experiments: [] });
  const limits = { heartbeatSeconds: 1, leaseSeconds };
  await system.api().change('createQueue', { name: queue, site: 'STORY', limits });
  const names = Array.from({ length: pilots }, (_, index) => `pilot-${index}`);
  const started = names.map(async (name) =>
    startPilot(system, { name, queue, cores: payloadsOfPilot, args: ['--memory-mib', '32768'] }),
  );
  return { system, pilots: await Promise.all(started) };
}

/** Declares the test. @param timeoutMs of a story that takes longer than other tests may */
export function outageTest(name: string, size: OutageSize, timeoutMs?: number): void {
  it(
    name,
    async () => {
      const { system, pilots } = await startSystem(size);
      const place = { api: system.api(), data: system.data, queue };
      const count = (size.pilots * size.payloadsOfPilot) / 4;
      const all = Object.entries(outages(system));
      const groups: PayloadGroup[] = [];
      for (const what of [...all.map(([one]) => one), 'nothing'])
        groups.push(await PayloadGroup.submit(place, `ends without ${what}`, count));
      for (const group of groups) await group.untilRunning();
      for (const [index, [what, goes]] of all.entries()) {
        const ending = groups[index] as PayloadGroup;
        const others = groups.slice(index + 1);
        const before = others.flatMap((group) => group.processes());
        await goes(async () => {
          await delay(leaseSeconds * 1000 * size.leases * 0.5);
          ending.open();
          const running = (): number => ending.processes().length;
          await waitFor(`the payloads to end without ${what}`, () => running() === 0, {
            deadlineMs: 120_000,
          });
          await delay(leaseSeconds * 1000 * size.leases * 0.5);
        });
        await ending.untilEnded();
        await ending.expectResults();
        expect(alive(before)).toHaveLength(before.length);
        process.stderr.write(`story: ${before.length} payloads ran on without ${what}\n`);
      }
      groups.at(-1)?.open();
      await groups.at(-1)?.untilEnded();
      for (const group of groups) await group.expectResults();
      for (const pilot of pilots) expect(await pilot.kill('SIGTERM')).toMatchObject({ code: 0 });
    },
    timeoutMs,
  );
}
