/**
 * `rhizome experiment new` creates an experiment from the template, `rhizome experiment test` checks an
 * endpoint against the contract. The group also has the commands for the settings of experiments.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { CommonFlags, World } from '../command.js';
import { assertSecure, findToken } from '../config.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import { collect, type Finish, urlOf } from '../flags/flags.js';
import { type Output, printLine, printJson } from '../output.js';
import { addExperimentSettings } from './experiment-settings.js';

/** Adds the commands. Their modules are loaded when one of them runs. */
export function addExperiment(program: Command, world: World, finish: Finish): void {
  const group = program
    .command('experiment')
    .description('create and change experiments, and test their endpoints');
  addExperimentSettings(group, world, finish);
  const create = group
    .command('new')
    .description('create an experiment from the template and add it to the graph')
    .argument('<name>', 'lower-case letters and digits, such as heron')
    .option('--standalone <folder>', 'create a standalone repository in an empty folder');
  create.action((name: string) => finish(makeNew(create, world, name)));
  const test = group
    .command('test')
    .description('test whether an endpoint fulfils the contract of experiments')
    .argument('<url>', 'URL of the endpoint, such as http://host:port/graphql', urlOf)
    .option('--contract <file>', 'contract file of the endpoint', 'contract.yaml')
    .option('--sdl <file>', 'published SDL of the endpoint')
    .option(
      '--call-key-file <file>',
      'key of the gateway (callKeyFile) that signs the tokens for the endpoint',
    )
    .option(
      '--issuer-alias <alias>',
      'alias of the issuer of the token in the gateway (with --call-key-file)',
    )
    .option(
      '--refused-token-file <file>',
      'valid token that each mutation must refuse; may be repeated',
      collect,
      [],
    )
    .option(
      '--pid <number>',
      'process id of the endpoint: it gets SIGTERM at the end, to test that it drains',
      pidOf,
    )
    .option('--strict', 'also fail for checks that could not run');
  test.action((url: string) => finish(testEndpoint(test, world, url)));
}

async function makeNew(command: Command, world: World, name: string): Promise<ExitCode> {
  const { standalone, json } = command.optsWithGlobals<CommonFlags & { standalone?: string }>();
  const { findRepository, refuseSpelled } = await import('../experiment/repository.js');
  const { namesOf, refuseCollision } = await import('../experiment/names.js');
  const { runSteps } = await import('../experiment/steps.js');
  const output: Output = { json: json === true, stream: world.stdout, errors: world.stderr };
  const names = namesOf(name);
  const repository = findRepository(world.cwd);
  refuseCollision(names, repository.experiments);
  if (standalone === undefined) {
    refuseSpelled(repository, names);
    const { stepsInRepository } = await import('../experiment/in-repository.js');
    await runSteps(stepsInRepository(repository, names), world.stderr, world.now);
    printNext(output, { name, folder: `experiments/${name}` }, [
      'npm run playground                      starts it with the other experiments',
      `experiments/${name}/src/schema.graphql  its schema: after a change, run npm run generate`,
      'docs/tutorials/first-experiment.md      adds a field, a mutation and a subscription',
    ]);
    return exitCodes.ok;
  }
  const folder = resolve(world.cwd, standalone);
  const { stepsStandalone } = await import('../experiment/standalone.js');
  await runSteps(stepsStandalone(repository, names, folder), world.stderr, world.now);
  printNext(output, { name, folder }, [
    `cd ${folder} && npm ci && npm test`,
    'rhizome schema publish                  after its endpoint started',
  ]);
  return exitCodes.ok;
}

function printNext(
  output: Output,
  made: { readonly name: string; readonly folder: string },
  next: readonly string[],
): void {
  if (output.json) return printJson(output, made);
  printLine(output, `${made.name} is in ${made.folder}. Next:`);
  for (const line of next) printLine(output, `  ${line}`);
}

interface TestFlags extends CommonFlags {
  readonly contract: string;
  readonly sdl?: string;
  readonly callKeyFile?: string;
  readonly issuerAlias?: string;
  readonly refusedTokenFile: readonly string[];
  readonly pid?: number;
  readonly strict?: boolean;
}

async function testEndpoint(command: Command, world: World, url: string): Promise<ExitCode> {
  const flags = command.optsWithGlobals<TestFlags>();
  const output: Output = { json: flags.json === true, stream: world.stdout, errors: world.stderr };
  const { readContractFile, prepared } = await import('../experiment/contract-file.js');
  const { callTokens, checkEndpoint } = await import('@rhizome/conformance');
  const { printFinding, printSummary } = await import('../experiment/report.js');
  assertSecure(url, flags);
  const token = await findToken(flags, world.cwd, world.signal);
  const { canonicalSdl } = await import('@rhizome/schema');
  const file = readContractFile(resolve(world.cwd, flags.contract));
  const { pid, callKeyFile, issuerAlias } = flags;
  const callToken =
    callKeyFile === undefined
      ? undefined
      : callTokens(resolve(world.cwd, callKeyFile), file.name, issuerAlias);
  const contract = {
    ...(await prepared(file, url, callToken ? await callToken(token) : token)),
    url,
    token,
    ...(callToken ? { callToken } : {}),
    checkSchema: await rulesFor(file),
    ...(flags.sdl === undefined
      ? {}
      : { published: readText(resolve(world.cwd, flags.sdl)), spelling: canonicalSdl }),
    ...(flags.refusedTokenFile.length === 0 ? {} : { refused: refusedTokens(flags.refusedTokenFile) }),
    ...(pid === undefined ? {} : { terminate: () => void process.kill(pid, 'SIGTERM') }),
  };
  const findings = [];
  for await (const finding of checkEndpoint(contract)) {
    printFinding(output, finding, findings.at(-1));
    findings.push(finding);
  }
  printSummary(output, url, file.name, findings);
  const bad = findings.some(({ outcome }) => outcome === 'failed' || (flags.strict && outcome === 'skipped'));
  return bad ? exitCodes.failed : exitCodes.ok;
}

/** Project rules for an SDL as it is served: no experiment owns the shared types. */
async function rulesFor(subject: { readonly name: string; readonly typePrefix: string }) {
  const { checkExperimentSchema, ownDocument } = await import('@rhizome/schema');
  return (sdl: string) => {
    const own = ownDocument(sdl);
    // Without the whole graph, an entity with another prefix is assumed to be core's; publishing checks it
    // against the registry.
    const entities = own.definitions.flatMap((one) =>
      'directives' in one &&
      one.directives?.some(({ name }) => name.value === 'key') &&
      'name' in one &&
      one.name &&
      !one.name.value.startsWith(subject.typePrefix)
        ? [one.name.value]
        : [],
    );
    return checkExperimentSchema(own, subject, new Set(entities));
  };
}

function refusedTokens(files: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(files.map((file) => [`the principal of ${file}`, readText(file).trim()]));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new CliError(exitCodes.usage, `${path} cannot be read`);
  }
}

function pidOf(text: string): number {
  const pid = Number(text);
  if (Number.isInteger(pid) && pid > 1) return pid;
  throw new InvalidArgumentError('Must be a process id.');
}
