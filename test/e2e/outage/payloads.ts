/**
 * Payloads that run through an outage: each waits for the gate of its group, writes an output and a log, and
 * ends with a code of its own.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { Api } from '../system/api.js';
import { createGate, type Gate } from '../system/gated-payload.js';
import { type JobView, jobsOf, logOf, submit } from '../system/jobs.js';
import { processesBy, type ProcessFacts } from '../system/processes.js';

/** Where payloads run. */
export interface PayloadPlace {
  readonly api: Api;
  readonly data: string;
  readonly queue: string;
}

/** Payloads that end together. */
export class PayloadGroup {
  readonly ids: readonly string[];
  readonly #place: PayloadPlace;
  readonly #gate: Gate;

  private constructor(place: PayloadPlace, gate: Gate, ids: readonly string[]) {
    this.#place = place;
    this.#gate = gate;
    this.ids = ids;
  }

  /** Submits them. A failed attempt ends its job, so that a lost one shows. */
  static async submit(
    place: PayloadPlace,
    name: string,
    count: number,
    more: object = {},
  ): Promise<PayloadGroup> {
    const gate = createGate(place.data);
    const plans = Array.from({ length: count }, (_, index) => ({
      name: `${name} ${index}`,
      payload: {
        command: 'sh',
        arguments: ['-c', shellOf(gate, `${name} ${index}`, exitCodeOf(index))],
        outputs: ['result'],
      },
      requirements: { memoryMiB: 64, diskMiB: 1, walltimeSeconds: 3600, queue: place.queue },
      retry: { maxAttempts: 1 },
      ...more,
    }));
    return new PayloadGroup(place, gate, await submit(place.api, plans));
  }

  /** Lets them end. */
  open(): void {
    this.#gate.open();
  }

  async jobs(): Promise<readonly JobView[]> {
    return jobsOf(this.#place.api, this.ids);
  }

  /** The shells of the payloads: one of each, which lasts as long as the payload. */
  processes(): readonly ProcessFacts[] {
    const found = processesBy('RHIZOME_JOB_ID');
    return this.ids.flatMap((id) =>
      (found.get(id) ?? []).filter(({ commandLine }) => !commandLine.startsWith('sleep')).slice(0, 1),
    );
  }

  async untilRunning(): Promise<void> {
    await this.#until('running', (job) => job.state === 'RUNNING');
    await waitFor('all payloads', () => this.processes().length === this.ids.length, { deadlineMs: 120_000 });
  }

  /** Waits until core knows the end of each. */
  async untilEnded(): Promise<void> {
    await this.#until('the end of all', ({ state }) => state === 'FINISHED' || state === 'FAILED');
  }

  /** Everything that the payloads did has arrived, by the one attempt of each that ran. */
  async expectResults(): Promise<void> {
    const jobs = await this.jobs();
    for (const [index, job] of jobs.entries()) {
      const code = exitCodeOf(index);
      const state = code === 0 ? 'FINISHED' : 'FAILED';
      const error = code === 0 ? null : { code: 'EXIT_CODE' };
      const { name, exitCode } = job;
      // A grant that its pilot received too late on a busy machine started no payload.
      const attempts = job.attempts.filter((one) => one.error?.code !== 'GRANT_LOST');
      // As one value: if one of them is wrong, the error of the attempt says why.
      expect({ name, state: job.state, exitCode, attempts }).toMatchObject({
        name,
        state,
        exitCode: code,
        attempts: [{ exitCode: code, outcome: state, error }],
      });
      expect(await logOf(this.#place.api, job.id)).toBe(`up ${job.name}\ndown ${job.name}\n`);
      if (code === 0) await this.#expectOutput(job);
    }
  }

  async #expectOutput({ id, name }: JobView): Promise<void> {
    const { job } = await this.#place.api.data<{
      job: { outputs: { name: string; location: string; sha256: string }[] };
    }>('query ($id: ID!) { job(id: $id) { outputs { name location sha256 } } }', { id });
    const [output] = job.outputs;
    const content = await readFile(join(this.#place.data, 'store', output?.location ?? ''));
    expect(String(content)).toBe(`result of ${name}\n`);
    expect(createHash('sha256').update(content).digest('hex')).toBe(output?.sha256);
  }

  async #until(what: string, holds: (job: JobView) => boolean): Promise<void> {
    // Right after an outage the gateway does not call core for a moment.
    const jobs = async (): Promise<readonly JobView[]> => this.jobs().catch(() => []);
    const all = async (): Promise<boolean> => {
      const found = await jobs();
      return found.length === this.ids.length && found.every(holds);
    };
    await waitFor(`${what} of ${this.ids.length} jobs`, all, { deadlineMs: 240_000 });
  }
}

/** One in four payloads fails, so that codes other than 0 arrive, too. */
const exitCodeOf = (index: number): number => (index % 4 === 3 ? 3 : 0);

function shellOf(gate: Gate, name: string, code: number): string {
  return [
    `echo "up ${name}"`,
    gate.wait,
    `echo "result of ${name}" > "$RHIZOME_OUTPUTS/result"`,
    `echo "down ${name}"`,
    `exit ${code}`,
  ].join('; ');
}
