/**
 * The gateway goes away and comes back under clients that watch: they go on where they were, and see every
 * event once.
 */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from '@rhizome/client';
import { leftovers } from '@rhizome/testkit';
import { type Api, apiOf } from '../system/api.js';
import { commandLineOf } from '../system/cli.js';
import { createGate } from '../system/gated-payload.js';
import { jobsOf, logOf, submit } from '../system/jobs.js';
import { faultsOf, type JobWatch, watchJobs } from '../system/job-watch.js';
import { type Grant, speakAsWorker, startPilot, type WorkerPlace } from '../system/pilots.js';
import { startPlayground, type TransportKind } from '../system/playground-system.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';

/** A system whose gateway can be restarted: alone, or with all that is in its process. */
interface Restartable extends WorkerPlace {
  readonly wsUrl: string;
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

async function start(transport: TransportKind): Promise<Restartable> {
  if (transport === 'http') {
    const services: ServiceSystem = await startServices({ experiments: ['larkspur'] });
    const restart: Restartable['restart'] = async (signal) => {
      services.service('gateway').signal(signal);
      await services.startAgain('gateway');
    };
    const { url, wsUrl, token, data } = services;
    return { url, wsUrl, token, data, restart };
  }
  let system = await startPlayground();
  const { data, url, token } = system;
  const { wsUrl } = system.file;
  const restart: Restartable['restart'] = async (signal) => {
    await system.process.kill(signal);
    system = await startPlayground({ data, port: Number(new URL(url).port) });
  };
  return { url, wsUrl, token, data, restart };
}

/** Declares the stories for one transport. */
export function gatewayRestartStories(transport: TransportKind): void {
  describe(`over ${transport}`, () => {
    let system: Restartable;
    let api: Api;
    let watch: JobWatch;

    beforeAll(async () => {
      system = await start(transport);
      api = apiOf(system.url, system.token);
      const { url, wsUrl, token } = system;
      watch = await watchJobs(
        leftovers.use(
          createClient({ url, wsUrl, token, reconnect: { initialDelayMs: 50, maxDelayMs: 500 } }),
        ),
      );
    });

    /** Twenty jobs of a worker that ends half of them before the gateway goes, and the others after it. */
    async function watchedJobs(workerName: string) {
      const worker = await speakAsWorker(system, { name: workerName });
      const plans = Array.from({ length: 20 }, (_, index) => ({ name: `watched ${index}` }));
      const ids = await submit(api, plans);
      const held: Grant[] = [];
      while (held.length < 20) held.push(...(await worker.acquire(20 - held.length, { waitSeconds: 10 })));
      for (const grant of held) await worker.start(grant, 'RUNNING');
      for (const grant of held.slice(0, 10)) await worker.finish(grant, 'FINISHED');
      const before = watch.reconnects.length;
      return async (): Promise<void> => {
        for (const grant of held.slice(10)) await worker.finish(grant, 'FINISHED');
        for (const id of ids) await watch.untilState(id, 'FINISHED', 20_000);
        expect(watch.reconnects.length).toBeGreaterThan(before);
        for (const job of await jobsOf(api, ids)) {
          const seen = watch.of(job.id);
          expect(faultsOf(seen)).toEqual([]);
          // The submit, and each transition that the job itself remembers.
          expect(seen.slice(1).map(({ revision }) => revision)).toEqual(
            job.transitions.map(({ revision }) => revision),
          );
        }
      };
    }

    it('resumes a client without gap or repetition after SIGTERM', async () => {
      const expectWhole = await watchedJobs('spoken-SIGTERM');
      await system.restart('SIGTERM');
      await expectWhole();
    });

    it("resumes a client without gap or repetition after SIGKILL, and keeps `rhizome watch` and a pilot's payload running: one attempt, exit code 0", async () => {
      const gate = createGate(system.data);
      // With one core it has no free one for the watched jobs.
      const pilot = await startPilot(system, { name: 'steadfast', cores: 1 });
      const [id = ''] = await submit(api, [{ shell: `echo before; ${gate.wait}; echo after` }]);
      const env = { RHIZOME_URL: system.url, RHIZOME_TOKEN: system.token };
      const watching = commandLineOf(system).start(['watch', id], { env });
      await watch.untilState(id, 'RUNNING', 20_000);
      await watching.line(/RUNNING/, 20_000);
      const expectWhole = await watchedJobs('spoken-SIGKILL');
      await system.restart('SIGKILL');
      await expectWhole();
      await watching.line(/reconnecting/, 20_000);
      gate.open();
      await watching.line(/→ FINISHED {2}attempt 1 {2}exit code 0/, 20_000);
      expect(await watching.exited).toMatchObject({ code: 0 });
      const output = watching.stdout
        .filter((line) => line.includes('→'))
        .map((line) => /→ (\w+)/.exec(line)?.[1]);
      expect(output).toEqual([...new Set(output)]);
      expect(await logOf(api, id)).toBe('before\nafter\n');
      expect(await pilot.kill('SIGTERM')).toMatchObject({ code: 0 });
    });
  });
}
