/** `rhizome schema register`, `check`, `publish`, `rollback` and `withdraw`. */
import type { Command } from 'commander';
import { type Session, printErrors, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, type Finish, wholeNumber } from '../../flags/flags.js';
import {
  CliCheckSchemaDocument,
  CliPublishSchemaDocument,
  CliRegisterSubgraphDocument,
  CliRollbackSchemaDocument,
  CliWithdrawSubgraphDocument,
  type CliPublishSchemaMutation,
  type CliRollbackSchemaMutation,
  type CliWithdrawSubgraphMutation,
} from '../../operations.generated.js';
import { printLine, printJson } from '../../output.js';
import { readAgentOperations, readSdl } from './sdl.js';
import { printCheck, versionText } from './print-findings.js';

/** A check composes the whole graph and queries an endpoint, which takes time. */
const timeoutMs = 60_000;

const sdlFlag = [
  '--sdl <path>',
  'file or folder with the schema; may be repeated (default: the schema that the endpoint serves)',
  collect,
  [],
] as const;

const agentFlag = [
  '--agent <folder>',
  'folder with the operations that assistants get as tools (default: those that are live)',
] as const;

interface SdlFlags {
  readonly sdl: readonly string[];
  readonly agent?: string;
}

interface PublishFlags extends SdlFlags {
  readonly acceptBreaking?: boolean;
  readonly note?: string;
}

interface RollbackFlags {
  readonly all?: boolean;
  readonly to?: number;
  readonly note?: string;
}

interface WithdrawFlags {
  readonly acceptBreaking?: boolean;
  readonly unregister?: boolean;
  readonly note?: string;
}

interface RegisterFlags {
  readonly endpoint: string;
  readonly prefix?: string;
}

/** Adds `schema register`. */
export function addRegister(schema: Command, world: World, finish: Finish): void {
  const command = schema
    .command('register')
    .description('register a subgraph, or change its endpoint')
    .argument('<subgraph>', 'name of the subgraph; for an experiment, the name of the experiment')
    .requiredOption('--endpoint <url>', 'URL at which the gateway reaches it, such as https://host/graphql')
    .option('--prefix <prefix>', 'prefix of its types; omit it for a subgraph of core');
  command.action((name: string, flags: RegisterFlags) =>
    finish(withSession(command, world, (session) => register(session, name, flags))),
  );
}

/** Adds `schema check`. */
export function addCheck(schema: Command, world: World, finish: Finish): void {
  const command = schema
    .command('check')
    .description('check a schema against the live graph and its recorded use')
    .argument('<subgraph>', 'a registered subgraph')
    .option(...sdlFlag)
    .option(...agentFlag);
  command.action((subgraph: string, flags: SdlFlags) =>
    finish(withSession(command, world, (session) => check(session, subgraph, flags))),
  );
}

/** Adds `schema publish`. */
export function addPublish(schema: Command, world: World, finish: Finish): void {
  const command = schema
    .command('publish')
    .description('check a schema and make it live; its endpoint must already serve it')
    .argument('<subgraph>', 'a registered subgraph')
    .option(...sdlFlag)
    .option(...agentFlag)
    .option('--accept-breaking', 'publish even if it breaks clients')
    .option('--note <text>', 'description of the change');
  command.action((subgraph: string, flags: PublishFlags) =>
    finish(withSession(command, world, (session) => publish(session, subgraph, flags))),
  );
}

/** Adds `schema rollback`. */
export function addRollback(schema: Command, world: World, finish: Finish): void {
  const command = schema
    .command('rollback')
    .description("take a subgraph's earlier schema up again")
    .argument('[subgraph]', 'a registered subgraph')
    .option('--all', 'all subgraphs instead of one')
    .option(
      '--to <version>',
      'version to restore (default: the last different one)',
      wholeNumber(1, 1_000_000_000),
    )
    .option('--note <text>', 'why');
  command.action((subgraph: string | undefined, flags: RollbackFlags) =>
    finish(withSession(command, world, (session) => rollback(session, subgraph, flags))),
  );
}

/** Adds `schema withdraw`. */
export function addWithdraw(schema: Command, world: World, finish: Finish): void {
  const command = schema
    .command('withdraw')
    .description('remove a subgraph from the graph, unless that breaks clients')
    .argument('<subgraph>', 'a registered subgraph')
    .option('--accept-breaking', 'remove it even if that breaks clients')
    .option('--unregister', 'also remove its name, prefix and endpoint from the registry')
    .option('--note <text>', 'why');
  command.action((subgraph: string, flags: WithdrawFlags) =>
    finish(withSession(command, world, (session) => withdraw(session, subgraph, flags))),
  );
}

async function register(
  { client, output }: Session,
  name: string,
  { endpoint, prefix }: RegisterFlags,
): Promise<ExitCode> {
  const input = { name, endpoint, typePrefix: prefix ?? null };
  const options = { idempotent: true };
  const { registerSubgraph } = await client.mutate(CliRegisterSubgraphDocument, { input }, options);
  if (output.json) printJson(output, registerSubgraph);
  printErrors(output, registerSubgraph.userErrors);
  if (!registerSubgraph.subgraph) return exitCodes.failed;
  if (!output.json)
    printLine(output, `${name} is registered at ${endpoint}; publish its schema to make it live.`);
  return exitCodes.ok;
}

async function check(
  { client, output, cwd }: Session,
  subgraph: string,
  { sdl, agent }: SdlFlags,
): Promise<ExitCode> {
  const input = { subgraph, sdl: readSdl(sdl, cwd), agentOperations: readAgentOperations(agent, cwd) };
  const options = { idempotent: true, timeoutMs };
  const { checkSchema } = await client.mutate(CliCheckSchemaDocument, { input }, options);
  if (output.json) printJson(output, checkSchema);
  else if (checkSchema.check) printCheck(output, checkSchema.check);
  printErrors(output, checkSchema.userErrors);
  if (checkSchema.check?.hasPassed) return exitCodes.ok;
  return codeOf(checkSchema.userErrors);
}

async function publish(
  { client, output, cwd }: Session,
  subgraph: string,
  { sdl, agent, acceptBreaking = false, note }: PublishFlags,
): Promise<ExitCode> {
  const input = {
    subgraph,
    sdl: readSdl(sdl, cwd),
    agentOperations: readAgentOperations(agent, cwd),
    isBreakingAccepted: acceptBreaking,
    note: note ?? null,
  };
  // The registry accepts the live schema without change: sending it twice publishes it once.
  const options = { idempotent: true, timeoutMs };
  const { publishSchema } = await client.mutate(CliPublishSchemaDocument, { input }, options);
  return printPublished({ output }, publishSchema);
}

async function rollback(
  session: Session,
  subgraph: string | undefined,
  flags: RollbackFlags,
): Promise<ExitCode> {
  const { all = false, to, note } = flags;
  if (all === (subgraph !== undefined)) {
    throw new CliError(exitCodes.usage, 'rollback needs the name of a subgraph, or --all');
  }
  const input = { subgraph: subgraph ?? null, version: to ?? null, note: note ?? null };
  // Without a version, each call goes back one more.
  const options = { idempotent: to !== undefined, timeoutMs };
  const { rollbackSchema } = await session.client.mutate(CliRollbackSchemaDocument, { input }, options);
  return printPublished(session, rollbackSchema);
}

async function withdraw(
  session: Session,
  subgraph: string,
  { acceptBreaking = false, unregister = false, note }: WithdrawFlags,
): Promise<ExitCode> {
  const input = {
    subgraph,
    isBreakingAccepted: acceptBreaking,
    isUnregistered: unregister,
    note: note ?? null,
  };
  // The registry accepts a withdrawn subgraph without change; one that is no longer registered is not found a
  // second time.
  const options = { idempotent: !unregister, timeoutMs };
  const { withdrawSubgraph } = await session.client.mutate(CliWithdrawSubgraphDocument, { input }, options);
  const exitCode = printPublished(session, withdrawSubgraph);
  if (withdrawSubgraph.isUnregistered && !session.output.json)
    printLine(session.output, `${subgraph} is no longer registered.`);
  return exitCode;
}

function printPublished(
  { output }: Pick<Session, 'output'>,
  published:
    | CliPublishSchemaMutation['publishSchema']
    | CliRollbackSchemaMutation['rollbackSchema']
    | CliWithdrawSubgraphMutation['withdrawSubgraph'],
): ExitCode {
  const { version, check: checked, userErrors } = published;
  if (output.json) printJson(output, published);
  else if (checked) printCheck(output, checked);
  printErrors(output, userErrors);
  if (!version) return codeOf(userErrors);
  if (!output.json) printLine(output, `Live: ${versionText(version)}.`);
  return exitCodes.ok;
}

function codeOf(userErrors: readonly { readonly code: string }[]): ExitCode {
  const isUnknown = userErrors.some(({ code }) => code.endsWith('_NOT_FOUND'));
  return isUnknown ? exitCodes.notFound : exitCodes.failed;
}
