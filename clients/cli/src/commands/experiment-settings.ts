/** `rhizome experiment show` and `update`: the settings of an experiment. */
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../command.js';
import { type PolicyFlags, policyFields, policyOf, withPolicy } from '../flags/continuity-flags.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import { type Finish, wholeNumber } from '../flags/flags.js';
import {
  type CliExperimentDetailsFragment,
  CliExperimentDocument,
  CliUpdateExperimentDocument,
} from '../operations.generated.js';
import { type Output, printFields, printJson } from '../output.js';

interface UpdateFlags extends PolicyFlags {
  readonly title?: string;
  readonly description?: string;
  readonly expectedRevision?: number;
}

/** Adds the commands to the group `experiment`. */
export function addExperimentSettings(group: Command, world: World, finish: Finish): void {
  const showing = group
    .command('show')
    .description('show an experiment')
    .argument('<name>', 'name of the experiment');
  showing.action((name: string) => finish(withSession(showing, world, (session) => show(session, name))));
  const updating = group
    .command('update')
    .description('change settings of an experiment; others stay as they are')
    .argument('<name>', 'name of the experiment')
    .option('--title <text>', 'new display name')
    .option('--description <text>', 'new description; an empty one removes it');
  withPolicy(updating).option(
    '--expected-revision <n>',
    'refuse if the experiment has another revision',
    wholeNumber(1, 2_147_483_647),
  );
  updating.action((name: string, flags: UpdateFlags) =>
    finish(withSession(updating, world, (session) => update(session, name, flags))),
  );
}

async function show({ client, output }: Session, name: string): Promise<ExitCode> {
  const { experiment } = await client.query(CliExperimentDocument, { name });
  if (!experiment)
    throw new CliError(exitCodes.notFound, `Experiment "${name}" not found, or you may not see it.`);
  return printExperiment(output, experiment);
}

async function update({ client, output }: Session, name: string, flags: UpdateFlags): Promise<ExitCode> {
  const continuity = policyOf(flags);
  const input = {
    name,
    ...(flags.title === undefined ? {} : { title: flags.title }),
    ...(flags.description === undefined ? {} : { description: flags.description }),
    ...(continuity && { continuity }),
    ...(flags.expectedRevision === undefined ? {} : { expectedRevision: flags.expectedRevision }),
  };
  const { updateExperiment } = await client.mutate(
    CliUpdateExperimentDocument,
    { input },
    // Repeated with a revision, a change that was made would be refused.
    { idempotent: flags.expectedRevision === undefined },
  );
  printErrors(output, updateExperiment.userErrors);
  return printExperiment(output, updateExperiment.experiment);
}

function printExperiment(output: Output, experiment: CliExperimentDetailsFragment | null): ExitCode {
  if (output.json) printJson(output, experiment);
  else if (experiment) {
    printFields(output, [
      ['experiment', experiment.name],
      ['title', experiment.title],
      ['description', experiment.description],
      ['shares', experiment.shares.map(({ path }) => path).join(' ')],
      ...policyFields(experiment.continuity),
      ['registered', experiment.createdAt],
      ['revision', experiment.revision],
    ]);
  }
  return experiment ? exitCodes.ok : exitCodes.failed;
}
