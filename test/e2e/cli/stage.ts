/** The system of the stories of the command line: a playground with one real pilot. */
import { expect } from '@jest/globals';
import { type CommandLine, commandLineOf } from '../system/cli.js';
import { experiment } from '../system/jobs.js';
import { type JobWatch, watchJobs } from '../system/job-watch.js';
import { type PlaygroundSystem, startPlayground } from '../system/playground-system.js';
import { temporaryFolder } from '../system/temporary-folder.js';

export let system: PlaygroundSystem;
export let watch: JobWatch;
export let cli: CommandLine;

/** Starts the system; call it once, before all stories. */
export async function startStage(): Promise<void> {
  system = await startPlayground({ pilots: 1 });
  watch = await watchJobs(system.client());
  cli = commandLineOf(system);
}

/** A folder from which no playground is found; removed at the end of the file. */
export const folderElsewhere = (): Promise<string> => temporaryFolder('elsewhere');

/** A job as `list --json` prints it. */
export interface JobLine {
  readonly id: string;
  readonly name: string;
  readonly state: string;
}

/** Arguments of a submit of one small job. */
export const submitArgs = (shell: string, ...flags: string[]): string[] => [
  'submit',
  ...['-e', experiment, '--memory', '64', '--disk', '1'],
  ...flags,
  ...['--', 'sh', '-c', shell],
];

/** Submits by the command line. @returns the id of the job */
export async function submitted(shell: string, ...flags: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await cli.run(submitArgs(shell, ...flags));
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const id = /job_\w+/.exec(stdout)?.[0];
  expect(id).toBeDefined();
  return id ?? '';
}
