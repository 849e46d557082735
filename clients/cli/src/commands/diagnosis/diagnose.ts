/** `rhizome diagnose`: what is wrong with a job, the evidence, and what may help. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import type { Finish } from '../../flags/flags.js';
import { type CliDiagnosisFragment, CliDiagnoseJobDocument } from '../../operations.generated.js';
import { printJson, printLine } from '../../output.js';
import { noSuchJob } from '../find-job.js';
import { printDiagnosis } from './print-diagnosis.js';

/** An object with its diagnosis. */
interface Diagnosed {
  readonly name: string;
  readonly state: string;
  readonly diagnosis: CliDiagnosisFragment | null;
}

/** Adds the command. */
export function addDiagnose(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('diagnose')
    .description('explain what is wrong with a job, with the evidence, and what may help')
    .argument('<id>', 'id of a job');
  command.action((id: string) => finish(withSession(command, world, (session) => diagnose(session, id))));
}

async function diagnose({ client, output }: Session, id: string): Promise<ExitCode> {
  const { job } = await client.query(CliDiagnoseJobDocument, { id });
  if (!job) throw noSuchJob(id);
  if (output.json) printJson(output, job);
  else print(output, job);
  return exitCodes.ok;
}

function print(output: Session['output'], { name, state, diagnosis }: Diagnosed): void {
  if (!diagnosis) throw new CliError(exitCodes.failed, 'There is no diagnosis');
  printLine(output, `${name} is ${state}.`);
  printDiagnosis({ ...output, escapes: 'ALWAYS' }, diagnosis);
}
