/** `rhizome task`: pauses, resumes, finishes, aborts and changes tasks, and ends their scouting. */
import type { ApiClient } from '@rhizome/client';
import type { Command } from 'commander';
import { type MutationError, type Session, type World, printErrors, withSession } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import type { DryRunFlags, Finish } from '../../flags/flags.js';
import {
  CliAbortTaskDocument,
  type CliCommandedTaskFragment,
  CliFinishTaskDocument,
  CliPauseTaskDocument,
  CliResumeTaskDocument,
  type CliTaskEffectFragment,
  type PauseTaskInput,
  type ResumeTaskInput,
} from '../../operations.generated.js';
import { type Output, printJson, printLine } from '../../output.js';
import { printJobs } from './affected-jobs.js';
import { addEndScouting } from './end-scouting.js';
import { addSet } from './set.js';

interface TaskFlags extends DryRunFlags {
  readonly reason?: string;
}

interface Answer {
  readonly task: CliCommandedTaskFragment | null;
  readonly effect: CliTaskEffectFragment | null;
  readonly userErrors: readonly MutationError[];
}

interface Verb {
  readonly name: string;
  readonly description: string;
  /** The effect on the jobs, as a participle. */
  readonly does: string;
  readonly needsReason?: true;
  readonly send: (client: ApiClient, input: PauseTaskInput & ResumeTaskInput) => Promise<Answer>;
}

const idempotent = { idempotent: true } as const;

const verbs: readonly Verb[] = [
  {
    name: 'pause',
    description: 'pause tasks: running jobs go on, no other job starts until the task is resumed',
    does: 'not started',
    needsReason: true,
    send: async (client, input) =>
      (await client.mutate(CliPauseTaskDocument, { input }, idempotent)).pauseTask,
  },
  {
    name: 'resume',
    description: 'resume paused tasks',
    does: 'may start',
    send: async (client, input) =>
      (await client.mutate(CliResumeTaskDocument, { input }, idempotent)).resumeTask,
  },
  {
    name: 'finish',
    description: 'end tasks after their running jobs; the jobs that have not started are cancelled',
    does: 'cancelled',
    send: async (client, input) =>
      (await client.mutate(CliFinishTaskDocument, { input }, idempotent)).finishTask,
  },
  {
    name: 'abort',
    description: 'cancel all jobs of tasks; running payloads are killed',
    does: 'cancelled',
    send: async (client, input) =>
      (await client.mutate(CliAbortTaskDocument, { input }, idempotent)).abortTask,
  },
];

/** Adds the commands. */
export function addTask(program: Command, world: World, finish: Finish): void {
  const group = program.command('task').description('pause, resume, change and end tasks');
  for (const verb of verbs) {
    const command = group
      .command(verb.name)
      .description(verb.description)
      .argument('<task...>', 'task ids')
      .option('--dry-run', 'change nothing, and print how many jobs it would affect, and which');
    const reason = ['--reason <text>', 'reason, shown with the task and its jobs'] as const;
    if (verb.needsReason) command.requiredOption(...reason);
    else command.option(...reason);
    command.action((ids: readonly string[], flags: TaskFlags) =>
      finish(withSession(command, world, (session) => give(session, verb, ids, flags))),
    );
  }
  addSet(group, world, finish);
  addEndScouting(group, world, finish);
}

async function give(
  { client, output }: Session,
  verb: Verb,
  ids: readonly string[],
  { reason = '', dryRun = false }: TaskFlags,
): Promise<ExitCode> {
  const answers = [];
  for (const taskId of ids) {
    const { task, effect, userErrors } = await verb.send(client, { taskId, reason, isDryRun: dryRun });
    printErrors(output, userErrors);
    if (!task || !effect) continue;
    answers.push({ task, effect });
    if (!output.json) print(output, verb, { task, effect }, dryRun);
  }
  if (output.json) printJson(output, answers);
  return answers.length === ids.length ? exitCodes.ok : exitCodes.failed;
}

function print(
  output: Output,
  { name, does }: Verb,
  { task, effect }: { readonly task: CliCommandedTaskFragment; readonly effect: CliTaskEffectFragment },
  dryRun: boolean,
): void {
  const { jobCount, counts } = effect;
  const states = counts.map(({ state, count }) => `${state.toLowerCase()} ${count}`).join(', ');
  const jobs = `${jobCount} ${jobCount === 1 ? 'job' : 'jobs'} ${does}${states ? ` (${states})` : ''}`;
  printLine(output, `${task.id}  ${task.state}  ${dryRun ? `${name} would mean: ` : ''}${jobs}`);
  if (dryRun) printJobs(output, effect);
}
