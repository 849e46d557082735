/**
 * A pilot's simulated fleet that a story changes while the pilot runs, and jobs that need something of it.
 */
import { randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { Api } from '../system/api.js';
import type { CommandLine } from '../system/cli.js';
import { experiment } from '../system/jobs.js';

/** A device of a fleet file. */
export type Device = Readonly<Record<string, unknown>> & { readonly id: string };

/** Fields of a job with GPUs. */
export interface GpuJob {
  readonly state: string;
  readonly attempts: readonly {
    readonly deviceIds: readonly string[];
    readonly metrics: {
      readonly gpuUtilisation: number | null;
      readonly gpuPeakMemoryMiB: number | null;
    } | null;
  }[];
  readonly log: { readonly chunks: readonly { readonly text: string }[] };
}

/** The file that a pilot presents. */
export class FleetFile {
  readonly #path: string;

  /** @param data the data folder of the system */
  constructor(data: string) {
    this.#path = join(dirname(data), 'fleet.json');
  }

  /** Flags of the playground with which its first pilot presents the file. */
  get flags(): readonly string[] {
    return ['--gpu-simulate', this.#path];
  }

  /** Replaces the fleet in one step: the file is read at any time. */
  async becomes(devices: readonly Device[]): Promise<void> {
    await writeFile(`${this.#path}.next`, JSON.stringify({ devices }));
    await rename(`${this.#path}.next`, this.#path);
  }
}

/** Submits a job by the command line; answers its id. */
export async function submitByCli(cli: CommandLine, shell: string, ...flags: string[]): Promise<string> {
  const args = ['-e', experiment, '--memory', '50', '--disk', '1', '--walltime', '600', ...flags];
  const output = await cli.run(['submit', '--key', randomUUID(), ...args, '--', 'sh', '-c', shell]);
  expect([output.exitCode, output.stderr]).toEqual([0, '']);
  return output.stdout.trim();
}

/** A job as it is now. */
export async function gpuJob(api: Api, id: string): Promise<GpuJob> {
  const { job } = await api.data<{ job: GpuJob }>(
    `query ($id: ID!) { job(id: $id) { state
      attempts { deviceIds metrics { gpuUtilisation gpuPeakMemoryMiB } }
      log(first: 100) { chunks { text } } } }`,
    { id },
  );
  return job;
}

/** A job in the state. */
export async function jobIn(api: Api, id: string, state: string): Promise<GpuJob> {
  let job = await gpuJob(api, id);
  await waitFor(`${id} to be ${state}`, async () => (job = await gpuJob(api, id)).state === state, {
    deadlineMs: 20_000,
  });
  return job;
}

/** Health by device, as core knows it. */
export async function healthOf(api: Api): Promise<Readonly<Record<string, string>>> {
  const { workers } = await api.data<{
    workers: { nodes: { devices: { id: string; health: string }[] }[] };
  }>('{ workers(first: 10) { nodes { devices { id health } } } }');
  return Object.fromEntries(
    workers.nodes.flatMap(({ devices }) => devices.map(({ id, health }) => [id, health])),
  );
}
