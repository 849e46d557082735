/** `rhizome diagnose`: what is wrong with a job, task, queue or site, the evidence, and what may help. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import type { Finish } from '../../flags/flags.js';
import {
  type CliDiagnosisFragment,
  CliDiagnoseJobDocument,
  CliDiagnoseQueueDocument,
  CliDiagnoseSiteDocument,
  CliDiagnoseTaskDocument,
} from '../../operations.generated.js';
import { printJson, printLine } from '../../output.js';
import { noSuchJob } from '../find-job.js';
import { printDiagnosis } from './print-diagnosis.js';

interface DiagnoseFlags {
  readonly queue?: string;
  readonly site?: string;
}

/** An object with its diagnosis. */
interface Diagnosed {
  readonly name: string;
  readonly state?: string;
  readonly diagnosis: CliDiagnosisFragment | null;
}

/** Adds the command. */
export function addDiagnose(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('diagnose')
    .description('explain what is wrong with a job, task, queue or site, and what may help')
    .argument('[id]', 'id of a job or task')
    .option('-q, --queue <name>', 'a queue')
    .option('--site <name>', 'a site');
  command.action((id: string | undefined, flags: DiagnoseFlags) =>
    finish(withSession(command, world, (session) => diagnose(session, id, flags))),
  );
}

async function diagnose(session: Session, id: string | undefined, flags: DiagnoseFlags): Promise<ExitCode> {
  const { output } = session;
  const found = await read(session, id, flags);
  if (output.json) printJson(output, found);
  else print(output, found);
  return exitCodes.ok;
}

function read(session: Session, id: string | undefined, { queue, site }: DiagnoseFlags): Promise<Diagnosed> {
  if ([id, queue, site].filter((one) => one !== undefined).length !== 1)
    throw new CliError(exitCodes.usage, 'Give a job or a task, or --queue, or --site');
  if (queue !== undefined) return ofQueue(session, queue);
  if (site !== undefined) return ofSite(session, site);
  return id?.startsWith('task_') ? ofTask(session, id) : ofJob(session, id ?? '');
}

async function ofJob({ client }: Session, id: string): Promise<Diagnosed> {
  const { job } = await client.query(CliDiagnoseJobDocument, { id });
  if (!job) throw noSuchJob(id);
  return job;
}

async function ofTask({ client }: Session, id: string): Promise<Diagnosed> {
  const { task } = await client.query(CliDiagnoseTaskDocument, { id });
  if (!task) throw new CliError(exitCodes.notFound, `Task "${id}" not found, or you may not see it.`);
  return task;
}

async function ofQueue({ client }: Session, name: string): Promise<Diagnosed> {
  const { queue } = await client.query(CliDiagnoseQueueDocument, { name });
  if (!queue) throw new CliError(exitCodes.notFound, `Queue "${name}" not found, or you may not see it.`);
  return queue;
}

async function ofSite({ client }: Session, name: string): Promise<Diagnosed> {
  const { queues } = await client.query(CliDiagnoseSiteDocument, { names: [name] });
  const site = queues.nodes[0]?.site;
  if (site) return site;
  throw new CliError(exitCodes.notFound, `Site "${name}" not found, or you may not see a queue of it.`);
}

function print(output: Session['output'], { name, state, diagnosis }: Diagnosed): void {
  if (!diagnosis) throw new CliError(exitCodes.failed, 'There is no diagnosis');
  if (state !== undefined) printLine(output, `${name} is ${state}.`);
  printDiagnosis({ ...output, escapes: 'ALWAYS' }, diagnosis);
}
