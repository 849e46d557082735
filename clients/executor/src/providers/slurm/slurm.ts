/** Slurm by its commands. Facts are taken from the list, never from exit codes. */
import type { CommandRunner } from '../run-command.js';
import { shortened } from '../run-command.js';
import type { Cancelled, Listing, PilotBatch, Provider, ScriptOf, SubmitOutcome } from '../provider.types.js';
import { isRefusal } from './refusals.js';
import { jobName, listFormat, parseList } from './squeue.js';

/** Settings of {@link SlurmProvider}. */
export interface SlurmOptions {
  readonly runner: Pick<CommandRunner, 'run'>;
  readonly script: ScriptOf;
  /** Name of the queue: the jobs of others in the same account are left alone. */
  readonly queue: string;
  readonly partition: string | undefined;
  readonly account: string | undefined;
  readonly qos: string | undefined;
  /** Further arguments of `sbatch`. */
  readonly arguments: readonly string[];
  /** Folder for the output of the batch jobs; undefined for none. */
  readonly logFolder: string | undefined;
}

const mostCancelled = 100;

/** Starts pilots as jobs of Slurm. The pilots of a batch are one array job. */
export class SlurmProvider implements Provider {
  readonly #options: SlurmOptions;

  constructor(options: SlurmOptions) {
    this.#options = options;
  }

  async describe(): Promise<readonly string[]> {
    const found = await this.#run('sinfo', [
      '-h',
      '-o',
      '%P up=%a limit=%l nodes=%D cores=%c memoryMiB=%m gres=%G',
    ]);
    if (found.kind !== 'DONE') throw new Error(found.reason);
    return found.stdout.split('\n').filter((line) => line.trim() !== '');
  }

  async submit(batch: PilotBatch): Promise<SubmitOutcome> {
    const input = this.#options.script(batch, 'SLURM_ARRAY_TASK_ID');
    const result = await this.#run('sbatch', [...this.#sbatch(batch)], input);
    if (result.kind === 'FAILED')
      return { kind: isRefusal(result) ? 'REFUSED' : 'UNKNOWN', reason: result.reason };
    if (result.kind === 'UNKNOWN') return result;
    // `id;cluster` in a federation.
    const id = /^(\d+)(;\S+)?\s*$/.exec(result.stdout)?.[1];
    if (id === undefined)
      return { kind: 'UNKNOWN', reason: `sbatch printed ${JSON.stringify(shortened(result.stdout))}` };
    return {
      kind: 'ACCEPTED',
      batchJobIds: new Map(batch.pilots.map((pilot) => [pilot.id, `${id}_${pilot.number}`])),
    };
  }

  async list(): Promise<Listing> {
    const result = await this.#run('squeue', ['-h', '-r', '-t', 'all', '--me', '-o', listFormat]);
    if (result.kind !== 'DONE') return { isComplete: false, reason: result.reason };
    const jobs = parseList(result.stdout, this.#options.queue);
    return jobs ? { isComplete: true, jobs } : { isComplete: false, reason: 'squeue printed something else' };
  }

  async cancel(batchJobIds: readonly string[], which: Cancelled): Promise<void> {
    const options = which === 'WAITING' ? ['--state=PENDING'] : [];
    for (let at = 0; at < batchJobIds.length; at += mostCancelled)
      await this.#run('scancel', [...options, ...batchJobIds.slice(at, at + mostCancelled)]);
  }

  #sbatch({ batch, pilots, resources }: PilotBatch): readonly string[] {
    const { partition, account, qos, logFolder, ...options } = this.#options;
    const { cores, memoryMiB, gpus, gpuType, walltimeSeconds } = resources;
    const optional = (name: string, value: string | undefined) =>
      value === undefined ? [] : [`--${name}=${value}`];
    return [
      '--parsable',
      `--job-name=${jobName(batch, this.#options.queue)}`,
      // A job that ran is not run again: its code has been used.
      '--no-requeue',
      ...['--nodes=1', '--ntasks=1', `--cpus-per-task=${cores}`, `--mem=${memoryMiB}M`],
      `--time=${Math.ceil(walltimeSeconds / 60)}`,
      `--array=${pilots.map(({ number }) => number).join(',')}`,
      ...(gpus === 0 ? [] : [`--gres=gpu:${gpuType === undefined ? '' : `${gpuType}:`}${gpus}`]),
      ...optional('partition', partition),
      ...optional('account', account),
      ...optional('qos', qos),
      `--output=${logFolder === undefined ? '/dev/null' : `${logFolder}/%x-%a.log`}`,
      // The environment of the executor has its token file and more.
      '--export=NIL',
      ...options.arguments,
      ...resources.arguments,
    ];
  }

  #run(program: string, args: readonly string[], input?: string) {
    return this.#options.runner.run({ program, arguments: args, input });
  }
}
