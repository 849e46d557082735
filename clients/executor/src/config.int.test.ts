import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { readConfig } from './config.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rhizome-executor-'));
  await writeFile(join(folder, 'token'), 'secret\n');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const queue = `  - queue: north
    provider: { kind: slurm, partition: batch }
    experiments: [alpha]
    shapes:
      - { name: small, cores: 1, memoryMiB: 2000, diskMiB: 10000, walltimeSeconds: 3600 }
`;

async function read(text: string, env: NodeJS.ProcessEnv = {}) {
  const file = join(folder, 'executor.yaml');
  const head = `name: site\nurl: https://rhizome.example/graphql\ntokenFile: ${join(folder, 'token')}\nqueues:\n`;
  await writeFile(file, text.startsWith('name') ? text : head + text);
  return readConfig(file, env);
}

it('has defaults, which variables replace', async () => {
  const config = await read(queue, { RHIZOME_EXECUTOR_CYCLE_SECONDS: '60' });
  expect(config).toMatchObject({
    cycleSeconds: 60,
    queues: [
      {
        provider: { kind: 'slurm', commandSeconds: 60 },
        limits: { open: 100, pending: 20, perCycle: 20, perMinute: 60 },
        pilot: { command: ['rhizome-pilot'], idleSeconds: 300, drainSeconds: 120 },
      },
    ],
  });
});

it('names the settings that are wrong', async () => {
  const wrong = queue.replace('cores: 1', 'cores: 0').replace('kind: slurm', 'kind: pigeon');
  await expect(read(wrong)).rejects.toThrow(/provider[\s\S]*cores/);
  await expect(read(queue + queue)).rejects.toThrow('expected each queue once');
  await expect(read(queue.replace('3600', '180'))).rejects.toThrow(
    'shape small of queue north has walltimeSeconds 180; must be more than 180',
  );
  await expect(read(`${queue}    colour: red\n`)).rejects.toThrow(/colour/);
});

it('sends its token neither in plain text to another host, nor without a file', async () => {
  const head = `name: site\nurl: http://rhizome.example/graphql\ntokenFile: ${join(folder, 'token')}\nqueues:\n`;
  await expect(read(head + queue)).rejects.toThrow(/insecureTransport/);
  const none = `name: site\nurl: https://rhizome.example/graphql\ntokenFile: ${join(folder, 'none')}\nqueues:\n`;
  await expect(read(none + queue)).rejects.toThrow(/Token file .* cannot be read/);
});
