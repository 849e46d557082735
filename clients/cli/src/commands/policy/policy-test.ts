/** `rhizome policy test`: what a version of a policy would have decided about attempts that have failed. */
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { type Finish, wholeNumber } from '../../flags/flags.js';
import {
  CliSimulatePolicyDocument,
  type CliSimulatePolicyQuery,
  type SimulatePolicyInput,
} from '../../operations.generated.js';
import { type Output, printJson, printLine, printTable } from '../../output.js';
import { readPolicyFile } from '../../policy-file.js';
import { scopeOf, type ScopeFlags } from '../../policy-scope.js';

interface TestFlags extends ScopeFlags {
  readonly file?: string;
  readonly days: number;
}

type Simulation = NonNullable<CliSimulatePolicyQuery['simulatePolicy']['simulation']>;

/** Adds the command. @param command with the flags of the scope */
export function addPolicyTest(command: Command, world: World, finish: Finish): void {
  command
    .argument('[version]', 'number of the version', wholeNumber(1, 999_999))
    .description('replay failed attempts under a version or a file, without changing anything')
    .option('-f, --file <file>', 'YAML file with the rules, instead of a version')
    .option('--days <number>', 'days whose failures are replayed', wholeNumber(1, 90), 7)
    .action((version: number | undefined, flags: TestFlags) =>
      finish(withSession(command, world, (session) => testPolicy(session, version, flags))),
    );
}

async function testPolicy(
  session: Session,
  version: number | undefined,
  flags: TestFlags,
): Promise<ExitCode> {
  const { client, output } = session;
  const input = inputOf(session, version, flags);
  let after: string | null = null;
  for (;;) {
    const { simulation, userErrors } = await simulate(client, input, after);
    printErrors(output, userErrors);
    if (!simulation) return exitCodes.failed;
    after = simulation.endCursor;
    if (after !== null) continue;
    if (output.json) printJson(output, simulation);
    else print(output, simulation);
    return exitCodes.ok;
  }
}

async function simulate(
  client: Session['client'],
  input: SimulatePolicyInput,
  after: string | null,
): Promise<CliSimulatePolicyQuery['simulatePolicy']> {
  return (await client.query(CliSimulatePolicyDocument, { input, after })).simulatePolicy;
}

function inputOf(
  { cwd }: Session,
  version: number | undefined,
  { file, days, ...flags }: TestFlags,
): SimulatePolicyInput {
  if ((version === undefined) === (file === undefined))
    throw new CliError(exitCodes.usage, 'Give the number of a version, or a file with --file');
  const scope = scopeOf(flags);
  if (file === undefined) return { scope, days, version: version ?? null };
  const { comment: _comment, ...content } = readPolicyFile(file, cwd);
  return { scope, days, content };
}

function print(output: Output, simulation: Simulation): void {
  printLine(output, simulation.coverage);
  printTable(output, ['RESULT', 'NUMBER'], linesOf(simulation));
  printLine(output, '');
  printTable(
    output,
    ['RULE', 'JOBS', 'RETRIED', 'FAILED', 'HELD', 'TASKS OR HOSTS'],
    simulation.rules.map(({ name, jobs, retried, failed, held, effects }) => [
      name,
      ...[jobs, retried, failed, held, effects].map(String),
    ]),
  );
  if (simulation.samples.length === 0) return;
  printLine(output, '');
  printTable(
    output,
    ['JOB', 'ATTEMPT', 'RULE', 'HAPPENED', 'WOULD HAPPEN'],
    simulation.samples.map(({ jobId, attempt, rule, happened, wouldHappen }) => [
      jobId,
      String(attempt),
      rule ?? '',
      happened,
      wouldHappen,
    ]),
  );
}

function linesOf(simulation: Simulation): readonly (readonly string[])[] {
  const hours = (value: number): string => value.toFixed(1);
  return [
    ['jobs', String(simulation.scannedJobs)],
    ['jobs with failures', String(simulation.failedJobs)],
    ['failed attempts', String(simulation.failedAttempts)],
    ['failed attempts without the log that a rule needs', String(simulation.attemptsWithoutLog)],
    ['jobs with another outcome or other requirements', String(simulation.changedJobs)],
    ['  stopped or held instead of retried', String(simulation.stoppedJobs)],
    ['    of which finished later', String(simulation.stoppedFinishedJobs)],
    ['  retried instead of stopped or held', String(simulation.continuedJobs)],
    ['  retried with other requirements', String(simulation.resizedJobs)],
    ['core-hours saved', hours(simulation.savedCoreHours)],
    ['core-hours added', hours(simulation.addedCoreHours)],
    ['GPU-hours saved', hours(simulation.savedGpuHours)],
    ['GPU-hours added', hours(simulation.addedGpuHours)],
    ['GiB-hours of memory added', hours(simulation.addedMemoryGibHours)],
  ];
}
