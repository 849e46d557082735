/** `rhizome policy`: rules for failed attempts of an experiment, a queue or a task. */
import type { Command } from 'commander';
import { printChange, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { type DryRunFlags, type Finish, pagesUpTo, wholeNumber, withDryRun } from '../../flags/flags.js';
import {
  CliAddPolicyVersionDocument,
  CliDisablePolicyDocument,
  CliEnablePolicyDocument,
  CliPoliciesDocument,
  CliPolicyDocument,
  CliPolicyHistoryDocument,
  type CliPolicyContentFragment,
  type CliPolicyLineFragment,
  type PolicyScopeInput,
} from '../../operations.generated.js';
import { ago, printJson, printLine, printTable } from '../../output.js';
import { readPolicyFile } from '../../policy-file.js';
import { scopeOf, type ScopeFlags } from '../../policy-scope.js';
import { addPolicyTest } from './policy-test.js';
import { yamlLibrary } from '../../files/yaml-file.js';

type ChangeFlags = ScopeFlags & DryRunFlags;

/** A policy has fewer versions that anyone reads. */
const maxListed = 1000;

/** Adds the commands. */
export function addPolicy(program: Command, world: World, finish: Finish): void {
  const group = program.command('policy').description('decide by rules what follows failed attempts');
  const listing = group.command('list').description('list the policies that you may see');
  listing.action(() => finish(withSession(listing, world, list)));
  const showing = withScope(group.command('show')).description('show the enabled rules as a policy file');
  showing.action((flags: ScopeFlags) =>
    finish(withSession(showing, world, (session) => show(session, flags))),
  );
  const history = withScope(group.command('history')).description('list the versions, newest first');
  history.action((flags: ScopeFlags) =>
    finish(withSession(history, world, (session) => listVersions(session, flags))),
  );
  const adding = withScope(group.command('add')).description('add a version without enabling it');
  adding
    .requiredOption('-f, --file <file>', 'YAML file with the rules')
    .action((flags: ScopeFlags & { readonly file: string }) =>
      finish(withSession(adding, world, (session) => add(session, flags))),
    );
  addPolicyTest(withScope(group.command('test')), world, finish);
  const enabling = withDryRun(
    withScope(
      group.command('enable').argument('<version>', 'number of the version', wholeNumber(1, 999_999)),
    ),
  ).description('let a version decide about attempts that fail from now on');
  enabling.action((version: number, flags: ChangeFlags) =>
    finish(withSession(enabling, world, (session) => enable(session, version, flags))),
  );
  const disabling = withDryRun(withScope(group.command('disable'))).description('end the effect of a policy');
  disabling.action((flags: ChangeFlags) =>
    finish(withSession(disabling, world, (session) => disable(session, flags))),
  );
}

function withScope(command: Command): Command {
  return command
    .option('-e, --experiment <name>', 'policy of this experiment')
    .option('-q, --queue <name>', 'policy of this queue')
    .option('-t, --task <id>', 'policy of this task');
}

async function list({ client, output, now }: Session): Promise<ExitCode> {
  const found = await pagesUpTo(
    maxListed,
    async (first, after) => (await client.query(CliPoliciesDocument, { first, after })).policies,
  );
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['SCOPE', 'NAME', 'ENABLED', 'NEWEST', 'BY', 'SINCE'],
      found.map((policy) => [
        policy.scope.toLowerCase(),
        policy.name,
        enabledOf(policy),
        String(policy.newestVersion),
        policy.enabledBy?.subject ?? '',
        policy.enabledAt ? ago(policy.enabledAt, now()) : '',
      ]),
    );
  return exitCodes.ok;
}

const enabledOf = ({ enabledVersion }: CliPolicyLineFragment): string =>
  enabledVersion ? String(enabledVersion.number) : 'none';

async function show({ client, output }: Session, flags: ScopeFlags): Promise<ExitCode> {
  const { policy } = await client.query(CliPolicyDocument, { scope: scopeOf(flags) });
  if (output.json) printJson(output, policy);
  else if (!policy?.enabledVersion) printLine(output, 'No version is enabled.');
  else printLine(output, fileOf(policy.enabledVersion).trimEnd());
  return exitCodes.ok;
}

/** The version in the form that `policy add` reads. */
function fileOf({ rules, placement, comment }: CliPolicyContentFragment): string {
  const written = rules.map(({ match: { labels, ...match }, ...rule }) => {
    const named = labels && Object.fromEntries(labels.map(({ key, value }) => [key, value]));
    return { ...rule, match: { ...match, labels: named } };
  });
  return yamlLibrary().stringify(withoutNulls({ comment, rules: written, placement }));
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(
    ([key, member]) => key !== '__typename' && member !== null && member !== undefined,
  );
  return Object.fromEntries(members.map(([key, member]) => [key, withoutNulls(member)]));
}

async function listVersions({ client, output, now }: Session, flags: ScopeFlags): Promise<ExitCode> {
  const scope = scopeOf(flags);
  let enabled: number | undefined;
  const found = await pagesUpTo(maxListed, async (first, after) => {
    const { policy } = await client.query(CliPolicyHistoryDocument, { scope, first, after });
    enabled = policy?.enabledVersion?.number;
    return policy?.versions ?? null;
  });
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['VERSION', 'STATE', 'AUTHOR', 'WRITTEN', 'RULES', 'COMMENT'],
      found.map(({ number, author, createdAt, rules, comment }) => [
        String(number),
        number === enabled ? 'enabled' : '',
        author.subject,
        ago(createdAt, now()),
        String(rules.length),
        comment ?? '',
      ]),
    );
  return exitCodes.ok;
}

async function add(session: Session, flags: ScopeFlags & { readonly file: string }): Promise<ExitCode> {
  const { client, output, cwd } = session;
  const input = { scope: scopeOf(flags), ...readPolicyFile(flags.file, cwd) };
  const { addPolicyVersion } = await client.mutate(
    CliAddPolicyVersionDocument,
    { input },
    { idempotent: true },
  );
  const { policy, version, userErrors } = addPolicyVersion;
  const isEnabled = version !== null && version.number === policy?.enabledVersion?.number;
  const state = isEnabled ? 'enabled' : 'not enabled';
  return printChange(output, version, userErrors, ({ number }) => `newest version: ${number}, ${state}`);
}

async function enable(session: Session, version: number, flags: ChangeFlags): Promise<ExitCode> {
  const { client, output } = session;
  const scope = scopeOf(flags);
  if (flags.dryRun) return await printPlan(session, scope, `would enable version ${version}`);
  const { enablePolicy } = await client.mutate(
    CliEnablePolicyDocument,
    { input: { scope, version } },
    { idempotent: true },
  );
  return printChange(output, enablePolicy.policy, enablePolicy.userErrors, changedOf);
}

async function disable(session: Session, flags: ChangeFlags): Promise<ExitCode> {
  const { client, output } = session;
  const scope = scopeOf(flags);
  if (flags.dryRun) return await printPlan(session, scope, 'would enable none');
  const { disablePolicy } = await client.mutate(
    CliDisablePolicyDocument,
    { input: { scope } },
    { idempotent: true },
  );
  return printChange(output, disablePolicy.policy, disablePolicy.userErrors, changedOf);
}

async function printPlan(
  { client, output }: Session,
  scope: PolicyScopeInput,
  what: string,
): Promise<ExitCode> {
  const { policy } = await client.query(CliPolicyDocument, { scope });
  if (!policy) throw new CliError(exitCodes.failed, 'Policy not found, or you may not see it.');
  if (output.json) printJson(output, policy);
  else printLine(output, `${what}; enabled now: ${enabledOf(policy)}, newest: ${policy.newestVersion}`);
  return exitCodes.ok;
}

const changedOf = (policy: CliPolicyLineFragment): string =>
  `${policy.scope.toLowerCase()} ${policy.name}  enabled version: ${enabledOf(policy)}`;
