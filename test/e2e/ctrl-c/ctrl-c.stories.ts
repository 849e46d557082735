/**
 * Ctrl-C and SIGKILL to a playground with a payload: nothing is left, and the data is there at the next
 * start.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { PlaygroundFile } from '@rhizome/playground';
import { spawnProcess, waitFor } from '@rhizome/testkit';
import { apiOf } from '../system/api.js';
import { jobOf, submit } from '../system/jobs.js';
import {
  dataFolder,
  type PlaygroundSystem,
  root,
  startPlayground,
  type TransportKind,
} from '../system/playground-system.js';
import { describe as describeProcesses, processesWith, treeOf, untilGone } from '../system/processes.js';

/** Ctrl-C, and nothing is left: the promise. */
export const endWithinMs = 5_000;

/**
 * A payload that is hard to end: it ignores SIGTERM, and has a child in a session of its own that does, too.
 */
const stubborn =
  "trap '' TERM INT HUP; setsid sh -c \"trap '' TERM INT HUP; while :; do sleep 1; done\" & while :; do sleep 1; done";

/** Declares what depends on the transport. */
export function ctrlCStories(transport: TransportKind): void {
  // The tests of a transport share a folder, and each goes on with the system that the one before it left.
  describe(`over ${transport}`, () => {
    let system: PlaygroundSystem;

    it("ends everything on Ctrl-C in npm's terminal, including payloads; a restart continues with its data", async () => {
      const data = await dataFolder();
      const args = ['--no-tour', '--pilots', '1', '--port', '0', '--data', data, '--transport', transport];
      const npm = spawnProcess({
        name: 'npm run playground',
        command: 'npm',
        args: ['run', 'playground', '--', ...args],
        cwd: root,
        group: true,
      });
      await npm.line(/playground ready/, 30_000);
      const file = JSON.parse(await readFile(join(data, 'playground.json'), 'utf8')) as PlaygroundFile;
      const api = apiOf(file.url, file.token);
      const [id = ''] = await submit(api, [{ name: 'stubborn', shell: stubborn }]);
      await waitFor('the payload', () => processesWith(`RHIZOME_JOB_ID=${id}`).length >= 2, {
        deadlineMs: 20_000,
      });

      const everything = [
        ...treeOf(npm.pid),
        ...processesWith(data),
        ...processesWith(`RHIZOME_JOB_ID=${id}`),
      ];
      const started = performance.now();
      // As a terminal does: the signal goes to the whole group, npm's shell and ours.
      process.kill(-npm.pid, 'SIGINT');
      await npm.exited;
      await untilGone(everything, endWithinMs);
      process.stderr.write(
        `measured: Ctrl-C to the end (${transport}) ${(performance.now() - started).toFixed(0)} ms\n`,
      );
      expect(describeProcesses(processesWith(data))).toBe('none');
      expect(existsSync(join(data, 'playground.json'))).toBe(false);

      system = await startPlayground({ data, transport, pilots: 1 });
      const job = await jobOf(system.api(), id);
      expect(job.name).toBe('stubborn');
      const isRunningAgain = async (): Promise<boolean> => {
        const { state, attempt } = await jobOf(system.api(), id);
        return state === 'RUNNING' && attempt >= 2;
      };
      await waitFor('the second attempt to run', isRunningAgain, { deadlineMs: 45_000 });
    });

    it('leaves no process behind when it is killed; a restart finds its data', async () => {
      const [id = ''] = await submit(system.api(), [{ name: 'kept', shell: stubborn }]);
      await waitFor('the payload', () => processesWith(`RHIZOME_JOB_ID=${id}`).length >= 2, {
        deadlineMs: 20_000,
      });
      const everything = [
        ...treeOf(system.process.pid),
        ...processesWith(system.data),
        ...processesWith(`RHIZOME_JOB_ID=${id}`),
      ];
      await system.process.kill('SIGKILL');
      await untilGone(everything, 2 * endWithinMs);
      system = await startPlayground({ data: system.data, transport });
      expect(await jobOf(system.api(), id)).toMatchObject({ id, name: 'kept' });
    });

    it('ends on Ctrl-C with 0', async () => {
      expect(await system.stop()).toMatchObject({ code: 0 });
    });
  });
}
